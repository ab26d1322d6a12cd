"""The random generators that transforms of samples draw from: torch's, NumPy's and Python's own."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


class Generators:
    """Where they stand at the moment."""

    def __init__(self) -> None:
        numpy: Any = np.random.get_state()
        self.python, self.numpy, self.torch = random.getstate(), numpy, torch.get_rng_state()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Generators):
            return NotImplemented
        same = np.array_equal(self.numpy[1], other.numpy[1]) and self.numpy[2:] == other.numpy[2:]
        return same and self.python == other.python and torch.equal(self.torch, other.torch)

    def restore(self) -> None:
        """Puts them back there."""
        random.setstate(self.python)
        np.random.set_state(self.numpy)
        torch.set_rng_state(self.torch)


@contextmanager
def kept() -> Iterator[None]:
    """All of them stand as before afterwards."""
    before = Generators()
    try:
        yield
    finally:
        before.restore()


@contextmanager
def seeded_by_torch() -> Iterator[None]:
    """Within it Python's and NumPy's own generators stand where a draw of torch's says; afterwards as before."""
    python, numpy = random.getstate(), np.random.get_state()
    seed = int(torch.randint(2**32, ()))
    random.seed(seed)
    np.random.seed(seed)
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
