"""Group distributionally robust optimisation (Sagawa et al. 2020): the worst cells weigh most, found in training."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from autobalance.common import InputError
from autobalance.losses._base import Loss, check_call, check_reduction, full_precision, reduce


class GroupDRO(Loss):
    """Cross-entropy with a weight for each cell, a class in a group, that grows exponentially with the cell's loss.

        L̂_c = (N / (n_c B)) Σ_{i in c} -log p_y,    q_c <- q_c exp(η (L̂_c + C / √n_c)), normalised,    Σ_c q_c L̂_c

    L̂_c estimates the cell's mean loss from a batch of B samples without bias. The q are those of the present batch
    (they are updated first), carry no gradient, and stay as they are in evaluation mode. With η = 0 they stay uniform,
    and the loss is that of ``group-weighted`` with the reduction ``batch_mean``.

    Sagawa et al. (algorithm 1) draw a cell first and then its samples, and their code takes the batch's mean of each
    cell. Here the batches are those that every other loss is trained on, in which a rare cell is often absent; a
    cell's expected number in the batch in place of its number keeps both the gradient and log q right on average.

    Args:
        cell_counts: n, training samples of each class in each group, (K, G), all at least 1.
        eta: η, the released code's 0.01.
        adjustment: C of the generalisation adjustment (their section 3.3), in nats; 0 is none.
        reduction: ``batch_mean`` is the formula; of the weighted losses otherwise, see `reduce`.
        class_names, group_names: for people.
        dtype: of the buffers; torch's default where None.

    Attributes:
        log_q: log q, (K, G).
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
    ) -> None:
        super().__init__()
        if not (eta >= 0 and adjustment >= 0):
            raise InputError(f"eta is {eta} and adjustment {adjustment}; both are at least 0")
        self.num_classes, self.num_groups = cell_counts.shape
        self.eta, self.adjustment, self.reduction = float(eta), float(adjustment), check_reduction(reduction)
        self.class_names, self.group_names = class_names, group_names
        self.register_buffer("counts", cell_counts.to(dtype or torch.get_default_dtype()))
        self.register_buffer("log_q", torch.zeros_like(self.counts))
        self.reset()

    def reset(self) -> None:
        """All cells weigh the same."""
        self.log_q.fill_(-math.log(self.log_q.numel()))

    def start_epoch(self, progress: float) -> None:
        """At the beginning of training, forgets the weights."""
        if progress == 0:
            self.reset()

    def forward(
        self, logits: Tensor, target: Tensor, group: Tensor | None = None, features: Tensor | None = None
    ) -> Tensor:
        """The loss of a batch, after an update of the weights in training mode.

        Args:
            logits: (B, K).
            target, group: (B,), int64.
            features: ignored.

        Raises:
            InputError: see `check_call`.
        """
        check_call(logits, target, group, self.num_classes, self.num_groups)
        losses = torch.nn.functional.cross_entropy(full_precision(logits), target, reduction="none")
        scale = (self.counts.sum() / self.counts)[target, group].to(losses.dtype)
        if self.training:
            with torch.no_grad():
                self._update((scale * losses).to(self.log_q.dtype) / len(losses), target, group)
        weights = self.log_q.exp()[target, group].to(losses.dtype) * scale
        return reduce(weights * losses, weights, self.reduction)

    def _update(self, parts: Tensor, target: Tensor, group: Tensor | None) -> None:
        """Moves log q by the estimates that the samples' ``parts``, (B,), add up to."""
        estimate = torch.zeros_like(self.log_q).index_put_((target, group), parts, accumulate=True)
        log_q = self.log_q + self.eta * (estimate + self.adjustment * self.counts.rsqrt())
        self.log_q.copy_(log_q - log_q.logsumexp((0, 1)))

    def extra_repr(self) -> str:
        return f"{self.num_classes} classes, {self.num_groups} groups, eta={self.eta}"
