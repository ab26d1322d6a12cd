"""Costs of mistakes drawn at random by classes' frequencies: the objective ``random_costs(SEED)``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from autobalance.tasks.metrics import (
    Confusion,
    Context,
    Metric,
    MetricFamily,
    of_confusion,
    register_family,
    unregister,
)

COSTS = "random_costs"


def random_costs(counts: Tensor, seed: int) -> Tensor:
    """C_ij = 2 u_ij n_j / n_i for a sample of class i taken for class j, with u uniform in [0, 1]; C_ii = 0.

    So the mistake is dearer the rarer the true class and the more frequent the predicted one, and no two mistakes cost
    the same. (K, K), float64. After Domingos (1999, MetaCost, section 4), who draws from [0, 2000 P(j) / P(i)].

    Args:
        counts: n, training samples of each class, (K,).
        seed: of u.
    """
    n = counts.double().clamp_min(1)
    u = torch.rand(len(n), len(n), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (2 * u * n / n[:, None]).fill_diagonal_(0)


def _make(given: Sequence[str], context: Context) -> Metric:
    assert context.counts is not None
    costs = random_costs(context.counts, int(given[0]))

    def of(matrix: Confusion) -> Tensor:
        return (costs.to(matrix.shares) * matrix.matrix).sum()

    return Metric(
        "objective",
        f"{COSTS}({given[0]})",
        "Cost: what 100 predictions cost.",
        unit="",
        step="",
        digits=None,
        reported=False,
        **of_confusion(of),
    )


@contextmanager
def costs_known() -> Iterator[None]:
    """Within it the objective ``random_costs(SEED)`` is known; it is no part of the package."""
    register_family(MetricFamily(COSTS, "SEED", _make, "what 100 predictions cost, with costs drawn by frequency"))
    try:
        yield
    finally:
        unregister(COSTS)
