"""SMOTE for regression: rare bins are filled up with samples between neighbours."""

from __future__ import annotations

import torch

from autobalance.data import Samples
from autobalance.density import bin_index


def smoter(samples: Samples, bin_edges: torch.Tensor, seed: int, neighbours: int = 5) -> Samples:
    """The samples, and made-up ones that bring every bin that has two or more up to the bins' mean count.

    A new sample lies at a random point between a sample and one of its nearest in the same bin, in the inputs as in
    the target (SMOTE, Chawla et al. 2002, applied to binned targets; the target between both as in SMOTER, Torgo et al.
    2013). The bins stand in for SMOTER's relevance function, and frequent ones are not thinned out.

    Args:
        samples: to add to.
        bin_edges: (K + 1,).
        seed: of what is drawn.
        neighbours: how many nearest samples are drawn from.
    """
    generator = torch.Generator().manual_seed(seed)
    bins = bin_index(samples.y, bin_edges)
    counts = bins.bincount()
    wanted = round(counts[counts > 0].double().mean().item())
    made = [samples]
    for b in torch.nonzero((counts > 1) & (counts < wanted))[:, 0]:
        rows = torch.nonzero(bins == b)[:, 0]
        x, y = samples.x[rows], samples.y[rows]
        distance = torch.cdist(x, x).fill_diagonal_(torch.inf)
        near = distance.topk(min(neighbours, len(rows) - 1), largest=False).indices
        number = wanted - len(rows)
        first = torch.randint(len(rows), (number,), generator=generator)
        second = near[first, torch.randint(near.shape[1], (number,), generator=generator)]
        share = torch.rand(number, generator=generator)
        made.append(Samples(torch.lerp(x[first], x[second], share[:, None]), torch.lerp(y[first], y[second], share)))
    return Samples(torch.cat([part.x for part in made]), torch.cat([part.y for part in made]))
