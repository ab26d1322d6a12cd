"""The dynamic cost-sensitive (CSL) term as its code was released."""

from __future__ import annotations

import torch
from torch import Tensor

from autobalance.common import InputError
from autobalance.losses._base import Loss, Table, full_precision
from autobalance.losses._csl import csl_term
from autobalance.losses._statistics import Statistics


class ReleasedStatistics(Statistics):
    """Sums of norms since training began, and the predictions of the batch before, of K classes."""

    samples: Tensor
    norm_sum: Tensor
    previous: Tensor
    batches: Tensor

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self._statistic("samples", num_classes, dtype=torch.int64)
        self._statistic("norm_sum", num_classes)
        self._statistic("previous", num_classes, dtype=torch.int64)
        self._statistic("batches", dtype=torch.int64)


class ReleasedCSL(Loss):
    """A base loss plus λ times the CSL term as its released code computes it, from each batch and a running mean of the
    logits' norms.

        γ_i = S_i / (ε + H_i (max S + ε)),   S_i = (mean |z|)²,   cost_i = γ_i n_i + r_i

    S_i: over all samples of class i since training began, from the *logits*. n_i: how many of the *batch* are predicted
    as i. H_i = -(n_i / B) log(1/B + ε): in proportion to n_i, which cancels against it, so that cost_i - r_i is about
    S_i / max S · B / log B for every n_i > 0. r_i: -2 where n_i is above that of the batch before, +2 where it is
    below, else 0.

    Unlike the released code it keeps sums instead of all logits, is silent in evaluation mode, and lets NaN be seen. It
    is no member of the family: its costs change with every batch, so that it can be neither searched nor filed.

    Args:
        base: any loss of the package.
        reward: 2 as released.
        strength: λ.
        epsilon: ε.
    """

    def __init__(self, base: Loss, reward: float = 2.0, strength: float = 1.0, epsilon: float = 1e-6) -> None:
        super().__init__()
        if not (strength >= 0 and epsilon > 0):
            raise InputError(f"strength is {strength}, at least 0 is needed; epsilon is {epsilon}, above 0 is needed")
        self.base, self.reward, self.strength, self.epsilon = base, float(reward), float(strength), float(epsilon)
        self.num_classes, self.reduction, self.num_groups = base.num_classes, base.reduction, base.num_groups
        self.class_names, self.group_names = base.class_names, base.group_names
        self.needs_features = base.needs_features
        self.statistics = ReleasedStatistics(base.num_classes)

    def reweighted(self, weight: Table) -> ReleasedCSL:
        return ReleasedCSL(self.base.reweighted(weight), self.reward, self.strength, self.epsilon)

    def start_epoch(self, progress: float) -> None:
        """Tells the base loss, too; at the beginning of training, forgets all statistics."""
        self.base.start_epoch(progress)
        self.statistics.start_epoch(progress)

    @torch.no_grad()
    def costs(self, logits: Tensor, target: Tensor) -> Tensor:
        """γ_i n_i + r_i of this batch, (K,), which is collected."""
        seen = self.statistics
        norms = torch.linalg.vector_norm(full_precision(logits), dim=1)
        seen.samples += torch.bincount(target, minlength=self.num_classes)
        seen.norm_sum.index_add_(0, target, norms.to(seen.norm_sum.dtype))
        scale = (seen.norm_sum / seen.samples.clamp_min(1)).square()
        predicted = torch.bincount(logits.argmax(1), minlength=self.num_classes)
        probability = torch.tensor(1 / len(logits), dtype=scale.dtype, device=scale.device)
        entropy = -predicted * probability * torch.log(probability + self.epsilon)
        gamma = scale / (self.epsilon + (scale.max() + self.epsilon) * entropy)
        change = torch.where(seen.batches > 0, torch.sign(predicted - seen.previous), 0)
        seen.previous.copy_(predicted)
        seen.batches += 1
        return gamma * predicted - self.reward * change

    def forward(
        self, logits: Tensor, target: Tensor, group: Tensor | None = None, features: Tensor | None = None
    ) -> Tensor:
        """The base loss plus λ times the term, which counts once a sample: B times under ``sum``.

        Args:
            logits, target, group, features: as the base loss takes them.
        """
        value = self.base(logits, target, group=group, features=features)
        if not self.training:
            return value
        term = self.strength * csl_term(logits, self.costs(logits, target), self.epsilon)
        return value + (len(logits) * term if self.reduction == "sum" else term)

    def extra_repr(self) -> str:
        return f"strength={self.strength}"
