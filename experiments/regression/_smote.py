"""SMOTE for regression: rare bins are filled up with samples between neighbours."""

from __future__ import annotations

import numpy as np
import torch

from autobalance.common import InputError
from autobalance.common.density import bin_index
from autobalance.data import Samples


def smote(samples: Samples, bin_edges: torch.Tensor, seed: int, neighbours: int = 5) -> Samples:
    """The samples, and made-up ones that bring every bin that has two or more up to the bins' mean count.

    imbalanced-learn's SMOTE (Chawla et al. 2002) with the bins as classes, bin by bin, on the inputs and the target
    (in standard deviations) together: a new sample lies at a random point between a sample and one of its nearest in
    the same bin, in the inputs as in the target, as SMOTER's do (Torgo et al. 2013). The bins stand in for SMOTER's
    relevance function, and frequent ones are not thinned out.

    Args:
        samples: to add to; vectors.
        bin_edges: (K + 1,).
        seed: of what is drawn.
        neighbours: how many nearest samples are drawn from; fewer where a bin has fewer.

    Raises:
        InputError: the inputs are no vectors.
    """
    from imblearn.over_sampling import SMOTE

    if len(samples.shape) != 1:
        raise InputError(f"smote draws between vectors; the samples have shape {samples.shape}")
    x = samples.all().x
    bins = bin_index(samples.y, bin_edges).cpu().numpy()
    counts = np.bincount(bins)
    wanted = round(counts[counts > 0].mean())
    spread = samples.y.double().std().item()
    joined = np.c_[x.cpu().double().numpy(), samples.y.cpu().double().numpy() / spread]
    made = []
    for b in np.flatnonzero((counts > 1) & (counts < wanted)):
        near = min(neighbours, counts[b] - 1)
        sampler = SMOTE(sampling_strategy={True: int(wanted)}, random_state=(seed + b) % 2**32, k_neighbors=near)
        made.append(sampler.fit_resample(joined, bins == b)[0][len(joined) :])
    if not made:
        return samples
    new = torch.from_numpy(np.concatenate(made))
    return samples.join(Samples(new[:, :-1].to(x), (new[:, -1] * spread).to(samples.y)))
