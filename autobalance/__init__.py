"""Bi-level search for the training loss that suits your imbalanced data.

    loss = autobalance.load_loss("runs/digits/loss.json")      # an nn.Module; loss(logits, target)
    loss = autobalance.fixed_point("la", class_counts=n)       # the same kind of object
    result = autobalance.search_loss(model, train_set, validation_set)

Names are imported when they are first used: loading a loss imports none of the search.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autobalance.bilevel import OuterLoop as OuterLoop
    from autobalance.bilevel import SearchResult as SearchResult
    from autobalance.bilevel import search_loss as search_loss
    from autobalance.bilevel.estimators import AutoBalanceClassifier as AutoBalanceClassifier
    from autobalance.bilevel.estimators import AutoBalanceRegressor as AutoBalanceRegressor
    from autobalance.bilevel.watching import TensorBoard as TensorBoard
    from autobalance.common import Callback as Callback
    from autobalance.common import InputError as InputError
    from autobalance.common.density import lds_weights as lds_weights
    from autobalance.data.augmentation import load_augmentation as load_augmentation
    from autobalance.hypergradients import Replay as Replay
    from autobalance.hypergradients import Unrolled as Unrolled
    from autobalance.losses import BinaryLoss as BinaryLoss
    from autobalance.losses import ParametricLoss as ParametricLoss
    from autobalance.losses import load_loss as load_loss
    from autobalance.losses import save_loss as save_loss
    from autobalance.losses.named import fixed_point as fixed_point
    from autobalance.losses.named import fixed_points as fixed_points
    from autobalance.models import FDS as FDS
    from autobalance.models import load_fds as load_fds
    from autobalance.tasks import fairness_report as fairness_report
    from autobalance.training import Recipe as Recipe
    from autobalance.training import TrainedModel as TrainedModel
    from autobalance.training import load_model as load_model

_HOMES = {
    "AutoBalanceClassifier": "bilevel.estimators",
    "AutoBalanceRegressor": "bilevel.estimators",
    "BinaryLoss": "losses",
    "Callback": "common",
    "FDS": "models",
    "InputError": "common",
    "OuterLoop": "bilevel",
    "ParametricLoss": "losses",
    "Recipe": "training",
    "Replay": "hypergradients",
    "SearchResult": "bilevel",
    "TensorBoard": "bilevel.watching",
    "TrainedModel": "training",
    "Unrolled": "hypergradients",
    "fairness_report": "tasks",
    "fixed_point": "losses.named",
    "fixed_points": "losses.named",
    "lds_weights": "common.density",
    "load_augmentation": "data.augmentation",
    "load_fds": "models",
    "load_loss": "losses",
    "load_model": "training",
    "save_loss": "losses",
    "search_loss": "bilevel",
}

__all__ = sorted(_HOMES)
# The doors of the commands, such as `python -m autobalance.search`, stand in a folder of their own.
__path__.append(f"{__path__[0]}/cli/doors")
__version__ = version("autobalance")


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'autobalance' has no attribute {name!r}")
    value = getattr(import_module(f"autobalance.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
