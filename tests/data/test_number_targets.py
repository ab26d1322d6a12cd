"""Targets that are numbers: splits along the target, bins of the training split, encodings, and what is refused."""

import numpy as np
import pandas as pd
import pytest
import torch

from autobalance.common import InputError
from autobalance.data import DataOptions, load
from autobalance.data._problem import bin_names
from autobalance.data._split import ordered_split


def table(n=120, **more):
    rng = np.random.default_rng(0)
    columns = {"id": np.arange(n), "kind": rng.choice(["a", "b"], n), "price": rng.exponential(3.0, n)}
    return pd.DataFrame(columns | more)


def opened(path, frame, **options):
    frame.to_csv(path / "mine.csv", index=False)
    return load(str(path / "mine.csv"), DataOptions(**{"target": "price", "task": "regression", **options}))


def test_every_row_is_in_one_part_with_its_own_target(tmp_path):
    frame = table()
    problem = opened(tmp_path, frame)
    parts = (problem.train, problem.validation, problem.test)
    assert [len(part) for part in parts] == pytest.approx([77, 19, 24], abs=3)
    train = problem.train.x[:, 0].double().numpy()
    rows = []
    for part in parts:
        near = part.y.numpy()[:, None] - frame["price"].to_numpy(np.float32)
        rows.append(np.abs(near).argmin(1))
        assert np.abs(near).min(1).max() == 0 and part.x.shape[1] == 3
    assert sorted(np.concatenate(rows)) == list(range(120))
    ids = frame["id"].to_numpy()[rows[0]]
    np.testing.assert_allclose(train, (ids - ids.mean()) / ids.std(), atol=1e-6)


def test_bins_are_those_of_the_training_targets(tmp_path):
    problem = opened(tmp_path, table(), bins=4)
    y = problem.train.y.double()
    assert problem.bin_edges == pytest.approx(torch.linspace(y.min(), y.max(), 5, dtype=torch.float64).tolist())
    assert problem.num_classes == 4 == len(problem.class_names) and problem.num_outputs == 1
    assert problem.to("cpu").bin_edges == problem.bin_edges


def test_classification_has_as_many_outputs_as_classes():
    problem = load("digits")
    assert problem.num_outputs == 10 and problem.bin_edges is None


def test_whole_numbers_have_bins_of_their_own(tmp_path):
    problem = opened(tmp_path, table(price=np.arange(120) % 6 + 2))
    assert problem.class_names == ("2", "3", "4", "5", "6", "7")
    assert bin_names((0.0, 0.25, 1.0)) == ("0 to 0.25", "0.25 to 1")


def test_diabetes_has_one_test_split_whatever_the_seed():
    first, second = (load("diabetes", DataOptions(task="regression", seed=seed)) for seed in (0, 1))
    assert torch.equal(first.test.y, second.test.y) and not torch.equal(first.validation.y, second.validation.y)
    assert sum(len(part) for part in (first.train, first.validation, first.test)) == 442
    assert first.train.x.shape[1] == 10 and first.train.y.dtype == torch.float32
    assert first.train.x.mean(0).abs().max() < 1e-5


def test_a_seed_reproduces_and_another_draws_other_rows(tmp_path):
    drawn = [opened(tmp_path, table(), seed=seed).test.y.tolist() for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_both_parts_of_a_split_cover_the_range_alike():
    targets = np.random.default_rng(0).exponential(1.0, 1000)
    first, second = ordered_split(targets, 0.2, np.random.default_rng(1))
    assert sorted([*first, *second]) == list(range(1000)) and len(second) == 200
    order = np.sort(targets)
    for low, high in [(0, 10), (500, 510), (990, 1000)]:
        assert ((targets[second] >= order[low]) & (targets[second] <= order[high - 1])).sum() == 2


@pytest.mark.parametrize(
    ("frame", "options", "words"),
    [
        (table(), {"target": None}, "needs `target`, the column that holds the number to predict"),
        (table(), {"target": "prize"}, "no column 'prize'"),
        (table(), {"target": "kind"}, "'kind' holds no numbers, such as '[ab]'"),
        (table(price=[1.0] * 120), {}, "constant, always 1"),
        (table(price=[1.0] * 119 + [np.nan]), {}, "missing in data row 120"),
        (table(price=[1.0] * 118 + [np.inf, 2.0]), {}, "inf in data row 119"),
        (table(n=49), {}, "49 rows, too few"),
        (table()[["price"]], {}, "no column beside the target 'price'"),
        (table(), {"bins": 1}, "1 bins"),
        (table(), {"imbalance": 10.0}, "`imbalance` 10 has no effect"),
        (table(), {"validation": 1.5}, "between 0 and 1"),
        (table(), {"task": "ranking"}, "'ranking'; there are classification and regression"),
        (table(), {"task": "classification", "bins": 5}, "`bins` 5 has no effect"),
        (table(), {"task": "classification"}, "add `task` regression"),
    ],
)
def test_what_is_refused(frame, options, words, tmp_path):
    with pytest.raises(InputError, match=words):
        opened(tmp_path, frame, **options)


def test_sources_and_tasks_that_do_not_go_together():
    with pytest.raises(InputError, match=r"diabetes has numbers as targets.*`task` regression"):
        load("diabetes")
    with pytest.raises(InputError, match="digits has classes as targets, not numbers: leave `task` regression out"):
        load("digits", DataOptions(task="regression"))
    with pytest.raises(InputError, match=r"there is no file absent\.csv"):
        load("absent.csv", DataOptions(task="regression", target="y"))
    with pytest.raises(InputError, match="`target` y has no effect on diabetes"):
        load("diabetes", DataOptions(task="regression", target="y"))
