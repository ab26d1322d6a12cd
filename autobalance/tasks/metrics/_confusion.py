"""Metrics of the confusion matrix: soft, of a softmax, and exact, of the largest logit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from autobalance.data import Batch
from autobalance.tasks.metrics._largest import Largest, Outputs
from autobalance.tasks.metrics._losses import Forms
from autobalance.tasks.metrics._metric import Context, predicted, soft_maximum

#: Temperature of soft maxima over error rates where nothing else is said.
MAXIMUM = 0.05


@dataclass(frozen=True)
class Confusion:
    """How often samples of each class (in each group) are predicted as each class; all as shares of the samples.

    The whole table is built where it is asked for: the rest takes N K numbers, however many classes there are. In what
    follows G is 1 without groups. Of a soft confusion matrix each sample is divided over the classes as its softmax is.

    Args:
        cells: samples of each class in each group, (K, G).
        right: those of them that are predicted rightly, (K, G).
        answers: samples of each group that are predicted as each class, (K, G).
        table: () -> (K, K, G), the samples of each class (first) that are predicted as each class (second).
        maximum: temperature of `largest`.
    """

    cells: Tensor
    right: Tensor
    answers: Tensor
    table: Callable[[], Tensor]
    maximum: float = 0.0

    @property
    def shares(self) -> Tensor:
        """Of each class, (K,)."""
        return self.cells.sum(1)

    @property
    def predicted(self) -> Tensor:
        """How often each class is predicted, (K,)."""
        return self.answers.sum(1)

    @property
    def hits(self) -> Tensor:
        """How often each class occurs and is predicted, (K,)."""
        return self.right.sum(1)

    @property
    def present(self) -> Tensor:
        """Whether there are samples of each class, (K,), bool."""
        return self.shares > 0

    @property
    def matrix(self) -> Tensor:
        """The table over all groups, (K, K)."""
        return self.table().sum(2)

    @property
    def recalls(self) -> Tensor:
        """Of the C classes that have samples, (C,)."""
        return self.hits[self.present] / self.shares[self.present]

    def recall(self, k: int) -> Tensor:
        """Of class k; 0 where it has no samples."""
        return ratio(self.hits[k], self.shares[k])

    def precision(self, k: int) -> Tensor:
        """Of class k; 0 where it is not predicted."""
        return ratio(self.hits[k], self.predicted[k])

    def f(self, beta: float = 1.0) -> Tensor:
        """F_β = (1 + β²) hits / (β² samples + predictions) of each class, (K,); 0 of a class with neither."""
        return ratio((1 + beta**2) * self.hits, beta**2 * self.shares + self.predicted)

    def largest(self, values: Tensor, known: Tensor | None = None) -> Tensor:
        """The maximum of values, (..., C) -> (...), of those that are ``known``; soft where the matrix is."""
        return soft_maximum(values, self.maximum, known)

    def range(self, values: Tensor, known: Tensor | None = None) -> Tensor:
        """The largest less the smallest of values, (..., C) -> (...), of those that are ``known``."""
        return self.largest(values, known) + self.largest(-values, known)


def ratio(part: Tensor, whole: Tensor) -> Tensor:
    """part / whole, 0 where the whole is 0."""
    return part / whole.clamp_min(torch.finfo(whole.dtype).tiny)


def soft_matrix(
    output: Outputs, batch: Batch, context: Context, temperature: float = 1.0, maximum: float = 0.0
) -> Confusion:
    """The confusion matrix of predictions that are drawn from softmax(output / temperature); differentiable.

    Args:
        output: logits, (N, K), or the largest of them.
        batch: the samples, of which only y and group are looked at.
        context: of the samples.
        temperature: of the softmax.
        maximum: of soft maxima, see `soft_maximum`.
    """
    if isinstance(output, Largest):
        return _of_largest(output, batch, context, temperature, maximum)
    p = torch.softmax(output / temperature, 1)
    index, group, groups = _cells(batch, context)
    classes, share = p.shape[1], _share(batch, context, p)

    def over_cells(values: Tensor) -> Tensor:
        values = values * share.view(-1, *[1] * (values.dim() - 1))
        return values.new_zeros(classes * groups, *values.shape[1:]).index_add(0, index, values)

    return Confusion(
        cells=over_cells(torch.ones_like(p[:, 0].detach())).view(classes, groups),
        right=over_cells(p.gather(1, batch.y[:, None])[:, 0]).view(classes, groups),
        answers=p.new_zeros(groups, classes).index_add(0, group, p * share[:, None]).T,
        table=lambda: over_cells(p).view(classes, groups, classes).transpose(1, 2),
        maximum=maximum,
    )


def _of_largest(output: Largest, batch: Batch, context: Context, temperature: float, maximum: float) -> Confusion:
    """The same, with the softmax over the logits that were kept alone."""
    p = torch.softmax(output.values / temperature, 1)
    index, group, groups = _cells(batch, context)
    classes, share = output.classes, _share(batch, context, p)

    def added(values: Tensor, at: Tensor, number: int) -> Tensor:
        return values.new_zeros(number).index_add(0, at.flatten(), values.flatten())

    def table() -> Tensor:
        whole = added(p * share[:, None], index[:, None] * classes + output.index, classes * groups * classes)
        return whole.view(classes, groups, classes).transpose(1, 2)

    return Confusion(
        cells=added(share, index, classes * groups).view(classes, groups),
        right=added(p.gather(1, output.own[:, None])[:, 0] * share, index, classes * groups).view(classes, groups),
        answers=added(p * share[:, None], group[:, None] * classes + output.index, groups * classes)
        .view(groups, classes)
        .T,
        table=table,
        maximum=maximum,
    )


def exact_matrix(output: Outputs, batch: Batch, context: Context) -> Confusion:
    """The confusion matrix of logits, (N, K), or of predicted classes, (N,), in float64."""
    answer, classes = predicted(output), context.num_classes
    index, group, groups = _cells(batch, context)
    share = _share(batch, context, torch.empty(0, dtype=torch.float64, device=output.device))
    right = answer == batch.y

    def counted(of: Tensor, of_share: Tensor, *shape: int) -> Tensor:
        return of.bincount(of_share, minlength=torch.Size(shape).numel()).view(shape)

    return Confusion(
        cells=counted(index, share, classes, groups),
        right=counted(index[right], share[right], classes, groups),
        answers=counted(answer * groups + group, share, classes, groups),
        table=lambda: counted((batch.y * classes + answer) * groups + group, share, classes, classes, groups),
    )


def _cells(batch: Batch, context: Context) -> tuple[Tensor, Tensor, int]:
    """Each sample's cell y G + g, (N,), its group, (N,), and how many groups there are."""
    groups = max(1, context.num_groups)
    group = torch.zeros_like(batch.y) if batch.group is None else batch.group
    return batch.y * groups + group, group, groups


def _share(batch: Batch, context: Context, like: Tensor) -> Tensor:
    """How much each sample counts, (N,), 1 in all."""
    if not context.equal_shares:
        return like.new_full((len(batch.y),), 1 / len(batch.y))
    counts = batch.y.bincount()
    return 1 / (counts.to(like)[batch.y] * (counts > 0).sum())


def of_confusion(of: Callable[[Confusion], Tensor]) -> Forms:
    """The forms of a metric of the confusion matrix.

    Args:
        of: gives a scalar, small where it is good; rates as shares.
    """

    def exact(output: Outputs, batch: Batch, context: Context) -> float:
        return 100 * of(exact_matrix(output, batch, context)).item()

    def soft(output: Outputs, batch: Batch, context: Context) -> Tensor:
        return of(soft_matrix(output, batch, context, maximum=MAXIMUM))

    def soft_confusion(output: Outputs, batch: Batch, context: Context, temperature: float, maximum: float) -> Tensor:
        return of(soft_matrix(output, batch, context, temperature, maximum))

    return {
        "exact": exact,
        "of_classes": True,
        "of_largest": True,
        "soft": soft,
        "soft_confusion": soft_confusion,
        "surrogates": {},
    }
