"""The augmentation that a run found, in files."""

import numpy as np
import torch

from autobalance.cli._found_files import SHOWN_COPIES, save_augmentation_found, shown_samples
from autobalance.data import Samples
from autobalance.data.augmentation import Policy, load_augmentation

K = 5


def policy():
    return Policy("image", {"brightness": [0.8] * K, "noise": torch.linspace(0, 0.5, K)},
                  {"brightness": [0.5] * K, "noise": [1.0] * K})  # fmt: skip


def samples():
    y = torch.repeat_interleave(torch.arange(K), torch.tensor([20, 10, 6, 3, 2]))
    return Samples(torch.randn(len(y), 3, 8, 8, generator=torch.Generator().manual_seed(0)), y)


def test_shown_samples_are_of_classes_from_the_most_frequent_to_the_rarest():
    part = samples()
    classes, originals, copies = shown_samples(policy(), part, 0)
    assert classes == [0, 1, 3, 4]
    for place, k in enumerate(classes):
        own = part.x[part.y == k].half()
        assert (own == originals[place]).flatten(1).all(1).any()
        assert copies[place].shape == (SHOWN_COPIES, 3, 8, 8)
        assert (copies[place] != originals[place]).any()
    again = shown_samples(policy(), part, 0)
    assert torch.equal(again[2], copies)


def test_images_that_the_report_shows_are_kept_beside_the_policy(tmp_path):
    class Made:
        """Stands for a problem."""

        train = samples()

    save_augmentation_found(policy(), Made, 0, tmp_path, {})
    assert load_augmentation(tmp_path / "augmentation.json").operations == ("brightness", "noise")
    with np.load(tmp_path / "augmented.npz", allow_pickle=False) as file:
        assert file["classes"].tolist() == [0, 1, 3, 4]
        assert file["samples"].shape == (4, 3, 8, 8) and file["copies"].shape == (4, SHOWN_COPIES, 3, 8, 8)
