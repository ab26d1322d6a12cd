"""The command and `search_loss` are two ways to one plan: the same search, the same choice, the same refusals."""

import pytest
from toy import same

import autobalance
from autobalance.bilevel import Interleaved, OuterLoop, SearchPlan, chosen_arm, run, select
from autobalance.cli._config import parse
from autobalance.cli._plan import checked_plan, plan_of
from autobalance.common import InputError
from autobalance.hypergradients import OneStep, Replay

COMMAND = "--strategy interleaved --model linear --epochs 6 --batch-size 32 --every 6 --unroll 3 --confidence 0.9 "
COMMAND += "--candidates ce --free l,lr"
PYTHON = {
    "strategy": "interleaved",
    "recipe": autobalance.Recipe(epochs=6, batch_size=32),
    "outer": OuterLoop(every=6),
    "hypergradient": Replay(3),
    "confidence": 0.9,
    "candidates": ("ce",),
    "free": ("l", "lr"),
}


def test_both_search_and_choose_alike():
    checked, history = checked_plan(parse(COMMAND.split())[0]), []
    state = run(checked.search, on_step=lambda state, record: history.append(record))
    found = checked.search.found(state)
    choice = select(checked, state)
    problem = checked.setting.problem
    result = autobalance.search_loss(
        checked.setting.new_model(0), problem.train, problem.validation, class_names=problem.class_names, **PYTHON
    )
    assert result.history == history
    assert result.choice == choice
    assert same(dict(result.loss.state_dict()), dict(chosen_arm(checked, found, choice).loss.state_dict()))
    assert same(dict(result.searched.state_dict()), dict(found.loss.state_dict()))


def test_one_plan_is_what_both_make():
    plan = plan_of(parse(COMMAND.split())[0])
    assert plan.strategy == autobalance.bilevel.strategy_of(
        "interleaved", hypergradient=PYTHON["hypergradient"], outer=OuterLoop(every=6)
    )
    assert (tuple(plan.free), tuple(plan.candidates), plan.confidence) == (("l", "lr"), ("ce",), 0.9)
    assert plan.recipe == PYTHON["recipe"]
    assert plan_of(parse([])[0]).strategy == SearchPlan().strategy


def test_one_step_has_the_same_distance_in_both():
    plan = plan_of(parse(["--strategy", "interleaved", "--hypergradient", "one-step"])[0])
    assert plan.strategy.every == Interleaved(OneStep()).every == 4


def test_a_candidate_that_cannot_be_is_refused_before_any_training_by_both(monkeypatch):
    name = "nothing"
    monkeypatch.setattr(autobalance.bilevel.InterleavedSearch, "step", None)
    with pytest.raises(InputError) as by_command:
        checked_plan(parse(["--candidates", name, "--model", "linear"])[0])
    setting = checked_plan(parse(["--model", "linear"])[0]).setting
    with pytest.raises(InputError) as by_python:
        problem = setting.problem
        autobalance.search_loss(
            setting.new_model(0), problem.train, problem.validation, confidence=0.8, candidates=(name,)
        )
    assert str(by_command.value) == str(by_python.value)
