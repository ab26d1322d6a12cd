"""The statistics of an epoch that set the costs of the CSL term in the next."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from autobalance.losses._base import feature_norms, full_precision
from autobalance.losses._statistics import Statistics

#: Names of the statistics that stay as they are during an epoch.
HELD = ("scale", "entropy", "share", "trend")


class CSLStatistics(Statistics):
    """What `CSL` knows of the last epoch, and sums over the present one. Memory is O(K).

    Args:
        num_classes: K.

    Attributes:
        scale: S, the semantic scale, (mean |f|)² of the samples of each class, (K,).
        entropy: H, the mean entropy of softmax(z), in nats, (K,).
        share: of the predictions, (K,).
        trend: 1 where the mean base loss rose in the last epoch, -1 where it fell, else 0.
    """

    scale: Tensor
    entropy: Tensor
    share: Tensor
    trend: Tensor
    previous_loss: Tensor
    epochs: Tensor
    samples: Tensor
    norm_sum: Tensor
    entropy_sum: Tensor
    loss_sum: Tensor
    predictions: Tensor
    judged: Tensor

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.begun = False  # whether an epoch was
        for name in ("scale", "entropy", "share"):  # frozen during an epoch
            self._statistic(name, num_classes)
        self._statistic("trend")
        self._statistic("previous_loss")
        self._statistic("epochs", dtype=torch.int64)
        for name in ("norm_sum", "entropy_sum"):  # sums over the present epoch
            self._statistic(name, num_classes)
        self._statistic("loss_sum")
        for name in ("samples", "predictions", "judged"):
            self._statistic(name, num_classes, dtype=torch.int64)

    def start_epoch(self, progress: float) -> None:
        """Turns the sums over the epoch that ended into the statistics of the one that begins. The predictions are
        those on validation samples where some were counted, else those on training samples."""
        super().start_epoch(progress)
        self.begun = True
        total = self.samples.sum()
        if total == 0:
            return
        self.scale.copy_((self.norm_sum / self.samples.clamp_min(1)).square())
        self.entropy.copy_(self.entropy_sum / self.samples.clamp_min(1))
        predictions = self.judged if self.judged.any() else self.predictions
        self.share.copy_(predictions.double() / predictions.sum())
        loss = self.loss_sum / total
        if self.epochs > 0:
            self.trend.copy_(torch.sign(loss - self.previous_loss))
        self.previous_loss.copy_(loss)
        self.epochs += 1
        for running in (self.samples, self.predictions, self.judged, self.norm_sum, self.entropy_sum, self.loss_sum):
            running.zero_()

    @torch.no_grad()
    def observe(self, logits: Tensor, target: Tensor, features: Tensor | None, loss: Tensor) -> None:
        """Adds training samples.

        Args:
            logits: (B, K).
            target: (B,).
            features: (B, D) or their L2 norms, (B,); None: the logits stand in for them, as released.
            loss: the sum of the base loss over the samples.
        """
        norms = feature_norms(logits if features is None else features, len(logits), 2, "the CSL term")
        log_p = torch.log_softmax(full_precision(logits), dim=1)
        entropy = -(log_p.exp() * log_p).sum(1)
        self.samples += torch.bincount(target, minlength=self.num_classes)
        self.predictions += torch.bincount(logits.argmax(1), minlength=self.num_classes)
        self.norm_sum.index_add_(0, target, norms.to(self.norm_sum.dtype))
        self.entropy_sum.index_add_(0, target, entropy.to(self.entropy_sum.dtype))
        self.loss_sum += loss

    @torch.no_grad()
    def count(self, logits: Tensor) -> None:
        """Counts what validation samples are predicted as, from their logits, (B, K)."""
        self.judged += torch.bincount(logits.argmax(1), minlength=self.num_classes)

    @property
    def held(self) -> dict[str, Tensor]:
        """What stays as it is during an epoch, by the names that `CSL.value` knows it by."""
        return held_of(dict(self.named_buffers()))


def held_of(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same of a ``state_dict`` of such statistics."""
    return {f"csl_{name}": state[name] for name in HELD}


def importance(held: Mapping[str, Tensor], floor: Tensor, epsilon: float) -> Tensor:
    """γ_i = S_i / (ε + max(H_i, h) max S), (K,), differentiable in h.

    Args:
        held: see `CSLStatistics.held`.
        floor: h, in nats.
        epsilon: ε.
    """
    scale, entropy = held["csl_scale"], torch.maximum(held["csl_entropy"], floor.to(held["csl_entropy"]))
    return scale / (epsilon + scale.max() * entropy)
