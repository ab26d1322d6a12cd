""".npz files: every sample ends up in one part, long tails, own validation, groups, errors."""

import numpy as np
import pytest
import torch

from autobalance.common import InputError
from autobalance.data import DataOptions, load


def arrays(per_class=20, **more):
    """Samples whose first feature is a number of their own, so that they can be followed through the splits."""
    y = np.repeat([0, 1, 2], per_class)
    parts = {}
    for i, part in enumerate(("train", "test")):
        x = np.random.default_rng(i).normal(size=(len(y), 4))
        x[:, 0] = np.arange(len(y)) + 1000 * i
        parts |= {f"x_{part}": x, f"y_{part}": y}
    return parts | more


def save(path, **given):
    np.savez(path / "mine.npz", **given)
    return str(path / "mine.npz")


def numbers(problem, given):
    """The first features of each part, with the standardisation undone."""
    parts = (problem.train, problem.validation, problem.test)
    kept = np.concatenate([given["x_train"][:, 0], given["x_test"][:, 0]])
    low, high = min(p.x[:, 0].min() for p in parts), max(p.x[:, 0].max() for p in parts)
    span = (kept.max() - kept.min()) / (high - low)
    return [sorted(((p.x[:, 0] - low) * span + kept.min()).round().int().tolist()) for p in parts]


def test_the_parts_are_disjoint_and_complete(tmp_path):
    given = arrays()
    problem = load(save(tmp_path, **given), DataOptions(validation=0.25))
    train, validation, test = numbers(problem, given)
    assert sorted(train + validation) == list(range(60)) and test == list(range(1000, 1060))
    assert problem.validation.class_counts(3).tolist() == [5, 5, 5]
    assert problem.name == "mine" and problem.class_names == ("0", "1", "2")
    torch.testing.assert_close(problem.train.x.mean(0), torch.zeros(4), atol=1e-6, rtol=0)


def test_an_imbalance_thins_out_the_training_samples_only(tmp_path):
    problem = load(save(tmp_path, **arrays()), DataOptions(imbalance=4))
    counts = problem.train.class_counts(3) + problem.validation.class_counts(3)
    assert counts.tolist() == [20, 10, 5] and problem.test.class_counts(3).tolist() == [20] * 3


def test_validation_samples_of_the_file_are_used(tmp_path):
    given = arrays(x_val=np.ones((3, 4)), y_val=np.arange(3), class_names=np.array(["a", "b", "c"]))
    path = save(tmp_path, **given)
    problem = load(path)
    assert len(problem.train) == 60 and problem.validation.y.tolist() == [0, 1, 2]
    assert len(problem.final_training) == 60 and len(load(save(tmp_path, **arrays())).final_training) == 60
    path = save(tmp_path, **given)
    assert problem.class_names == ("a", "b", "c")
    with pytest.raises(InputError, match=r"`validation` .* has no effect .* there are validation samples already"):
        load(path, DataOptions(validation=0.3))


def test_groups_are_kept_beside_their_samples(tmp_path):
    group = np.arange(60) % 2
    given = arrays(group_train=group, group_test=group)
    problem = load(save(tmp_path, **given), DataOptions(seed=3))
    cells = (problem.validation.y * 2 + problem.validation.group).bincount()
    assert cells.tolist() == [2] * 6  # a fifth of the ten samples that each class has in each group
    for part in (problem.train, problem.validation, problem.test):
        # the first feature counts up by one, the group is its parity; the seed moves neither apart
        order = part.x[:, 0].argsort()
        step = (problem.test.x[1, 0] - problem.test.x[0, 0]).item()
        number = ((part.x[order, 0] - problem.test.x[0, 0]) / step).round().int()
        assert torch.equal(number % 2, part.group[order].int())


def without(given, *names):
    return {k: v for k, v in given.items() if k not in names}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (without(arrays(), "y_test"), "has no array y_test; it holds x_test, x_train, y_train"),
        ({"X": np.ones((3, 4)), "y": np.ones(3)}, "has no array x_train; it holds X, y"),
        (arrays(x_val=np.ones((3, 4))), "has no array y_val"),
        (arrays(group_train=np.arange(60) % 2), "group_test is missing although group_train is there"),
        (arrays(group_test=np.arange(60) % 2), "group_train is missing although group_test is there"),
        (arrays(per_class=1), "class '0' has 1 sample, too few to split"),
        (arrays(class_names=np.array(["a", "a", "b"])), "class_names has 2 different names"),
        (arrays(y_train=np.array(list("abc") * 20, dtype=object)), "damaged or holds objects"),
    ],
)
def test_bad_files(tmp_path, given, message):
    with pytest.raises(InputError, match=message):
        load(save(tmp_path, **given))


def test_torn_and_foreign_files(tmp_path):
    path = save(tmp_path, **arrays())
    whole = (tmp_path / "mine.npz").read_bytes()
    for content in (b"", whole[: len(whole) // 2], b"PK\x03\x04 nonsense", whole[:600] + b"\x00" * 99 + whole[699:]):
        (tmp_path / "mine.npz").write_bytes(content)
        with pytest.raises(InputError, match=r"mine.npz cannot be read"):
            load(path)
    np.save(tmp_path / "bare.npy", np.ones(3))
    (tmp_path / "bare.npy").rename(tmp_path / "bare.npz")
    with pytest.raises(InputError, match="holds one bare array"):
        load(str(tmp_path / "bare.npz"))


def test_options_without_effect(tmp_path):
    path = save(tmp_path, **arrays())
    with pytest.raises(InputError, match="`target` y has no effect"):
        load(path, DataOptions(target="y"))
    with pytest.raises(InputError, match="`imbalance_type` step has no effect without `imbalance`"):
        load(path, DataOptions(imbalance_type="step"))


def test_group_names_go_with_the_groups(tmp_path):
    given = arrays(group_train=np.arange(60) % 2, group_test=np.arange(60) % 2)
    assert load(save(tmp_path, **given)).group_names == ("0", "1")
    assert load(save(tmp_path, **given, group_names=np.array(["day", "night"]))).group_names == ("day", "night")
    with pytest.raises(InputError, match="group_names has 1 different names, but the samples have 2 groups"):
        load(save(tmp_path, **given, group_names=np.array(["day", "day"])))
    with pytest.raises(InputError, match="has group_names but no groups"):
        load(save(tmp_path, **arrays(), group_names=np.array(["day", "night"])))
