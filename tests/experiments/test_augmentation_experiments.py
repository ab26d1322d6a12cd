"""The experiments about augmentation: their table, a run of an arm, and the time of a search."""

import json

import torch

from autobalance.data.augmentation import load_augmentation
from experiments.augmentation_gain import ARMS, main, table
from experiments.bench_augmentation import images, seconds


def row(arm, seed, error):
    return {"arm": arm, "seed": seed, "balanced_error": error}


def test_differences_are_paired_by_seed():
    rows = [row("none", 0, 10.0), row("none", 1, 20.0), row("all", 0, 9.0), row("all", 1, 17.0), row("start", 2, 5.0)]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table(rows).splitlines()]
    assert [ARMS["all"].words, "13.00 ± 5.66", "-2.00 ± 1.41", "2"] in cells
    assert [ARMS["start"].words, "5.00", "", "1"] in cells
    assert ARMS["class"].words not in table(rows)


def test_arms_are_searched_trained_and_tested_once(tmp_path, capsys):
    arguments = ["--data", "digits", "--epochs", "6", "--seeds", "1", "--arms", "all,none", "--out", str(tmp_path)]
    main(arguments)
    first = capsys.readouterr().out
    found = json.loads((tmp_path / "runs" / "all-0.json").read_text())["result"]
    assert 0 <= found["balanced_error"] <= 100 and len(found["class_error"]) == 10
    policy = load_augmentation(tmp_path / "all-0.json")
    torch.testing.assert_close(policy.strength, policy.strength[:1].expand_as(policy.strength))
    assert not (tmp_path / "none-0.json").exists()
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").iterdir()}
    main(arguments)
    assert {path: path.stat().st_mtime_ns for path in written} == written and capsys.readouterr().out == first


def test_the_benchmark_times_searches_with_and_without():
    problem = images(4, 64)
    assert problem.train.x.shape == (64, 3, 4, 4) and problem.train.class_counts(10).min() > 0
    with torch.random.fork_rng():
        taken = seconds(problem, ("l", "augment"), 30)
    assert taken["wall"] > 0 and taken["processor"] > 0
