"""What an engine is, what it says that it can, and the engines by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import ClassVar, Protocol

from torch import Tensor

from autobalance.common import InputError, nearest
from autobalance.data import Batch
from autobalance.hypergradients._inner import Inner, InnerState
from autobalance.hypergradients._optimiser import Tensors


@dataclass(frozen=True)
class Abilities:
    """What an engine can. An engine that says nothing is good for hyper-parameters of the loss in plain training.

    Args:
        recipe_parameters: of `RECIPE_PARAMETERS`, those that it differentiates in.
        requires: what it needs of the optimiser, flags of `OptimiserAbilities`.
        transform: hyper-parameters that change the training samples (augmentation).
        feature_smoothing: models that are shown the targets of each batch (`FDS`).
        folds: models that train side by side (`Stacked`).
        frozen_parameters: models that are trained in part.
        precision, compiled: plain training steps under autocast, or through another forward pass.
        processes: several processes that share the batches.
        every: training steps between its hypergradients where no number is asked for.
    """

    recipe_parameters: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    transform: bool = False
    feature_smoothing: bool = False
    folds: bool = False
    frozen_parameters: bool = False
    precision: bool = False
    compiled: bool = False
    processes: bool = False
    every: int = 20


@dataclass(frozen=True)
class Hypergradient:
    """The derivative of the objective after the unrolled steps.

    Args:
        gradient: by hyper-parameter name.
        objective: the value that was differentiated.
        train_loss: mean loss of the inner steps.
    """

    gradient: Tensors
    objective: float
    train_loss: float

    @property
    def finite(self) -> bool:
        """Whether no number of the gradient is NaN or infinite."""
        return all(bool(part.isfinite().all()) for part in self.gradient.values())


class Engine(Protocol):
    """A way to differentiate through training: all engines share this signature."""

    abilities: ClassVar[Abilities]

    @property
    def steps(self) -> int:
        """T, the number of inner steps that the gradient looks back through."""

    def __call__(
        self, inner: Inner, state: InnerState, hyper: Mapping[str, Tensor], batches: Sequence[Batch], outer_batch: Batch
    ) -> tuple[InnerState, Hypergradient]:
        """Takes the inner steps on ``batches`` and differentiates the objective on ``outer_batch`` in ``hyper``.

        Args:
            inner, state: the problem, and where its training stands; neither is changed.
            hyper: the loss's hyper-parameters, and the recipe's.
            batches: T training batches, one a step.
            outer_batch: validation samples.

        Returns:
            the state after the T steps, the same that plain training would have reached, and the hypergradient.

        Raises:
            InputError: the engine cannot do this, see `check_engine`; or there is another number of batches.
        """


#: The engines by name, in the order in which they were registered.
ENGINES: dict[str, type[Engine]] = {}


def register_engine(name: str, kind: type[Engine]) -> None:
    """Makes an engine known under a name: to `make_engine`, and to messages that say which engine helps.

    Raises:
        InputError: the name is taken.
    """
    if name in ENGINES:
        raise InputError(f"there is an engine called {name!r} already")
    ENGINES[name] = kind


def make_engine(name: str, steps: int | None = None) -> Engine:
    """The engine of that name; ``steps``: how many training steps it looks back through, None: its default.

    Raises:
        InputError: no engine has the name, or its number of steps is fixed.
    """
    if name not in ENGINES:
        raise InputError(f"no engine is called {name!r}; there are {', '.join(ENGINES)}{nearest(name, ENGINES)}")
    kind: Callable[..., Engine] = ENGINES[name]
    if steps is None:
        return kind()
    if "steps" not in signature(kind).parameters:
        raise InputError(f"`unroll` {steps} has no effect: {name} looks back through {kind().steps} step")
    return kind(steps=steps)


def engine_name(engine: Engine) -> str:
    """The name that an engine is registered under; of another the name of its class."""
    return next((name for name, kind in ENGINES.items() if kind is type(engine)), type(engine).__name__)
