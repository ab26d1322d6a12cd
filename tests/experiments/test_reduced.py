"""CIFAR cut down, from a made-up CIFAR."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from autobalance.common import InputError
from autobalance.data import load
from experiments.reduced import halved


def test_counts_size_and_test_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    y_train, y_test = np.repeat(np.arange(10), 1000), np.arange(200) % 10
    x_train, x_test = (rng.integers(0, 256, (n, 4, 4, 3), dtype=np.uint8) for n in (10_000, 200))
    np.savez(tmp_path / "cifar10.npz", x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    monkeypatch.setenv("AUTOBALANCE_DATA", str(tmp_path))
    problem = load("experiments.reduced:small_cifar10")
    counts = problem.train.join(problem.validation).class_counts(10)
    assert counts.tolist() == [1000, 599, 359, 215, 129, 77, 46, 27, 16, 10]
    assert problem.train.x.shape[1:] == (3, 2, 2)
    assert problem.test.y.tolist() == y_test.tolist()


def test_a_pixel_is_the_mean_of_four() -> None:
    image = np.array([[[[1], [2], [0], [0]], [[3], [4], [0], [255]]]], dtype=np.uint8)[0][None]
    assert halved(image).flatten().tolist() == [2, 64]


def test_where_cifar_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision import datasets

    def missing(*arguments: object, **settings: object) -> None:
        raise RuntimeError("no connection")

    monkeypatch.setenv("AUTOBALANCE_DATA", str(tmp_path))
    monkeypatch.setattr(datasets, "CIFAR100", missing)
    with pytest.raises(InputError, match=r"cifar100\.npz"):
        load("experiments.reduced:small_cifar100")
