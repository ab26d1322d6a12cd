"""Equalization: rare classes are spared the gradient that other classes' samples send them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from autobalance.common import InputError
from autobalance.losses._base import full_precision
from autobalance.losses._drop_in import DropIn
from autobalance.losses._family import fixed
from autobalance.losses._member import Member
from autobalance.losses._modified import Modified

#: What is added to v where a strength is differentiated: at v = 0 its logarithm has no derivative, the loss has one.
NEARLY_NONE = 1e-20


def rare_classes(class_counts: Tensor, threshold: float | None = None) -> Tensor:
    """T, booleans, (K,): the classes whose share of the samples is below ``threshold``, by default half of a class's
    mean share, 0.5 / K: for 100 classes, 0.005."""
    share = class_counts / class_counts.sum()
    return share < (0.5 / len(share) if threshold is None else threshold)


class Equalization(Modified, DropIn):
    """Softmax equalization loss (Tan et al. 2020, in its form for softmax) of any member of the classification family.

        loss = base(z + log v),    v_k = 1 - s β T_k [k ≠ y];    with weighted cross-entropy, as published,
        loss = -w_y log(e^{z_y} / Σ_k v_k e^{z_k})

    T_k is 1 for the rare classes and 0 for the others. In training mode β is drawn for each sample and class from
    Bernoulli(probability), with torch's generator; in evaluation mode it is its mean, so that a value can be repeated.
    The strength s is 1 as published.

    Args:
        base: a member of the classification family.
        rare: T, booleans, (K,).
        equalization: s, from 0 to 1.
        probability: of β = 1.
    """

    kind = "equalization"
    numbers: ClassVar[Mapping[str, float]] = {"equalization": 1.0}
    most = 1.0
    settings = ("rare", "probability")

    equalization: Tensor
    rare: Tensor

    def __init__(
        self, base: Member, rare: Tensor | Sequence[bool], equalization: float = 1.0, probability: float = 0.9
    ) -> None:
        super().__init__(base, {"equalization": equalization})
        rare = torch.as_tensor(rare)
        if rare.shape != (base.num_classes,) or rare.dtype != torch.bool:
            raise InputError(f"rare has shape {tuple(rare.shape)} and dtype {rare.dtype}; "
                             f"it is one boolean a class, ({base.num_classes},)")  # fmt: skip
        if not 0 <= probability <= 1:
            raise InputError(f"probability is {probability}; it lies between 0 and 1")
        self.probability = float(probability)
        self.register_buffer("rare", rare.clone())

    @classmethod
    def absent(cls, base: Member, class_counts: Tensor) -> Equalization:
        """See `Modified.absent`.

        Raises:
            InputError: no class is rare.
        """
        rare = rare_classes(class_counts)
        if not rare.any():
            raise InputError("equalization has no effect here: no class has less than half of a class's mean share of "
                             "the samples")  # fmt: skip
        return cls(base, rare.to(base.w.device), 0.0)

    def losses(
        self,
        output: Tensor,
        target: Tensor,
        parameters: Mapping[str, Tensor],
        group: Tensor | None = None,
        features: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        return self.base.losses(self._spared(output, target, parameters), target, parameters, group, features)

    def value(
        self,
        output: Tensor,
        target: Tensor,
        parameters: Mapping[str, Tensor],
        group: Tensor | None = None,
        features: Tensor | None = None,
    ) -> Tensor:
        return self.base.value(self._spared(output, target, parameters), target, parameters, group, features)

    def _spared(self, logits: Tensor, target: Tensor, parameters: Mapping[str, Tensor]) -> Tensor:
        """z + log v."""
        strength = parameters.get(self.kind)
        if strength is None:
            return logits
        logits = full_precision(logits)
        beta = logits.new_full(logits.shape, self.probability).detach()
        if self.training:
            beta = torch.bernoulli(beta)
        beta = (beta * self.rare).scatter(1, target[:, None], 0.0)
        amount = strength.to(logits.dtype) * beta
        # log v is 0, or -inf where s β = 1: those classes leave the softmax.
        return logits + (torch.log1p(-amount) if fixed(strength) else torch.log(1 - amount + NEARLY_NONE))

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, {int(self.rare.sum())} of {self.num_classes} rare"
