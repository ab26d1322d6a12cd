"""Pictures on grounds that mislead: what becomes of pixels, how many of each class are on which ground, refusals."""

import numpy as np
import pytest
import torch

from autobalance.common import InputError
from autobalance.data import DataOptions, load

NUMBER = {"train": 60, "test": 12}


@pytest.fixture
def pictures(tmp_path):
    """Two classes of bytes, 10 x 10, in an .npz file."""
    rng, arrays = np.random.default_rng(0), {}
    for part, number in NUMBER.items():
        arrays[f"x_{part}"] = rng.integers(0, 256, (2 * number, 10, 10)).astype(np.uint8)
        arrays[f"y_{part}"] = np.arange(2).repeat(number)
    arrays["x_train"][0, 0, 0] = arrays["x_test"][0, 0, 0] = 255
    path = tmp_path / "pictures.npz"
    np.savez(path, **arrays)
    return str(path), arrays


@pytest.mark.parametrize("kind, groups", [("negative", 2), ("frame:3", 3), ("colour:4", 4)])
def test_each_class_is_on_its_own_ground_in_training_and_on_any_in_the_test(pictures, kind, groups):
    path, _ = pictures
    problem = load(path, DataOptions(ground=kind, ground_ratio=4, validation=0.25))
    assert len(problem.group_names) == groups
    everything = problem.train.join(problem.validation)
    own = [k * groups // 2 for k in range(2)]
    counts = everything.cell_counts(2, groups)
    for k in range(2):
        assert counts[k, own[k]] == 48, "four of five"
        others = [int(counts[k, g]) for g in range(groups) if g != own[k]]
        assert sum(others) == 12 and max(others) - min(others) <= 1
    assert (problem.test.cell_counts(2, groups) == 12 // groups).all()
    assert torch.equal(problem.test.y.bincount(), torch.tensor([12, 12]))


def test_pixels(pictures):
    path, arrays = pictures
    for kind in ("negative", "frame:3", "colour:3"):
        problem = load(path, DataOptions(ground=kind, ground_ratio=4))
        x, group, given = problem.test.x.double(), problem.test.group, torch.from_numpy(arrays["x_test"]).double()
        if kind == "negative":
            expected = torch.where(group[:, None, None] == 1, 255 - given, given)[:, None]
        elif kind == "frame:3":
            expected = given[:, None].clone()
            shade = torch.tensor([0.0, 128.0, 255.0])[group].double()[:, None, None]
            for side in (np.s_[:, :, :1], np.s_[:, :, -1:], np.s_[:, :, :, :1], np.s_[:, :, :, -1:]):
                expected[side] = shade[..., None].expand_as(expected)[side]
        else:
            tint = torch.tensor([[0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5]]).double()[group][:, :, None, None]
            expected = torch.round(given[:, None] + (255 - given[:, None]) * tint)
        # standardised by channel with one mean and one scale: a line through all pixels
        for channel in range(x.shape[1]):
            line = np.polyfit(expected[:, channel].flatten(), x[:, channel].flatten(), 1)
            torch.testing.assert_close(line[0] * expected[:, channel] + line[1], x[:, channel], atol=0.02, rtol=0)
            assert line[0] > 0.005


def test_the_seed_draws_which_pictures_are_on_another_ground(pictures):
    groups = [
        load(pictures[0], DataOptions(ground="frame", ground_ratio=4, seed=seed)).train.group for seed in (0, 0, 1)
    ]
    assert torch.equal(groups[0], groups[1]) and not torch.equal(groups[0], groups[2])


@pytest.mark.parametrize(
    "given, words",
    [
        ({"ground": "water"}, "no `ground` is called 'water'; there are negative, frame, colour"),
        ({"ground": "negative:3"}, "are always two"),
        ({"ground": "colour:1"}, "must be two or more"),
        ({"ground": "colour:many"}, "such as colour:3"),
        ({"ground": "frame", "ground_ratio": 0.5}, "`ground_ratio` 0.5 is below 1"),
        ({"ground_ratio": 5.0}, "`ground_ratio` 5 has no effect on samples without `ground`"),
        ({"ground": "frame", "task": "regression"}, "`ground` frame has no effect on a regression"),
    ],
)
def test_what_cannot_be(pictures, given, words):
    with pytest.raises(InputError) as error:
        load(pictures[0], DataOptions(**given))
    assert words in str(error.value)


def test_only_images_without_groups_are_put_on_grounds(tmp_path, pictures):
    table = {f"{name}_{part}": value for part in NUMBER for name, value in
             (("x", np.random.default_rng(0).normal(size=(20, 3))), ("y", np.arange(2).repeat(10)))}  # fmt: skip
    np.savez(tmp_path / "table.npz", **table)
    with pytest.raises(InputError, match=r"needs images, but the samples are of shape \(3,\)"):
        load(str(tmp_path / "table.npz"), DataOptions(ground="frame"))
    arrays = dict(pictures[1])
    np.savez(tmp_path / "negative.npz", **{**arrays, "x_train": arrays["x_train"].astype(float) - 1})
    with pytest.raises(InputError, match="values from 0 up"):
        load(str(tmp_path / "negative.npz"), DataOptions(ground="frame"))
    for part, number in NUMBER.items():
        arrays[f"group_{part}"] = np.arange(2 * number) % 2
    np.savez(tmp_path / "grouped.npz", **arrays)
    with pytest.raises(InputError, match="the data have groups already"):
        load(str(tmp_path / "grouped.npz"), DataOptions(ground="frame"))
    with pytest.raises(InputError, match="`ground` frame has no effect on digits-groups"):
        load("digits-groups", DataOptions(ground="frame"))
