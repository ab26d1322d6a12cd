"""The verdict: the objective first, what it costs, who gains and who pays, and how sure that is."""

import json
from dataclasses import asdict
from io import StringIO

import pytest
from make_run import result
from rich.console import Console

from autobalance.study.report import verdict, verdict_lines

BETTER = {"searched": [6.9, 7.2, 7.5], "ce": [12.0, 11.0, 13.0], "la": [8.0, 8.2, 8.4]}
KEPT = {"chosen": "la", "best_fixed": "la", "margin": -1.0, "interval": [-2.0, 0.5], "confidence": 0.1}


def plain(text):
    return text.replace("\u00a0", " ")


def content(classes, by_method, stds=None, **more):
    """A run whose errors of ``classes`` are given for each method, and their standard deviations."""
    names = list(classes)
    made = result({method: [1.0, 1.2, 1.1] for method in by_method}, len(names), names=names)
    for method, errors in by_method.items():
        entry = made["test"][method]
        entry["class_error"], entry["class_error_std"] = errors, (stds or {}).get(method, [0.0] * len(names))
    return {**made, **more}


# The objective first


def test_the_objective_comes_first_with_the_plain_loss_the_start_and_yours():
    made = result(BETTER)
    found = verdict(made)
    assert plain(found.headline) == (
        "Balanced error: 12.0 ± 1.0 % with cross-entropy, 8.2 ± 0.2 % with logit adjustment (τ = 1), "
        "7.2 ± 0.3 % with your loss."
    )
    assert found.lines[0] == found.headline and found.best_fixed == "la"
    out = StringIO()
    Console(file=out, width=500).print(verdict_lines(made))
    assert [line.rstrip() for line in out.getvalue().splitlines()] == found.lines


def test_the_best_fixed_loss_is_named_beside_the_start():
    headline = plain(verdict(result({**BETTER, "weighted": [7.9, 8.0, 8.1], "cdt": [9.0, 9.1, 9.2]})).headline)
    assert headline.count(" with ") == 4 and "8.0 ± 0.1 % with inverse-frequency weights" in headline


def test_a_loss_that_was_not_chosen_is_not_yours():
    found = verdict({**result(BETTER), **KEPT})
    assert "with the chosen logit adjustment (τ = 1), 7.2 ± 0.3 % with the searched loss." in plain(found.headline)
    assert found.kept and found.badge == "Kept: logit adjustment (τ = 1)" and found.kind == "better"
    assert found.sure.startswith("The searched loss is 1.0 points below")


def test_small_differences_get_a_decimal_more():
    assert "8.20 ± 0.20 %" in plain(verdict(result({**BETTER, "searched": [8.1, 8.2, 8.25]})).headline)


def test_an_objective_of_several_parts_stands_as_it_was_written():
    made = result(BETTER)
    made["objective"] = "0.5*balanced_error + 0.5*error"
    for entry in made["test"].values():
        entry |= {"objective": 9.0, "objective_std": 0.1, "objective_by_seed": [9.0, 9.1, 8.9]}
    assert verdict(made).headline.startswith("0.5*balanced_error + 0.5*error: 9.0")


# How sure


@pytest.mark.parametrize(
    ("searched", "kind", "sentence"),
    [
        (
            [6.9, 7.2, 7.5],
            "better",
            "1.0 points below the best fixed loss, logit adjustment (τ = 1): more than the combined standard deviation "
            "of 0.36 points over 3 seeds, and lower with all of them.",
        ),
        (
            [6.9, 7.2, 8.6],
            "same",
            "0.63 points below the best fixed loss, logit adjustment (τ = 1): within the combined standard deviation "
            "of 0.93 points over 3 seeds.",
        ),
        ([8.1, 8.4, 8.3], "same", "0.067 points above the best fixed loss, logit adjustment (τ = 1): within"),
        ([9.0, 9.2, 9.4], "worse", "1.0 points above the best fixed loss"),
        ([9.0, 9.2, 9.4], "worse", "0.28 points over 3 seeds, and lower with none of them."),
        ([8.0, 8.2, 8.4], "same", "no different from the best fixed loss"),
    ],
)
def test_seeds_say_how_sure_it_is(searched, kind, sentence):
    found = verdict(result({**BETTER, "searched": searched}))
    assert found.kind == kind and found.difference.by == "seeds"
    assert sentence in plain(found.sure) and found.sure.startswith("Your loss is ")


def test_lower_with_some_of_the_seeds():
    found = verdict(result({"searched": [7.0, 7.1, 9.3, 7.0], "la": [9.0, 9.1, 9.2, 9.0]}))
    assert found.kind == "better" and found.sure.endswith("and lower with 3 of them.")


def test_a_difference_as_large_as_the_spread_is_not_called_real():
    made = result({"searched": [7.0, 7.0], "la": [8.0, 8.0]})
    made["test"]["searched"]["balanced_error_std"], made["test"]["la"]["balanced_error_std"] = 0.6, 0.8
    assert verdict(made).kind == "same"
    made["test"]["la"]["balanced_error_std"] = 0.7999
    assert verdict(made).kind == "better"


