"""Samples that stand in two parts of a problem: a test that a model has seen the answers of."""

from __future__ import annotations

from hashlib import blake2b

from torch import Tensor

from autobalance.data._problem import Problem
from autobalance.data._samples import Samples


def repeated_samples(problem: Problem) -> dict[str, dict[str, int]]:
    """How many samples of a part have the inputs of one that is trained on.

    Args:
        problem: whose inputs are in memory; of images on disk nothing is known.

    Returns:
        for "validation", against the training samples, and for "test", against what the final trainings see, where
        there are some: ``samples``, how many they are, and ``other_target``, for how many of these no twin has the same
        target.
    """
    found = {}
    seen: dict[bytes, set[float]] = {}
    for part, before in (("validation", problem.train), ("test", problem.final_training)):
        seen = _targets_by_input(before)
        twins = [(target, seen[key]) for key, target in _keyed(getattr(problem, part)) if key in seen]
        if twins:
            found[part] = {"samples": len(twins), "other_target": sum(target not in others for target, others in twins)}
    return found


def _targets_by_input(samples: Samples) -> dict[bytes, set[float]]:
    found: dict[bytes, set[float]] = {}
    for key, target in _keyed(samples):
        found.setdefault(key, set()).add(target)
    return found


def _keyed(samples: Samples) -> list[tuple[bytes, float]]:
    """A digest of each sample's inputs, and its target."""
    if not isinstance(samples.x, Tensor):
        return []
    rows = samples.x.flatten(1).cpu().numpy()
    return [
        (blake2b(row.tobytes(), digest_size=16).digest(), y) for row, y in zip(rows, samples.y.tolist(), strict=True)
    ]
