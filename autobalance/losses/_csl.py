"""The dynamic cost-sensitive (CSL) term added to any loss: as its paper describes it, and as its code was released."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor

from autobalance.common import InputError
from autobalance.losses._base import Loss, Table, feature_norms, full_precision


def csl_term(logits: Tensor, cost: Tensor, epsilon: float = 1e-6) -> Tensor:
    """The term of equation 2: (1/K) Σ_i cost_i² / (Σ_b |z_b - e_i|² + ε), a scalar.

    Args:
        logits: z, (B, K).
        cost: γ_i N_i + r, (K,), without gradient.
        epsilon: ε.
    """
    logits = full_precision(logits)
    distance = (logits.square().sum() - 2 * logits.sum(0) + len(logits)).clamp_min(0)
    return (cost.to(logits.dtype).square() / (distance + epsilon)).mean()


class CostSensitive(Loss):
    """Base of the variants: a base loss, and in training mode the term with costs that the variant gives.

    In evaluation mode the loss is the base loss, and nothing is collected. The statistics keep their precision when the
    module is moved with ``.to(dtype)``.

    Args:
        base: any loss of the package.
        strength: λ, a factor of the term.
        epsilon: of the denominators.
    """

    def __init__(self, base: Loss, strength: float = 1.0, epsilon: float = 1e-6) -> None:
        super().__init__()
        if not (strength >= 0 and epsilon > 0):
            raise InputError(f"strength is {strength}, at least 0 is needed; epsilon is {epsilon}, above 0 is needed")
        self.base, self.strength, self.epsilon = base, float(strength), float(epsilon)
        self.num_classes, self.reduction, self.num_groups = base.num_classes, base.reduction, base.num_groups
        self.class_names, self.group_names = base.class_names, base.group_names

    def with_base(self, base: Loss) -> CostSensitive:
        """The same term, with its statistics so far, on another base loss of as many classes."""
        other = deepcopy(self)
        other.base = base
        return other

    def reweighted(self, weight: Table) -> CostSensitive:
        return self.with_base(self.base.reweighted(weight))

    def reset(self) -> None:
        """Forgets all statistics."""
        for buffer in self.buffers(recurse=False):
            buffer.zero_()

    def start_epoch(self, progress: float) -> None:
        """Tells the base loss, too; at the beginning of training, forgets all statistics."""
        self.base.start_epoch(progress)
        if progress == 0:
            self.reset()

    def costs(self, logits: Tensor, target: Tensor, features: Tensor | None, value: Tensor) -> Tensor:
        """γ_i N_i + r for a training batch, (K,); collects the batch's statistics. ``value``: of the base loss."""
        raise NotImplementedError

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
        with torch.no_grad():
            costs = self.costs(logits, target, features, value)
        term = self.strength * csl_term(logits, costs, self.epsilon)
        return value + (len(logits) * term if self.reduction == "sum" else term)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        exact = dict(self._buffers)
        super()._apply(fn, recurse)
        for name, buffer in exact.items():
            if buffer is not None:
                self._buffers[name] = buffer.to(self._buffers[name].device)  # type: ignore[union-attr]
        return self

    def _statistic(self, name: str, *shape: int, dtype: torch.dtype = torch.float64) -> None:
        self.register_buffer(name, torch.zeros(shape, dtype=dtype))

    def extra_repr(self) -> str:
        return f"strength={self.strength}"