def alone(low, high, difference=-7.0):
    made = {**result({"searched": [8.0 + difference], "la": [8.0]}), "seeds": [0]}
    against = {"low": low, "high": high, "better": 0.9, "standard_error": [0.5] * 10}
    return {**made, "sampling": {"draws": 400, "samples": 539, "against": {"la": against}}}


@pytest.mark.parametrize(
    ("low", "high", "difference", "kind", "words"),
    [
        (
            -9.5,
            -4.25,
            -7.0,
            "better",
            "The 95 % interval is from 4.2 to 9.5 points below, by the bootstrap of the 539 ",
        ),
        (-9.5, 0.5, -7.0, "same", "The 95 % interval is from 9.5 points below to 0.50 above, by the bootstrap"),
        (
            0.5,
            2.5,
            1.5,
            "worse",
            "The 95 % interval is from 0.50 to 2.5 points above, by the bootstrap of the 539 test",
        ),
    ],
)
def test_with_one_seed_the_test_samples_say_how_sure_it_is(low, high, difference, kind, words):
    found = verdict(alone(low, high, difference))
    assert found.kind == kind and found.difference.by == "test samples"
    assert words in plain(found.sure) and "±" not in found.sentence
    assert found.sure.endswith("since there is one seed; it holds the chance in these samples, not in the training.")


def test_one_seed_and_no_bootstrap_decide_nothing():
    found = verdict(result({"searched": [1.0], "la": [8.0]}))
    assert found.kind == "undecided" and found.classes == "" and "±" not in found.sentence
    assert found.sure.endswith("1 seed cannot tell the losses apart: there is no spread to judge by.")


def test_seeds_that_differ_are_both_named():
    found = verdict(result({**BETTER, "searched": [7, 7.1]}))
    assert "2 seeds of the searched and 3 of the fixed loss" in found.sure and "lower with" not in found.sure


@pytest.mark.parametrize(
    ("test", "sentence"),
    [
        ({"searched": [7.0, 7.2]}, "No fixed loss was run to compare it with."),
        ({"ce": [7.0, 7.2]}, "No searched loss is in this result."),
    ],
)
def test_nothing_to_compare_is_said(test, sentence):
    found = verdict(result(test))
    assert found.kind == "alone" and found.sure == sentence and "7.1 ± 0.1 %" in plain(found.headline)


# What it costs, and who pays


@pytest.mark.parametrize(
    ("change", "std", "sentence"),
    [
        (0.41, 0.1, "It costs 0.41 points of error."),
        (-1.26, 0.1, "Error falls by 1.3 points."),
        (0.41, 0.5, "It costs 0.41 points of error, within its spread."),
        (0.0, 0.1, "Error stays as it is."),
    ],
)
def test_the_figure_beside_the_objective_is_what_it_costs(change, std, sentence):
    made = result(BETTER)
    made["test"]["la"] |= {"error": 10.0, "error_std": std}
    made["test"]["searched"] |= {"error": 10.0 + change, "error_std": std}
    assert verdict(made).costs == sentence


def test_classes_that_gain_and_pay_are_named_with_points_the_largest_first():
    errors = {"searched": [5.0, 1.0, 30.0, 20.0, 10.0, 9.5], "la": [2.0, 0.5, 50.0, 45.0, 11.0, 10.5]}
    stds = {"searched": [0.3] * 6, "la": [0.4, 0.4, 0.4, 0.4, 0.4, 2.0]}  # together 0.5, and 2.02 for the last
    found = verdict(content(("cat", "dog", "owl", "bat", "elk", "ant"), errors, stds))
    assert found.classes == (
        "Classes that gain: bat (-25 points), owl (-20), elk (-1.0). Classes that pay: cat (+3.0 points)."
    )
    assert [(one.name, one.points) for one in found.gains] == [("bat", -25.0), ("owl", -20.0), ("elk", -1.0)]
    assert [(one.name, one.points) for one in found.pays] == [("cat", 3.0)]


def test_of_many_classes_three_are_named_and_the_others_counted():
    errors = {"searched": [float(k) for k in range(6)], "la": [10.0] * 6}
    assert (
        verdict(content("abcdef", errors)).classes
        == "Classes that gain: a (-10 points), b (-9.0), c (-8.0) and 3 more."
    )


def test_no_class_that_changes_is_said():
    errors, stds = {"searched": [5.0, 9.0], "la": [5.5, 8.0]}, {"searched": [1.0, 1.0], "la": [1.0, 1.0]}
    found = verdict(content("ab", errors, stds))
    assert found.classes == "No class changes by more than its spread." and found.gains == found.pays == []


