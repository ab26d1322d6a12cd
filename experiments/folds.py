"""Folds of the training and validation samples, to judge a trial by every one of them once."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from sklearn.model_selection import StratifiedKFold

from autobalance.data import Problem, Samples
from autobalance.density import bin_index
from autobalance.errors import InputError


def stratified_folds(problem: Problem, number: int, seed: int) -> list[tuple[Samples, Samples]]:
    """Pairs of what is trained on and what is held out; each sample is held out once. Test samples are not touched.

    The samples of each class (or bin, and group of it) are spread over the folds as evenly as their number allows. A
    class of two samples is held out in two of the folds.

    Args:
        problem: its training and validation samples are joined and dealt anew.
        number: of folds, at least 2.
        seed: of the dealing.

    Raises:
        InputError: the source brings validation samples of its own; a class has a single sample, which cannot be
            trained on and held out; or none has as many samples as there are folds.
    """
    if problem.own_validation:
        raise InputError(
            f"--tune-folds {number}: {problem.name} brings validation samples of its own; leave --tune-folds out"
        )
    samples = problem.train.join(problem.validation)
    if problem.bin_edges is None:
        label = samples.y.cpu()
        if len(rare := (samples.class_counts(problem.num_classes) == 1).nonzero()):
            name = problem.class_names[int(rare[0])]
            raise InputError(f"class {name!r} has one sample, which --tune-folds cannot both train on and hold out: "
                             "leave --tune-folds out, or merge the class with another")  # fmt: skip
    else:
        label = bin_index(samples.y.cpu(), torch.tensor(problem.bin_edges, dtype=torch.float64))
    if samples.group is not None:
        label = label * (int(samples.group.max()) + 1) + samples.group.cpu()
    dealer = StratifiedKFold(number, shuffle=True, random_state=seed)
    if (largest := int(np.unique(label, return_counts=True)[1].max())) < number:
        raise InputError(f"--tune-folds {number}: the largest class has {largest} training and validation samples; "
                         "use fewer folds")  # fmt: skip
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        index = [tuple(map(torch.from_numpy, part)) for part in dealer.split(np.zeros(len(label)), label.numpy())]
    device = samples.y.device
    return [(samples.subset(rest.to(device)), samples.subset(held.to(device))) for rest, held in index]
