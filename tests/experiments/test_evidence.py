"""The evidence: its statistics against the papers' formulas, its plan, and a run from end to end on small problems."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

from autobalance.common import InputError, read_yaml
from autobalance.data import Batch, Samples
from autobalance.tasks.metrics import Context
from autobalance.tasks.objectives import make_objective
from experiments.evidence import readme as readme_module
from experiments.evidence.__main__ import main
from experiments.evidence._bars import BARS
from experiments.evidence._costs import costs_known, random_costs
from experiments.evidence._plan import Margin, read
from experiments.evidence._statistics import corrected_p, probabilities
from experiments.evidence._verdict import against, pairs, ranks
from experiments.evidence._ways import IMPROVED, improved
from experiments.suite._options import PLANS

PLAN = Path(__file__).parent / "evidence_plan.yaml"


def test_the_corrected_test_is_a_t_test_with_a_larger_variance():
    differences = [1.0, 2.5, 0.5, 1.5, -0.5]
    plain = stats.ttest_1samp(differences, 0.0)
    assert corrected_p(differences, 0.0) == pytest.approx(plain.pvalue)
    t = plain.statistic * math.sqrt((1 / 5) / (1 / 5 + 0.25))
    assert corrected_p(differences, 0.25) == pytest.approx(2 * stats.t.sf(t, 4))
    assert corrected_p([0.0, 0.0, 0.0], 0.2) == 1 and corrected_p([2.0, 2.0], 0.2) is None
    assert corrected_p([1.0], 0.2) is None


def test_its_level_holds_where_training_sets_overlap():
    """Splits that share training samples have differences that share a part: a plain test finds too much."""
    generator, found, plain = np.random.default_rng(0), 0, 0
    share = 0.25  # the correlation of the splits' differences is n_test / (n_test + n_train)
    rho = share / (1 + share)
    for _ in range(1500):
        common = math.sqrt(rho) * generator.normal()
        differences = (common + math.sqrt(1 - rho) * generator.normal(size=10)).tolist()
        found += corrected_p(differences, share) < 0.05
        plain += stats.ttest_1samp(differences, 0.0).pvalue < 0.05
    assert found / 1500 < 0.07 and plain / 1500 > 0.12


def test_probabilities_over_problems():
    better, same, worse = probabilities([-0.2, -0.1, -0.15, -0.3, -0.12, -0.2], 0.03)
    assert better > 0.95 and worse < 0.01 and better + same + worse == pytest.approx(1)
    assert probabilities([0.2, 0.1, 0.15, 0.3, 0.12, 0.2], 0.03)[::-1] == pytest.approx((better, same, worse), abs=0.02)
    assert probabilities([0.001, -0.002, 0.0, 0.01, -0.01], 0.03)[1] > 0.99


def figures(ours, rival, splits=10):
    generator = np.random.default_rng(1)
    found = {}
    for problem, (a, b) in enumerate(zip(ours, rival, strict=True)):
        noise = generator.normal(0, 0.5, splits)
        own = generator.normal(0, 0.1, splits)
        found[f"p{problem}"] = {
            "ours": [{"figure": a + n + o, "cost": 5.0, "test_share": 0.25} for n, o in zip(noise, own, strict=True)],
            "rival": [{"figure": b + n, "cost": 1.0, "test_share": 0.25} for n in noise],
        }
    return found


def test_what_is_better_the_same_and_worse():
    found = figures([20.0, 30.0, 40.0, 50.0], [25.0, 30.1, 36.0, 50.05])
    words = {name: pair.word for name, pair in pairs(found, "ours", "rival", Margin(1.0, 0.03)).items()}
    assert words["p0"] == "better" and words["p2"] == "worse" and words["p3"] == "same"
    its = against(found, "rival", Margin(1.0, 0.03))
    assert its.beyond_worse == ["p2"] and its.count("better") == 1
    assert ranks(found, ["ours", "rival"]) == {"ours": 1.25, "rival": 1.75}


def test_the_bars_say_where_they_are_missed():
    its = against(figures([20.0, 30.0, 40.0, 50.0], [25.0, 30.1, 36.0, 50.05]), "rival", Margin(1.0, 0.03))
    (never_beyond, probable), (better_on_half, never_worse) = ([bar.check(its) for bar in BARS[name]] for name in "AB")
    assert never_beyond == (False, "1 of 4: p2") and never_worse == (False, "1 of 4: p2")
    assert not probable[0] and better_on_half == (False, "1 of 4: p0")
    better = against(figures([20.0, 30.0, 40.0], [25.0, 35.0, 40.05]), "rival", Margin(1.0, 0.03))
    assert all(bar.check(better)[0] for bars in BARS.values() for bar in bars)
    assert [bar.check(better)[1] for bar in BARS["C"]] == ["2 of 3: p0, p1", "0 of 3"]


def test_readme_has_the_tables_of_the_pages():
    readme = readme_module.README.read_text()
    assert readme_module.renewed(readme, readme_module.kept_pages()) == readme


def test_a_table_of_all_pages():
    pages = [f"# Track\n\n## In short\n\n| a | b |\n|---|---|\n| {x} | 1 / 2 |\n\nmore | of it\n" for x in "pq"]
    made = "| a | b |\n| --- | ---: |\n| p | 1 / 2 |\n| q | 1 / 2 |\n"
    old = f"one\n{readme_module.BEGIN}old\n{readme_module.END}two\n"
    assert readme_module.renewed(old, pages) == f"one\n{readme_module.BEGIN}{made}{readme_module.END}two\n"


def test_numbers_have_no_margin_in_points():
    margin = Margin(1.0, 0.03)
    assert margin.of("numbers", "worst_bin") == margin.of("classes", "random_costs(0)") == Margin(0.0, 0.03)
    assert margin.of("classes", "macro_f1") == margin


def test_costs_are_drawn_by_frequency():
    counts = torch.tensor([400, 100, 20])
    drawn = torch.stack([random_costs(counts, seed) for seed in range(800)])
    expected = (counts / counts[:, None].double()).fill_diagonal_(0)
    torch.testing.assert_close(drawn.mean(0), expected, rtol=0.08, atol=0)
    assert (drawn <= 2 * expected).all() and torch.equal(drawn[3], random_costs(counts, 3))
    logits, y = torch.eye(3)[[0, 1, 1, 0]], torch.tensor([0, 1, 2, 1])
    with costs_known():
        metric = make_objective("random_costs(7)", Context(3, counts=counts)).metric
    costs = random_costs(counts, 7)
    assert metric(logits, Batch(logits, y)) == pytest.approx(100 * (costs[2, 1] + costs[1, 0]).item() / 4)


def test_the_control_puts_a_known_share_of_mistakes_right():
    logits = torch.randn(900, 3, generator=torch.Generator().manual_seed(0))
    y = torch.arange(900) % 3
    samples = Samples(torch.zeros(900, 1), y)
    better = improved(logits, samples, 0)
    for k in range(3):
        before, after = ((each.argmax(1) != k)[y == k].sum().item() for each in (logits, better))
        assert after == before - round(before * IMPROVED)
    errors = (improved(logits[:, 0], Samples(samples.x, y.float()), 0) - y).abs()
    torch.testing.assert_close(errors, (1 - IMPROVED) * (logits[:, 0] - y).abs())


def test_the_plan_that_is_committed_can_be_read(tmp_path):
    tracks = read_yaml(PLANS / "evidence.yaml")["tracks"]
    assert {name: len(track["problems"]) for name, track in tracks.items()} == {"A": 16, "B": 12, "C": 12, "D": 8}
    for track in tracks.values():
        assert 2 * sum(problem.get("seen", False) for problem in track["problems"]) <= len(track["problems"])
    plan = read(PLANS / "evidence.yaml", tmp_path, tmp_path, ["D"], ["quake", "laser"])
    assert [entry.name for entry in plan.tracks[0].problems] == ["laser", "quake"] and len(plan.hash) == 12
    with pytest.raises(InputError, match="no track 'X'; it has A, B, C, D"):
        read(PLANS / "evidence.yaml", tmp_path, tmp_path, ["X"])


def test_a_run_from_end_to_end_goes_on_and_writes_pages(tmp_path, capsys):
    asked = ["--plan", str(PLAN), "--out", str(tmp_path), "--tracks", "B", "--only", "contraceptive"]
    assert main([*asked, "--splits", "1", "--workers", "2"]) == 0
    ways = json.loads((tmp_path / "B" / "contraceptive-0-ways.json").read_text())["result"]
    assert ways["random_costs(0)"]["figures"]["ours"] != ways["worst_class"]["figures"]["ours"]
    result = ways["worst_class"]
    assert set(result["figures"]) == {
        *("la", "again", "ours", "AutoBalance", "TPE", "CMA-ES", "ce", "ce + offsets", "la + offsets", "improved"),
    }
    assert result["figures"]["improved"] < result["figures"]["la"] and result["cost"]["ours"] > 1
    models = json.loads((tmp_path / "B" / "contraceptive-0-models.json").read_text())["result"]
    assert {"gradient boosting", "balanced forest", "easy ensemble"} < set(models["worst_class"])
    page = (tmp_path / "evidence-B.md").read_text()
    assert (
        "1 of 2 splits" in page
        and "| contraceptive (seen) |" in page
        and (tmp_path / "evidence-B-worst_class.svg").exists()
    )
    assert "Above best fixed by more than the margin, significantly or not: " in page
    before = (tmp_path / "B" / "contraceptive-0-ways.json").read_bytes()
    kept = tmp_path / "kept"
    assert main([*asked, "--splits", "1", "--pages", "--kept", str(kept)]) == 0
    capsys.readouterr()
    other = [*asked[:3], str(tmp_path / "other"), *asked[4:], "--splits", "1", "--kept", str(kept)]
    assert main(other) == 0  # nothing is left to do
    assert (kept / "evidence-B.jsonl").exists() and "3 cells are taken from" in capsys.readouterr().out
    assert (tmp_path / "other" / "evidence-B.md").read_text() == page
    assert main([*asked, "--splits", "1", "--pages"]) == 0
    assert (tmp_path / "B" / "contraceptive-0-ways.json").read_bytes() == before
    assert "evidence-B.md" in capsys.readouterr().out