def test_with_one_seed_a_class_changes_where_its_own_test_samples_say_so():
    made = alone(-9.0, -1.0)
    made["test"]["searched"]["class_error"] = [10.0, 11.0, *[5.0] * 7, None]
    made["test"]["la"]["class_error"] = [9.1, 10.0, *[5.0] * 7, 3.0]
    for entry in made["test"].values():
        entry["class_error_std"] = [None] * 10
    made["sampling"]["against"]["la"]["standard_error"] = [0.45, 0.52, *[0.0] * 7, None]  # 1.96 times: 0.882 and 1.02
    assert verdict(made).classes == "Classes that pay: 0 (+0.90 points)."


def test_cells_are_classes_in_groups_and_bins_have_the_unit_of_the_target():
    made = content(("no", "yes"), {"searched": [5.0, 9.0], "la": [5.0, 9.0]}, group_names=["day", "night"])
    made["test"]["searched"]["cell_error"] = [[5.0, 6.0], [20.0, 9.0]]
    made["test"]["la"]["cell_error"] = [[5.0, 9.0], [10.0, 9.0]]
    for entry in made["test"].values():
        entry["cell_error_std"] = [[0.1, 0.1], [0.1, 0.1]]
    assert verdict(made).classes == (
        "Classes that gain: no in night (-3.0 points). Classes that pay: yes in day (+10 points)."
    )
    made = numbers(1.0)
    for method, errors in (("searched", [1.0, 2.5]), ("l1", [1.5, 2.0])):
        made["test"][method] |= {"bin_mae": errors, "bin_mae_std": [0.01, 0.01]}
    assert verdict(made).classes == "Bins that gain: low (-0.50). Bins that pay: high (+0.50)."


def numbers(scale):
    test = {
        name: {
            "balanced_mae": a * scale,
            "mae": b * scale,
            "balanced_mae_std": 0.01 * scale,
            "balanced_mae_by_seed": [a * scale] * 2,
        }
        for name, a, b in (("searched", 5.0379912, 4.2), ("l1", 5.31492, 4.1))
    }
    names = {"class_names": ["low", "high"], "class_counts": [9, 2]}
    return {"task": "regression", "objective": "balanced_mae", "seeds": [0, 1], "test": test, **names}


def test_numbers_in_the_unit_of_the_target_have_four_digits_and_no_exponent():
    found = verdict(numbers(1e4))
    assert plain(found.headline) == (
        "Balanced MAE: 53149 ± 100 with absolute error, unweighted, 50380 ± 100 with your loss."
    )
    assert found.sure.startswith("Your loss is 2769 below the best fixed loss") and "points" not in found.sentence
    assert found.costs == "It costs 1000 of MAE."
    assert "0.5315 ± 0.0010" in plain(verdict(numbers(0.1)).headline)


# Constraints


def constrained(searched, la):
    """A run of which each method has (error, values of recall(rare), one a seed), the bound being 0.8."""
    made = result(BETTER, 2, names=["common", "rare"])
    made["objective"] = "error subject to recall(rare)>=0.8"
    del made["test"]["ce"]
    for method, (error, recalls) in (("searched", searched), ("la", la)):
        short = [max(0.0, 0.8 - value) for value in recalls]
        mean = sum(short) / 3
        stands = {"value": sum(recalls) / 3, "violation": mean, "violation_by_seed": short}
        made["test"][method] |= {
            **{"objective": error + 1000 * mean, "objective_std": 0.5, "objective_by_seed": [error] * 3},
            **{"main_objective": error, "main_objective_std": 0.25, "constraints": {"recall(rare)>=0.8": stands}},
        }
    return made


def test_with_constraints_the_main_objective_comes_first_then_how_each_stands():
    found = verdict(constrained((12.0, [0.85, 0.8, 0.9]), (9.0, [0.7, 0.6, 0.8])))
    assert plain(found.headline) == "Error: 9.0 ± 0.2 % with logit adjustment (τ = 1), 12.0 ± 0.2 % with your loss."
    assert [plain(one) for one in found.bounds] == [
        "recall(rare)>=0.8: 0.700 with logit adjustment (τ = 1) (met with 1 of 3 seeds), 0.850 with your loss (met)."
    ]
    assert found.lines[1] == found.bounds[0] and found.badge == "Better"
    assert found.sure.startswith("Counting ten points for each point by which a constraint is missed, your loss is 97 ")
    assert found.costs == "It costs 3.0 points of error."


def test_a_constraint_that_is_missed_is_named_in_the_badge():
    found = verdict(constrained((12.0, [0.75, 0.7, 0.65]), (9.0, [0.3, 0.3, 0.3])))
    assert found.badge == "Better, but a constraint is missed" and "0.700 with your loss (missed)" in found.bounds[0]


def test_the_record_is_plain_json():
    record = json.loads(json.dumps(asdict(verdict(result(BETTER))), allow_nan=False))
    assert record["kind"] == "better" and record["difference"]["value"] == pytest.approx(-1.0)
    assert {"headline", "sure", "costs", "classes", "gains", "pays", "bounds"} <= set(record)
