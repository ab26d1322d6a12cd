"""CIFAR through torchvision, with stand-ins for its files: long tail, folder, what is said without a network."""

from urllib.error import URLError

import numpy as np
import pytest
from torchvision import datasets

from autobalance.common import InputError
from autobalance.data import DataOptions, load


class FakeCifar:
    """What the data room uses of torchvision's class."""

    classes = ("plane", "car", "bird", "cat")
    roots: tuple[str, ...] = ()

    def __init__(self, root, train, download=False):
        FakeCifar.roots += (root,)
        self.targets = list(np.arange(400 if train else 40) % 4)
        self.data = np.random.default_rng(int(train)).integers(0, 256, (len(self.targets), 32, 32, 3), dtype=np.uint8)


def test_the_training_set_is_long_tailed_and_the_test_set_whole(monkeypatch, tmp_path):
    monkeypatch.setattr(datasets, "CIFAR10", FakeCifar)
    monkeypatch.setenv("AUTOBALANCE_DATA", str(tmp_path))
    problem = load("cifar10", DataOptions(imbalance=8))
    assert (problem.train.class_counts(4) + problem.validation.class_counts(4)).tolist() == [100, 50, 25, 12]
    assert problem.test.class_counts(4).tolist() == [10] * 4
    assert problem.class_names == FakeCifar.classes and problem.train.x.shape[1:] == (3, 32, 32)
    assert set(FakeCifar.roots) == {str(tmp_path)}
    with pytest.raises(InputError, match="class 'cat' has 1 sample"):
        load("cifar10")  # at the default of 100 one of a hundred is left


def test_without_files_and_network_the_error_says_where_they_are(monkeypatch, tmp_path):
    def no_network(*args, **kwargs):
        raise URLError("no network")

    monkeypatch.setattr(datasets.CIFAR10, "download", no_network)  # CIFAR100's too, which inherits it
    monkeypatch.setenv("AUTOBALANCE_DATA", str(tmp_path))
    for name in ("cifar10", "cifar100"):
        with pytest.raises(InputError, match=rf"{name} is not in the folder .*no network.*cs.toronto.edu"):
            load(name)
