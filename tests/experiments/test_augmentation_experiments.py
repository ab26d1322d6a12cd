"""The experiments about augmentation: their table, a run of an arm, and the time of a search."""

import json

import torch

from autobalance.data.augmentation import load_augmentation
from experiments.augmentation_gain import ARMS, run, table
from experiments.bench_augmentation import images, seconds


def row(arm, seed, error):
    return {"arm": arm, "seed": seed, "balanced_error": error}


def test_differences_are_paired_by_seed():
    rows = [row("none", 0, 10.0), row("none", 1, 20.0), row("all", 0, 9.0), row("all", 1, 17.0), row("start", 2, 5.0)]
    text = table(rows)
    assert f"| {ARMS['all'].words} | 13.00 ± 5.66 | -2.00 ± 1.41 | 2 |" in text
    assert f"| {ARMS['start'].words} | 5.00 |  | 1 |" in text
    assert ARMS["class"].words not in text


def test_an_arm_is_searched_trained_and_tested(tmp_path):
    with torch.random.fork_rng():
        found = run("digits", "all", 0, 6, tmp_path)
        without = run("digits", "none", 0, 1, tmp_path)
    assert 0 <= found["balanced_error"] <= 100 and len(found["class_error"]) == 10
    assert found["search_seconds"] > 0 and json.dumps(found)
    policy = load_augmentation(tmp_path / "all-0.json")
    torch.testing.assert_close(policy.strength, policy.strength[:1].expand_as(policy.strength))
    assert without["arm"] == "none" and not (tmp_path / "none-0.json").exists()


def test_the_benchmark_times_searches_with_and_without():
    problem = images(4, 64)
    assert problem.train.x.shape == (64, 3, 4, 4) and problem.train.class_counts(10).min() > 0
    with torch.random.fork_rng():
        taken = seconds(problem, ("l", "augment"), 30)
    assert taken["wall"] > 0 and taken["processor"] > 0
