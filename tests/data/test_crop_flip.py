"""Random crops and mirror images."""

import pytest
import torch

from autobalance.data import crop_and_flip


def candidates(image, padding):
    """Every crop of one image, plain and mirrored, by slicing."""
    _, height, width = image.shape
    padded = torch.zeros(image.shape[0], height + 2 * padding, width + 2 * padding)
    padded[:, padding : padding + height, padding : padding + width] = image
    crops = [
        padded[:, top : top + height, left : left + width]
        for top in range(2 * padding + 1)
        for left in range(2 * padding + 1)
    ]
    return crops + [crop.flip(2) for crop in crops]


@pytest.mark.parametrize("shape", [(3, 5, 7), (1, 4, 4)])
def test_every_result_is_a_crop_and_all_crops_occur(shape):
    image = torch.randn(shape)
    found = crop_and_flip(image.expand(2000, *shape), torch.Generator().manual_seed(0), padding=2)
    possible = torch.stack(candidates(image, 2))
    which = torch.cdist(found.flatten(1), possible.flatten(1), compute_mode="donot_use_mm_for_euclid_dist").min(1)
    assert which.values.max() == 0
    counts = which.indices.bincount(minlength=len(possible))
    assert counts.min() > 0 and counts.max() < 100  # 40 each on average


def test_images_differ_and_the_generator_decides():
    x = torch.randn(64, 3, 8, 8)
    one, same, other = (crop_and_flip(x, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
