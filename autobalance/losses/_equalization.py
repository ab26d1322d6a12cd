"""The equalization loss, a plug-in: rare classes are spared the gradient that other classes' samples send them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from autobalance.common import InputError
from autobalance.losses._base import Loss, check_call, check_reduction, class_weights, full_precision
from autobalance.losses._base import reduce as reduce_losses
from autobalance.losses._drop_in import DropIn


class Equalization(Loss, DropIn):
    """Softmax equalization loss (Tan et al. 2020, in its form for softmax).

        loss = -w_y log(e^{z_y} / Σ_k v_k e^{z_k}),    v_k = 1 - β T_k [k ≠ y]

    T_k is 1 for the rare classes and 0 for the others. In training mode β is drawn for each sample and class from
    Bernoulli(probability), with torch's generator; in evaluation mode it is its mean, so that a value can be repeated.

    Args:
        num_classes: K.
        rare: T, booleans, (K,).
        probability: of β = 1.
        w: weights, (K,); ones where None.
        reduction: see `reduce`.
        dtype: of w.
    """

    def __init__(
        self,
        num_classes: int,
        rare: Tensor,
        probability: float = 0.9,
        w: Tensor | list | None = None,
        reduction: str = "mean",
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if rare.shape != (num_classes,) or rare.dtype != torch.bool:
            raise InputError(f"rare has shape {tuple(rare.shape)} and dtype {rare.dtype}; "
                             f"it is one boolean a class, ({num_classes},)")  # fmt: skip
        if not 0 <= probability <= 1:
            raise InputError(f"probability is {probability}; it lies between 0 and 1")
        self.num_classes, self.reduction, self.probability = num_classes, check_reduction(reduction), float(probability)
        self.rare: Tensor
        self.w: Tensor
        self.register_buffer("rare", rare.clone())
        self.register_buffer("w", class_weights(w, num_classes, dtype))

    def forward(
        self, logits: Tensor, target: Tensor, group: Tensor | None = None, features: Tensor | None = None
    ) -> Tensor:
        """The loss of ``logits`` (B, K) for ``target`` (B,); ``group`` and ``features`` are ignored.

        Raises:
            InputError: see `check_call`.
        """
        check_call(logits, target, None, self.num_classes)
        logits = full_precision(logits)
        beta = logits.new_full(logits.shape, self.probability).detach()
        if self.training:
            beta = torch.bernoulli(beta)
        beta = (beta * self.rare).scatter(1, target[:, None], 0.0)
        weights = self.w[target].to(logits.dtype)
        # log v is 0, or -inf where β = 1: those classes leave the softmax.
        losses = weights * F.cross_entropy(logits + torch.log1p(-beta), target, reduction="none")
        return reduce_losses(losses, weights, self.reduction)

    def extra_repr(self) -> str:
        return f"{self.num_classes} classes, {int(self.rare.sum())} rare, probability={self.probability}"
