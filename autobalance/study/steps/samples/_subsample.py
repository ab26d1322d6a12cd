"""Subsampling to the smallest class, or cell (Idrissi et al. 2022): as many samples of each, the rest unused."""

from __future__ import annotations

import torch

from autobalance.data import Samples, stratum
from autobalance.study._training import Training
from autobalance.study.steps._step import Step, register_step


def _even(training: Training) -> Samples:
    """As many samples of each class (or cell, or bin) as there are of the smallest; the seed draws them."""
    cells = torch.from_numpy(stratum(training.samples, training.setting.problem.bin_edges))
    _, place, counts = cells.unique(return_inverse=True, return_counts=True)
    shuffled = torch.randperm(len(cells), generator=torch.Generator().manual_seed(training.seed))
    kept = [shuffled[place[shuffled] == cell][: int(counts.min())] for cell in range(len(counts))]
    return training.samples.subset(torch.cat(kept).sort().values)


register_step(Step("+subsample", "as many samples of each class or cell as there are of the smallest", samples=_even))