class CSL(CostSensitive):
    """The CSL term of the paper: statistics of one epoch set the costs of the next.

        γ_i = S_i / (ε + max(H_i, h) max S),   S_i = (mean |f|)²,   cost_i = γ_i N_i + r

    S_i, the semantic scale, and H_i, the mean entropy of softmax(z), are over the training samples of class i in the
    last epoch; N_i is how often the model predicted class i in it, counted per mini-batch: B times the class's share of
    the predictions, for a batch of B. r is -k after an epoch whose mean base loss was lower than the one's before, +k
    after a higher one, and 0 at first. In the first epoch there is no term.

    Memory is O(K). ``state_dict`` has all statistics: training goes on exactly from one that was saved after an epoch.

    Source: "Long tail classification through cost-sensitive loss functions" (anonymous, under review in 2024), eq. 1
    and 2, algorithm 1. ``docs/losses.md`` says where text and algorithm differ, and what is taken.

    Args:
        base, strength, epsilon: see `CostSensitive`.
        reward: k.
        entropy_floor: h, in nats, an addition to the paper. Its γ (h = 0) has no bound as the model grows sure of a
            class; the term then inflates the logits, which lowers the entropy further, until training diverges.
    """

    needs_features = True

    def __init__(
        self,
        base: Loss,
        reward: float = 2.0,
        strength: float = 1.0,
        epsilon: float = 1e-6,
        entropy_floor: float = 0.1,
    ) -> None:
        super().__init__(base, strength, epsilon)
        if not entropy_floor >= 0:
            raise InputError(f"entropy_floor is {entropy_floor}; at least 0 is needed")
        self.reward, self.entropy_floor = float(reward), float(entropy_floor)
        # Frozen during an epoch:
        self._statistic("gamma", self.num_classes)
        self._statistic("share", self.num_classes)
        self._statistic("reinforcement")
        self._statistic("previous_loss")
        self._statistic("epochs", dtype=torch.int64)
        # Sums over the present epoch:
        self._statistic("samples", self.num_classes, dtype=torch.int64)
        self._statistic("predictions", self.num_classes, dtype=torch.int64)
        self._statistic("norm_sum", self.num_classes)
        self._statistic("entropy_sum", self.num_classes)
        self._statistic("loss_sum")

    gamma: Tensor
    share: Tensor
    reinforcement: Tensor
    previous_loss: Tensor
    epochs: Tensor
    samples: Tensor
    predictions: Tensor
    norm_sum: Tensor
    entropy_sum: Tensor
    loss_sum: Tensor

    def start_epoch(self, progress: float) -> None:
        """Turns the statistics of the epoch that ended into the costs of the one that begins."""
        super().start_epoch(progress)
        total = self.samples.sum()
        if total == 0:
            return
        scale = (self.norm_sum / self.samples.clamp_min(1)).square()
        entropy = (self.entropy_sum / self.samples.clamp_min(1)).clamp_min(self.entropy_floor)
        self.gamma.copy_(scale / (self.epsilon + scale.max() * entropy))
        self.share.copy_(self.predictions.double() / total)
        loss = self.loss_sum / total
        if self.epochs > 0:
            self.reinforcement.copy_(self.reward * torch.sign(loss - self.previous_loss))
        self.previous_loss.copy_(loss)
        self.epochs += 1
        for running in (self.samples, self.predictions, self.norm_sum, self.entropy_sum, self.loss_sum):
            running.zero_()

    def costs(self, logits: Tensor, target: Tensor, features: Tensor | None, value: Tensor) -> Tensor:
        """γ_i N_i + r from the last epoch. Without ``features`` the logits stand in for them, as released."""
        batch = len(logits)
        norms = feature_norms(logits if features is None else features, batch, 2, "the CSL term")
        log_p = torch.log_softmax(full_precision(logits), dim=1)
        entropy = -(log_p.exp() * log_p).sum(1)
        self.samples += torch.bincount(target, minlength=self.num_classes)
        self.predictions += torch.bincount(logits.argmax(1), minlength=self.num_classes)
        self.norm_sum.index_add_(0, target, norms.to(self.norm_sum.dtype))
        self.entropy_sum.index_add_(0, target, entropy.to(self.entropy_sum.dtype))
        self.loss_sum += value.sum() if self.reduction in ("none", "sum") else batch * value
        return self.gamma * self.share * batch + self.reinforcement


class ReleasedCSL(CostSensitive):
    """The CSL term as its released code computes it, from each batch and a running mean of the logits' norms.

        γ_i = S_i / (ε + H_i (max S + ε)),   S_i = (mean |z|)²,   cost_i = γ_i n_i + r_i

    S_i: over all samples of class i since training began, from the *logits*. n_i: how many of the *batch* are predicted
    as i. H_i = -(n_i / B) log(1/B + ε): in proportion to n_i, which cancels against it, so that cost_i - r_i is about
    S_i / max S · B / log B for every n_i > 0. r_i: -2 where n_i is above that of the batch before, +2 where it is
    below, else 0.

    Unlike the released code it keeps sums instead of all logits, is silent in evaluation mode, and lets NaN be seen.

    Args:
        base, strength: see `CostSensitive`; ε is 1e-6.
        reward: 2 as released.
    """

    def __init__(self, base: Loss, reward: float = 2.0, strength: float = 1.0, epsilon: float = 1e-6) -> None:
        super().__init__(base, strength, epsilon)
        self.needs_features, self.reward = base.needs_features, float(reward)
        self._statistic("samples", self.num_classes, dtype=torch.int64)
        self._statistic("norm_sum", self.num_classes)
        self._statistic("previous", self.num_classes, dtype=torch.int64)
        self._statistic("batches", dtype=torch.int64)

    samples: Tensor
    norm_sum: Tensor
    previous: Tensor
    batches: Tensor

    def costs(self, logits: Tensor, target: Tensor, features: Tensor | None, value: Tensor) -> Tensor:
        """γ_i n_i + r_i of this batch."""
        norms = torch.linalg.vector_norm(full_precision(logits), dim=1)
        self.samples += torch.bincount(target, minlength=self.num_classes)
        self.norm_sum.index_add_(0, target, norms.to(self.norm_sum.dtype))
        scale = (self.norm_sum / self.samples.clamp_min(1)).square()
        predicted = torch.bincount(logits.argmax(1), minlength=self.num_classes)
        probability = torch.tensor(1 / len(logits), dtype=scale.dtype, device=scale.device)
        entropy = -predicted * probability * torch.log(probability + self.epsilon)
        gamma = scale / (self.epsilon + (scale.max() + self.epsilon) * entropy)
        change = torch.where(self.batches > 0, torch.sign(predicted - self.previous), 0)
        self.previous.copy_(predicted)
        self.batches += 1
        return gamma * predicted - self.reward * change
