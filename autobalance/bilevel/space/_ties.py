"""How the deviations of the classes are tied to one another: all of them, some, or none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from autobalance.common import InputError


class Tie(Protocol):
    """Deviations d_k = Σ_c B_kc a_c of K classes (in each of G groups), from C numbers a (for each group)."""

    @property
    def reach(self) -> Tensor:
        """max_k Σ_c B_kc, a scalar; of the absolute values."""

    def numbers(self) -> Tensor:
        """a at zero, (C,) or (C, G)."""

    def spread(self, numbers: Tensor) -> Tensor:
        """d, (K,) or (K, G), differentiable."""


@dataclass(frozen=True)
class Tied:
    """Tied by a matrix.

    Args:
        basis: B, (K, C), or one for each group, (K, C, G).
    """

    basis: Tensor

    @property
    def reach(self) -> Tensor:
        """See `Tie`."""
        return self.basis.abs().sum(1).max()

    def numbers(self) -> Tensor:
        """See `Tie`."""
        return self.basis.new_zeros(self.basis.shape[1:])

    def spread(self, numbers: Tensor) -> Tensor:
        """See `Tie`."""
        return torch.einsum("kc...,c...->k...", self.basis.to(numbers), numbers)


@dataclass(frozen=True)
class Untied:
    """Every class, or every cell, deviates by itself: B is the identity, which of many classes would fill the memory.

    Args:
        counts: of the classes, (K,), or cells, (K, G).
    """

    counts: Tensor

    @property
    def reach(self) -> Tensor:
        """See `Tie`."""
        return self.counts.new_ones(())

    def numbers(self) -> Tensor:
        """See `Tie`."""
        return torch.zeros_like(self.counts)

    def spread(self, numbers: Tensor) -> Tensor:
        """See `Tie`."""
        return numbers


def frequency_basis(counts: Tensor) -> Tensor:
    """log n_k less its mean, (K, 1): deviations in proportion to it are those of LA (in l), CDT (in log Δ) and
    inverse-frequency weights (in log w). For counts (K, G) the same of the cells, (K, 1, G): each group has a factor of
    its own, and the same factor for all groups gives group-LA, group-VS and group-balanced weights."""
    logarithm = counts.log()
    return (logarithm - logarithm.mean()).unsqueeze(1)


def cluster_basis(counts: Tensor, size: int) -> Tensor:
    """Membership in clusters of ``size`` classes that are next to one another by frequency, (K, ⌈K / size⌉), or with
    a last dimension G: the classes of a cluster deviate as one (Li et al. 2021; sizes of 10 on CIFAR-100, 20 on
    ImageNet-LT, 40 on iNaturalist)."""
    total = counts if counts.dim() == 1 else counts.sum(1)
    if not 1 <= size < len(total):
        raise InputError(f"{len(total)} classes cannot be tied in clusters of {size}: give from 1 to {len(total) - 1}")
    rank = total.argsort(descending=True, stable=True).argsort()
    members = torch.eye(-(-len(total) // size)).to(counts)[rank // size]
    return members if counts.dim() == 1 else members[:, :, None].expand(-1, -1, counts.shape[1])


#: How the deviations of the classes are tied, by name: as their frequencies, or not at all.
TIES: Mapping[str, Callable[[Tensor], Tie]] = {
    "frequency": lambda counts: Tied(frequency_basis(counts)),
    "class": Untied,
}
#: Before the number of classes in a cluster.
CLUSTER = "cluster:"


def tie_of(tie: str, counts: Tensor) -> Tie:
    """The tie of a name: one of `TIES`, or ``cluster:C``.

    Args:
        tie: its name.
        counts: samples of each class, (K,), or cell, (K, G), at least one of each, floating.

    Raises:
        InputError: neither, or clusters that cannot be.
    """
    if tie.startswith(CLUSTER) and tie.removeprefix(CLUSTER).isdecimal():
        return Tied(cluster_basis(counts, int(tie.removeprefix(CLUSTER))))
    if tie not in TIES:
        raise InputError(f"parameters cannot be tied by {tie!r}; choose one of {', '.join(TIES)} and {CLUSTER}C")
    return TIES[tie](counts)
