"""The geometric mean of the classes' probabilities (Du & Wu 2023): no class can be left behind."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from autobalance.losses._base import Loss, Table, check_call, full_precision


class GeometricMean(Loss):
    """Minus the logarithm of the geometric mean, over the classes of a batch, of each class's mean probability.

        L = -(1/|C|) Σ_{c in C} log( (1/n_c) Σ_{i: y_i = c} p_ic ),    p_i = softmax(z_i + log π)

    C are the classes that the batch has. The mean over a class's samples stands inside the logarithm: a class of which
    some samples are told well costs little, one of which none is costs without bound. The released code cuts each p at
    1e-5, where it has no gradient; here the logarithms are added up, and nothing is cut.

    Args:
        class_counts: training samples of each class, (K,), π but for a factor.
        dtype: of the counts; torch's default where None.
    """

    log_counts: Tensor

    def __init__(self, class_counts: Table, dtype: torch.dtype | None = None) -> None:
        super().__init__()
        counts = torch.as_tensor(class_counts, dtype=dtype or torch.get_default_dtype())
        self.num_classes, self.reduction = len(counts), "mean"
        self.register_buffer("log_counts", counts.log())

    def forward(
        self, logits: Tensor, target: Tensor, group: Tensor | None = None, features: Tensor | None = None
    ) -> Tensor:
        """The loss of a batch.

        Args:
            logits: (B, K).
            target: (B,), int64.
            group, features: ignored.

        Raises:
            InputError: see `check_call`.
        """
        check_call(logits, target, None, self.num_classes)
        logs = -F.cross_entropy(full_precision(logits) + self.log_counts, target, reduction="none")
        present, place, number = target.unique(return_inverse=True, return_counts=True)
        own = place[:, None] == torch.arange(len(present), device=target.device)
        sums = logs[:, None].masked_fill(~own, -torch.inf).logsumexp(0)
        return (number.to(sums).log() - sums).mean()
