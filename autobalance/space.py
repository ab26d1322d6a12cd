"""What is searched: which parameters of the loss are free, where they start, their bounds and their gauge."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from autobalance.data import Batch
from autobalance.errors import InputError
from autobalance.losses import Loss, ParametricLoss, parametric_loss

#: The parameters that can be free, each with the largest deviation from its start: of log w, of l, of log Δ.
BOUNDS: Mapping[str, float] = {"w": 3.0, "l": 10.0, "delta": 1.5}
#: What one unit of a searched number means. Δ multiplies logits that are several units large, so the same change of
#: log Δ moves a decision several times as far as a change of l.
UNITS: Mapping[str, float] = {"w": 0.5, "l": 1.0, "delta": 0.2}


def frequency_basis(class_counts: Tensor) -> Tensor:
    """log n_k less its mean, (K, 1): deviations in proportion to it are those of LA (in l), CDT (in log Δ) and
    inverse-frequency weights (in log w)."""
    logarithm = class_counts.log()
    return (logarithm - logarithm.mean())[:, None]


def class_basis(class_counts: Tensor) -> Tensor:
    """The identity, (K, K): every class deviates by itself."""
    return torch.eye(len(class_counts)).to(class_counts)


#: How the deviations of the classes are tied, by the names that ``--tie`` takes.
TIES: Mapping[str, Callable[[Tensor], Tensor]] = {"frequency": frequency_basis, "class": class_basis}


class LossSpace:
    """The losses around a start: each free parameter deviates from it along a basis over the classes.

    With the search's raw numbers a, all zero at the start, the basis B, units c and d(a) = b tanh(c B a / b), which
    is bounded by b:

        w = w⁰ exp(d(a_w)) / mean,    l = l⁰ + d(a_l) - mean,    Δ = Δ⁰ exp(d(a_Δ))

    so that w has mean one over the training samples and l has mean zero over the classes: the gauge, without which
    a constant in l and a factor in w would drift, since neither changes what is learned.

    Args:
        start: the loss at a = 0; its reduction is the one that is trained with.
        class_counts: training samples of each class, (K,).
        free: which of ``w``, ``l``, ``delta`` are searched; the others stay as they are in ``start``.
        tie: ``frequency`` (one number for each free parameter, times log n_k) or ``class`` (K numbers).

    Raises:
        InputError (a ValueError): a start that is no point of the family or has another number of classes, a class
            without training samples, nothing or something unknown that is free, an unknown tie.
    """

    def __init__(
        self,
        start: Loss,
        class_counts: Tensor,
        free: Sequence[str] = ("w", "l", "delta"),
        tie: str = "frequency",
    ) -> None:
        if not isinstance(start, ParametricLoss):
            raise InputError(
                f"a search cannot start from {type(start).__name__}: start from a loss that is a point of the family"
            )
        if unknown := [name for name in free if name not in BOUNDS]:
            raise InputError(f"{unknown[0]!r} cannot be searched; free parameters are any of {', '.join(BOUNDS)}")
        if not free:
            raise InputError(f"nothing is free to be searched; name one or more of {', '.join(BOUNDS)}")
        self.start, self.free = start, tuple(dict.fromkeys(free))
        if tie not in TIES:
            raise InputError(f"parameters cannot be tied by {tie!r}; choose one of {', '.join(TIES)}")
        if len(class_counts) != start.num_classes or (class_counts < 1).any():
            raise InputError(
                f"the loss to start from has {start.num_classes} classes, each of which needs training samples; "
                f"there are {class_counts.tolist()}"
            )
        self._basis = TIES[tie](class_counts.to(start.w))
        self._share = (class_counts / class_counts.sum()).to(start.w)

    def init(self) -> dict[str, Tensor]:
        """The raw numbers of the start, by parameter: zeros, one for each column of the basis (and each group)."""
        columns = self._basis.shape[1]
        return {name: self._basis.new_zeros(columns, *getattr(self.start, name).shape[1:]) for name in self.free}

    def parameters(self, raw: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The parameters of the loss at ``raw``, differentiable in it; without those that have no effect."""
        parameters = self.start.parameters_in_effect
        for name, value in raw.items():
            deviation = BOUNDS[name] * torch.tanh(UNITS[name] * (self._basis @ value) / BOUNDS[name])
            start = getattr(self.start, name)
            parameters[name] = start + deviation if name == "l" else start * deviation.exp()
        if "w" in parameters:
            w = parameters["w"]
            parameters["w"] = w / (self._share @ w).mean()
        if "l" in parameters:
            parameters["l"] = parameters["l"] - parameters["l"].mean(dim=0)
        return parameters

    def train_loss(self, raw: Mapping[str, Tensor], logits: Tensor, batch: Batch) -> Tensor:
        """The training loss at ``raw`` on a batch."""
        return parametric_loss(logits, batch.y, self.parameters(raw), batch.group, self.start.reduction)

    def loss(self, raw: Mapping[str, Tensor]) -> ParametricLoss:
        """The loss at ``raw`` as a module of its own."""
        return self.start.replace(**{name: value.detach() for name, value in self.parameters(raw).items()})
