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
    from autobalance._fds_file import load_fds as load_fds
    from autobalance._search_loss import SearchResult as SearchResult
    from autobalance._search_loss import search_loss as search_loss
    from autobalance.augmentation import load_augmentation as load_augmentation
    from autobalance.bilevel import OuterLoop as OuterLoop
    from autobalance.density import lds_weights as lds_weights
    from autobalance.errors import InputError as InputError
    from autobalance.fds import FDS as FDS
    from autobalance.hypergradients import Replay as Replay
    from autobalance.hypergradients import Unrolled as Unrolled
    from autobalance.losses import ParametricLoss as ParametricLoss
    from autobalance.losses import load_loss as load_loss
    from autobalance.losses import save_loss as save_loss
    from autobalance.points import fixed_point as fixed_point
    from autobalance.points import fixed_points as fixed_points
    from autobalance.training import Recipe as Recipe

_HOMES = {
    "FDS": "fds",
    "InputError": "errors",
    "OuterLoop": "bilevel",
    "ParametricLoss": "losses",
    "Recipe": "training",
    "Replay": "hypergradients",
    "SearchResult": "_search_loss",
    "Unrolled": "hypergradients",
    "fixed_point": "points",
    "fixed_points": "points",
    "lds_weights": "density",
    "load_augmentation": "augmentation",
    "load_fds": "_fds_file",
    "load_loss": "losses",
    "save_loss": "losses",
    "search_loss": "_search_loss",
}

__all__ = sorted(_HOMES)
__version__ = version("autobalance")


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'autobalance' has no attribute {name!r}")
    value = getattr(import_module(f"autobalance.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
