"""Group distributionally robust optimisation (Sagawa et al. 2020): the worst cells weigh most, found in training."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from autobalance.common import InputError
from autobalance.losses._base import Loss, check_call, check_reduction, full_precision, reduce, unreduced
from autobalance.losses._parametric import ParametricLoss


class GroupDRO(Loss):
    """Any loss with a weight for each cell, a class in a group, that grows exponentially with the cell's loss.

        L̂_c = (N / (n_c B)) Σ_{i in c} loss_i,    q_c <- q_c exp(η (L̂_c + C / √n_c)), normalised,    Σ_c q_c L̂_c

    L̂_c estimates the cell's mean loss from a batch of B samples without bias. The q are those of the present batch
    (they are updated first), carry no gradient, and stay as they are in evaluation mode. With η = 0 they stay uniform,
    and for cross-entropy the loss is that of ``group-weighted`` with the reduction ``batch_mean``.

    Sagawa et al. (algorithm 1) draw a cell first and then its samples, and their code takes the batch's mean of each
    cell. Here the batches are those that every other loss is trained on, in which a rare cell is often absent; a
    cell's expected number in the batch in place of its number keeps both the gradient and log q right on average.

    Args:
        cell_counts: n, training samples of each class in each group, (K, G), all at least 1; or of each class, (K,),
            where the cells are the classes.
        eta: η, the released code's 0.01.
        adjustment: C of the generalisation adjustment (their section 3.3), in nats; 0 is none.
        reduction: ``batch_mean`` is the formula; of the weighted losses otherwise, see `reduce`.
        class_names, group_names: for people.
        dtype: of the buffers; torch's default where None.
        base: what gives the samples' losses, copied; None: cross-entropy.

    Attributes:
        log_q: log q, of the shape of the counts.
    """

    log_q: Tensor
    counts: Tensor

    def __init__(
        self,
        cell_counts: Tensor,
        eta: float = 0.01,
        adjustment: float = 0.0,
        reduction: str = "batch_mean",
        class_names: tuple[str, ...] | None = None,
        group_names: tuple[str, ...] | None = None,
        dtype: torch.dtype | None = None,
        base: Loss | None = None,
    ) -> None:
        super().__init__()
        if not (eta >= 0 and adjustment >= 0):
            raise InputError(f"eta is {eta} and adjustment {adjustment}; both are at least 0")
        self.num_classes, self.num_groups = len(cell_counts), 0 if cell_counts.dim() == 1 else cell_counts.shape[1]
        self.base = unreduced(ParametricLoss(self.num_classes) if base is None else base)
        if self.base.num_classes != self.num_classes or self.base.num_groups not in (0, self.num_groups):
            raise InputError(
                f"the base loss has {self.base.num_classes} classes and {self.base.num_groups} groups, the counts have "
                f"{self.num_classes} and {self.num_groups}"
            )
        self.needs_features = self.base.needs_features
        self.eta, self.adjustment, self.reduction = float(eta), float(adjustment), check_reduction(reduction)
        self.class_names, self.group_names = class_names, group_names
        self.register_buffer("counts", cell_counts.to(dtype or torch.get_default_dtype()))
        self.register_buffer("log_q", torch.zeros_like(self.counts))
        self.reset()

    @property
    def start_bias(self) -> Tensor | None:
        return self.base.start_bias

    def reset(self) -> None:
        """All cells weigh the same."""
        self.log_q.fill_(-math.log(self.log_q.numel()))

    def start_epoch(self, progress: float) -> None:
        """Tells the base loss, too; at the beginning of training, forgets the weights."""
        self.base.start_epoch(progress)
        if progress == 0:
            self.reset()

    def forward(
        self, logits: Tensor, target: Tensor, group: Tensor | None = None, features: Tensor | None = None
    ) -> Tensor:
        """The loss of a batch, after an update of the weights in training mode.

        Args:
            logits: (B, K).
            target, group: (B,), int64; the group is needed where the cells have groups.
            features: as the base loss takes them.

        Raises:
            InputError: see `check_call`.
        """
        check_call(logits, target, group, self.num_classes, self.num_groups)
        losses = self.base(full_precision(logits), target, group=group, features=features)
        cell = (target,) if group is None or not self.num_groups else (target, group)
        scale = (self.counts.sum() / self.counts)[cell].to(losses.dtype)
        if self.training:
            with torch.no_grad():
                self._update((scale * losses).to(self.log_q.dtype) / len(losses), cell)
        weights = self.log_q.exp()[cell].to(losses.dtype) * scale
        return reduce(weights * losses, weights, self.reduction)

    def _update(self, parts: Tensor, cell: tuple[Tensor, ...]) -> None:
        """Moves log q by the estimates that the samples' ``parts``, (B,), add up to."""
        estimate = torch.zeros_like(self.log_q).index_put_(cell, parts, accumulate=True)
        log_q = self.log_q + self.eta * (estimate + self.adjustment * self.counts.rsqrt())
        self.log_q.copy_(log_q.flatten().log_softmax(0).view_as(log_q))

    def extra_repr(self) -> str:
        return f"{self.num_classes} classes, {self.num_groups} groups, eta={self.eta}"
