"""A step: what is done around any training, from the loss to the finished model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from torch import nn

from autobalance.common import InputError
from autobalance.data import Samples
from autobalance.losses import Loss
from autobalance.losses.named import Range
from autobalance.study._training import Hyper, Training
from autobalance.training import Stream


@dataclass(frozen=True)
class Step:
    """What is done before, around and after a training. The parts are called in this order; None: nothing is done.

    Args:
        name: what a method's name has behind the loss: "+drw".
        title: what it does, for people.
        hyper: its hyper-parameters with the papers' values.
        ranges: where they are tuned.
        check: ``check(method name, training, model)`` raises an InputError where the step does not fit.
        loss: ``loss(loss, training)`` -> the loss to train with.
        samples: ``samples(training)`` -> the samples to train on.
        model: ``model(model, training)`` -> the model to train.
        before: ``before(model, training)``: before the training, the model in place.
        stream: ``stream(stream, training)`` -> how the batches of the training are drawn.
        after: ``after(model, training)`` -> the model to use.
        outside: its loss goes around those of the steps with a smaller number, whatever their order in a name.
    """

    name: str
    title: str
    hyper: Hyper = field(default_factory=dict)
    ranges: Mapping[str, Range] = field(default_factory=dict)
    check: Callable[[str, Training, nn.Module], None] | None = None
    loss: Callable[[Loss, Training], Loss] | None = None
    samples: Callable[[Training], Samples] | None = None
    model: Callable[[nn.Module, Training], nn.Module] | None = None
    before: Callable[[nn.Module, Training], None] | None = None
    stream: Callable[[Stream, Training], Stream] | None = None
    after: Callable[[nn.Module, Training], nn.Module] | None = None
    outside: int = 0

    @property
    def trains_alone(self) -> bool:
        """Whether a model with this step cannot be trained together with others: it does more than change the loss."""
        return any((self.samples, self.stream, self.model, self.before))


_STEPS: dict[str, Step] = {}


def register_step(step: Step) -> Step:
    """Makes a step known: its name can then stand behind any loss.

    Raises:
        InputError: there is such a step, or the name does not begin with "+".
    """
    if not step.name.startswith("+") or "+" in step.name[1:]:
        raise InputError(f"a step's name begins with + and has no other, such as +drw; got {step.name!r}")
    if step.name in _STEPS:
        raise InputError(f"there is a step {step.name} already: take another name")
    _STEPS[step.name] = step
    return step


def unregister_step(name: str) -> None:
    """Forgets a step."""
    del _STEPS[name]


def steps() -> dict[str, Step]:
    """The steps by name, in the order in which they became known."""
    return dict(_STEPS)


def without_features(step: str, loss: Loss) -> None:
    """Raises an InputError for a loss that needs features, which a step with features of its own has none for."""
    if loss.needs_features:
        raise InputError(
            f"{step} has no features for {type(loss).__name__}: take a base loss that needs none, such as ce"
        )


def needs_parts(method: str, training: Training, model: nn.Module) -> None:
    """Raises an InputError for a model without the parts body and head."""
    if not (hasattr(model, "body") and hasattr(model, "head")):
        raise InputError(f"{method} needs a model with the parts body and head, as autobalance.models have them")
