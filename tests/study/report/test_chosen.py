"""The page and the table say which loss was chosen, and hand out that one."""

import re

import pytest
from make_run import result, write_run
from rich.console import Console

from autobalance.losses import load_loss, save_loss
from autobalance.study.report import choice_sentence, results_table, unmet_sentence, write_report

SCORES = {"searched": [6.9, 7.2, 7.5], "ce": [12.0, 11.0, 13.0], "la": [8.0, 8.2, 8.4]}


@pytest.fixture(autouse=True)
def no_plots(monkeypatch):
    for room in ("_plots", "_search_plots"):
        monkeypatch.setattr(f"autobalance.study.report.{room}.draw", lambda *rest, **more: "<svg/>")


def content(chosen, **more):
    choice = {"chosen": chosen, "best_fixed": "la", "margin": -0.58, "interval": [-2.5, 1.6], "confidence": 0.7975}
    made = {**result(SCORES), **choice, "confidence_needed": 0.8, **more}
    made["cost"] |= {"choice_seconds": 20.0, "total_ratio": 4.01}
    return made


def written(directory, made):
    write_run(directory, made)
    if made["chosen"] != "searched":
        save_loss(load_loss(directory / "loss.json"), directory / "searched.json", {})
    return write_report(directory).read_text()


@pytest.mark.parametrize(("chosen", "words"), [("la", "logit adjustment (τ = 1)"), ("searched", "searched loss")])
def test_the_row_and_the_code_name_the_loss_that_is_handed_out(tmp_path, chosen, words):
    page = written(tmp_path, content(chosen))
    assert re.search(rf"</span>{re.escape(words)}.*chosen</span>", page) and page.count(">chosen</span>") == 1
    assert f"loss.json&#34;)  # {words}\n" in page
    assert ("It was not chosen" in page) == (chosen == "la")
    assert "4.01 ×" in page and "search and choice over one plain training" in page


def test_the_table_for_the_terminal_names_it(capsys):
    Console(width=100).print(results_table(content("la")))
    lines = [line for line in capsys.readouterr().out.splitlines() if "chosen" in line]
    assert len(lines) == 1 and "logit adjustment (τ = 1), chosen" in lines[0]


def test_a_run_without_a_choice_names_none(tmp_path):
    page = written(tmp_path, {**result(SCORES), "chosen": "searched", "confidence": None})
    assert ">chosen</span>" not in page and "search and choice" not in page


def test_the_sentence_has_the_unit_and_what_was_needed():
    sentence = choice_sentence(content("la")).replace("\u00a0", " ")
    assert sentence.endswith(
        "(confidence 0.797, needed 0.8; margin -0.58 points of balanced error, 95 % interval from -2.5 to 1.6)."
    )
    own = choice_sentence(content("searched", objective="mine:goal"))
    assert "margin -0.58 of mine:goal" in own
    number = choice_sentence(content("la", task="regression", objective="balanced_mae", margin=834.1, interval=[1, 2]))
    assert "margin 834 of balanced mae" in number


def constrained(searched, la, chosen):
    """Held-out recalls of two bounds, 0.8 each."""
    held = {
        name: {f"recall({k})>=0.8": {"value": v, "violation": max(0.0, 0.8 - v)} for k, v in enumerate(values)}
        for name, values in (("searched", searched), ("la", la))
    }
    return content(chosen, objective="error subject to recall(0)>=0.8 and recall(1)>=0.8", constraints=held)


def test_the_sentence_names_constraints_where_they_decided():
    won = choice_sentence(constrained((0.8, 0.9), (0.7, 0.9), "searched")).replace("\u00a0", " ")
    assert won == (
        "Chosen: the searched loss. On held-out samples the searched loss meets the constraints, logit adjustment "
        "(τ = 1) does not (margin -0.58 points of error, 95 % interval from -2.5 to 1.6)."
    )
    lost = choice_sentence(constrained((0.7, 0.9), (0.8, 0.9), "la"))
    assert "Chosen: logit adjustment (τ = 1), a fixed loss." in lost
    assert "the searched loss does not meet the constraints, logit adjustment (τ = 1) does (margin" in lost
    alike = choice_sentence(constrained((0.7, 0.9), (0.6, 0.9), "la"))
    assert (
        "does not beat it with enough confidence (confidence 0.797, needed 0.8; margin -0.58 points of error," in alike
    )


def test_what_is_not_met_is_said_with_how_near_it_came():
    assert unmet_sentence(constrained((0.8, 0.9), (0.7, 0.9), "searched")) == ""
    assert unmet_sentence(content("la")) == ""
    assert unmet_sentence(constrained((0.75, 0.9), (0.625, 0.7125), "la")) == (
        "No loss that was tried meets the constraints on held-out samples: recall(0)>=0.8 was asked, 0.625 is reached "
        "(with searched loss 0.750); recall(1)>=0.8 was asked, 0.713 is reached (with searched loss 0.900). Ask for "
        "less, or try more samples or another model."
    )


def test_recipe_parameters_are_words(tmp_path):
    made = content("la+rates")
    made["test"]["la+rates"] = made["test"]["la"]
    made["search"]["rates"] = {"weight_decay": 0.0012}
    page = written(tmp_path, made)
    assert (
        "logit adjustment (τ = 1), with the recipe parameters found" in page and "<dd>weight decay 0.0012</dd>" in page
    )
    assert "{}" not in written(tmp_path, content("la") | {"search": {**made["search"], "rates": {}}})
