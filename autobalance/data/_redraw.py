"""Problems made of another problem's samples: of fewer, or of the same in another split."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from autobalance.data._long_tail import long_tail_subset
from autobalance.data._options import VALIDATION_SHARE
from autobalance.data._problem import Problem
from autobalance.data._samples import Samples
from autobalance.data._split import divide


def fewer_samples(problem: Problem, seed: int, number: int | None = None, imbalance: float | None = None) -> Problem:
    """The problem with some of its training and validation samples, a fifth of which validates; the test samples stay.

    Args:
        problem: what the samples are drawn from.
        seed: of the drawing.
        number: how many samples to keep, each class or bin in proportion; None: all.
        imbalance: of a long tail that is cut out first, in the order of the classes' frequencies; None: none is.

    Raises:
        InputError: a class has too few samples.
    """
    pool = problem.train.join(problem.validation)
    if imbalance is not None:
        rank = (-pool.class_counts(problem.num_classes)).argsort().argsort()
        kept = long_tail_subset(rank[pool.y].cpu().numpy(), imbalance, "exp", np.random.default_rng(seed))
        pool = pool.subset(torch.from_numpy(kept))
    if number is not None and number < len(pool):
        pool = _divided(problem, pool, number / len(pool), seed)[1]
    return _validated(problem, pool, seed)


def split_again(problem: Problem, seed: int) -> Problem:
    """The problem with a fifth of its training samples as validation samples; its old ones are left out."""
    return _validated(problem, problem.train, seed)


def _validated(problem: Problem, samples: Samples, seed: int) -> Problem:
    train, validation = _divided(problem, samples, VALIDATION_SHARE, seed)
    return replace(problem, train=train, validation=validation)


def _divided(problem: Problem, samples: Samples, share: float, seed: int) -> tuple[Samples, Samples]:
    """Two parts of ``samples``, each class or bin in proportion; the second has the share."""
    group = None if samples.group is None else samples.group.cpu().numpy()
    names = {"class_names": problem.class_names, "group_names": problem.group_names}
    parts = divide(samples.y.cpu().numpy(), share, np.random.default_rng(seed), group=group, **names)
    first, second = (samples.subset(torch.from_numpy(part)) for part in parts)
    return first, second
