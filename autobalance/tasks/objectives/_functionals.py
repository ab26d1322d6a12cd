"""From the losses of single samples to one number: what each objective averages, and over what.

Each takes the samples' losses (B,), the batch and K. With the losses of a surrogate it is what the search makes small;
with 0/1 losses it is the true metric. Classes, groups and cells that the batch has no samples of are left out.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from autobalance.data import Batch

#: Of the soft maximum over the cells, in the unit of the losses: cells whose mean losses differ by much less count
#: alike, and one that is worse by much more counts alone.
TEMPERATURE = 0.2


def error(losses: Tensor, batch: Batch, num_classes: int) -> Tensor:
    """The mean over the samples."""
    return losses.mean()


def balanced_error(losses: Tensor, batch: Batch, num_classes: int) -> Tensor:
    """The mean over the classes of the class's mean."""
    return losses @ balanced_weights(batch.y, num_classes, losses)


def group_balanced_error(losses: Tensor, batch: Batch, num_classes: int) -> Tensor:
    """The mean over the cells, a class in a group each, of the cell's mean."""
    cells, number = _cells(batch, num_classes)
    return losses @ balanced_weights(cells, number, losses)


def worst_group(losses: Tensor, batch: Batch, num_classes: int, temperature: float = TEMPERATURE) -> Tensor:
    """The soft maximum T log (1/C) Σ_c exp(L_c / T) of the C cells' mean losses L_c.

    It lies between their mean (T → ∞) and their maximum, which temperature 0 gives exactly.
    """
    means, present = cell_means(losses, batch, num_classes)
    means = means[present]
    if temperature == 0:
        return means.max()
    return temperature * (torch.logsumexp(means / temperature, 0) - math.log(len(means)))


def deo(losses: Tensor, batch: Batch, num_classes: int) -> Tensor:
    """Difference of equal opportunity: Σ_k (max_g L_kg - min_g L_kg), L_kg the mean loss of class k in group g.

    For two classes and two groups it is |L_+1 - L_+2| + |L_-1 - L_-2| (Li et al. 2021, eq. 4.1).
    """
    means, present = cell_means(losses, batch, num_classes)
    classes = present.any(1)
    highest = means.masked_fill(~present, -torch.inf)[classes].amax(1)
    lowest = means.masked_fill(~present, torch.inf)[classes].amin(1)
    return (highest - lowest).sum()


def cell_means(losses: Tensor, batch: Batch, num_classes: int) -> tuple[Tensor, Tensor]:
    """The mean loss of each class in each group, (K, G), and where the batch has samples of it, (K, G)."""
    cells, number = _cells(batch, num_classes)
    counts = cells.bincount(minlength=number)
    sums = losses.new_zeros(number).index_add(0, cells, losses)
    means = sums / counts.clamp_min(1)
    return means.view(num_classes, -1), (counts > 0).view(num_classes, -1)


def _cells(batch: Batch, num_classes: int) -> tuple[Tensor, int]:
    """Each sample's cell as one number, (B,), and how many cells there are."""
    assert batch.group is not None
    num_groups = int(batch.group.max()) + 1
    return batch.y * num_groups + batch.group, num_classes * num_groups


def balanced_weights(index: Tensor, number: int, like: Tensor) -> Tensor:
    """A weight a sample, (B,), that gives each of the ``number`` values of ``index`` that occur the same share; they
    sum to one."""
    counts = index.bincount(minlength=number).to(like)
    return 1 / (counts[index] * (counts > 0).sum())
