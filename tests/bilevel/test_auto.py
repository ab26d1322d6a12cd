"""Both phases of the search that a budget buys: in prediction space, then through unrolled training steps."""

from dataclasses import replace

import pytest
import torch
from test_prediction_space import RECIPE, checked, problem
from toy import same

from autobalance.bilevel import (
    Auto,
    Interleaved,
    InterleavedSearch,
    OuterLoop,
    PredictionSpace,
    run,
    select,
    strategy_of,
)
from autobalance.bilevel._auto import AutoState
from autobalance.common import InputError
from autobalance.hypergradients import Replay
from autobalance.tasks.metrics import Largest

WITHIN = Interleaved(Replay(3), OuterLoop(warmup=0.3, every=4, lr=0.2))


def auto(budget=4.0, free=("w", "l", "delta"), second_confidence=0.9, **settings):
    return checked(Auto(budget, WITHIN, second_confidence), free=free, **settings)


def test_the_second_phase_starts_from_what_the_first_hands_out():
    made, records, states = auto(confidence=1e-9), [], []
    state = run(made.search, on_step=lambda state, record: (states.append(state), records.append(record)))
    phases = [record["phase"] for record in records]
    assert phases == ["folds"] * 3 + ["offsets"] + ["warm-up"] + ["search"] * 2
    assert [record["epoch"] for record in records] == list(range(1, 8)) and state.done == made.search.length == 7
    first = made.search.found(states[3]).loss
    assert set(records[5]["parameters"]) == {"w", "delta"} and state.second.outer_steps > 0
    found = made.search._search(state).found(state.second).loss
    torch.testing.assert_close(found.l, first.l)
    assert (found.w - first.w).abs().max() > 1e-4


@pytest.mark.parametrize("confidence, used", [(1e-9, True), (0.999999, False)])
def test_what_the_second_phase_found_is_used_where_it_beats_the_first(confidence, used):
    made = auto(confidence=min(confidence, 0.7), second_confidence=confidence)
    state = run(made.search)
    first, second = made.search.first.found(state.first), made.search._search(state).found(state.second)
    found = made.search.found(state).loss
    assert torch.equal(found.w, second.loss.w) == used and torch.equal(found.w, first.loss.w) == (not used)
    assert select(made, state).chosen == ("searched" if used else "la")


@pytest.mark.parametrize("more, used", [(1, False), (4, True)])
def test_a_constraint_that_one_sample_decides_takes_confidence_too(more, used):
    made = auto(objective="error subject to recall(c)>=0.4", confidence=0.6)
    state = run(made.search)
    _, _, judged = made.search._compared(state)
    rare = (judged.y == 2).nonzero()[:, 0]
    assert 4 <= len(rare) <= 6
    second = torch.nn.functional.one_hot(judged.y, 3).double()
    before = second.clone()
    before[rare[:4]] = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)  # misses the bound
    second[rare[: 4 - more]] = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)  # meets it, by so many samples
    crossed = state.first.crossed.clone().double()
    crossed[: len(before)] = before
    both = {"la": crossed}  # whichever the first phase chose
    state = replace(state, outputs=second, first=replace(state.first, crossed=crossed, outputs=both))
    assert made.search._accepted(state) == used


def test_both_phases_train_on_the_samples_of_the_first_fold_and_are_compared_on_what_it_holds_out():
    made = auto(confidence=1e-9)
    state = run(made.search)
    second, first, judged = made.search._compared(state)
    folds, trainee, pool = made.search.first.trainee, made.search._search(state).trainee, made.setting.pool
    assert torch.equal(trainee.train_samples.all().x, pool.x[folds.train_samples.index[0]])
    assert torch.equal(trainee.validation_samples.all().x, pool.x[folds.validation_samples.index[0]])
    assert torch.equal(judged.y, trainee.judged.y)
    assert torch.equal(first["la"], state.first.outputs["la"][: len(second)])


def test_on_the_one_split_both_phases_have_its_samples():
    made = auto(budget=2.3)
    trainee = made.search._search(run(made.search)).trainee
    assert torch.equal(trainee.train_samples.all().x, made.setting.problem.train.x)


def test_a_search_that_was_stopped_ends_as_one_that_was_not(tmp_path):
    made, states = auto(), []
    whole = run(made.search, on_step=lambda state, record: states.append(state))
    for stopped in (states[1], states[3], states[5]):
        torch.save(stopped.to_dict(), tmp_path / "state.pt")
        content = torch.load(tmp_path / "state.pt", weights_only=True)
        assert same(run(auto().search, AutoState.from_dict(content)).to_dict(), whole.to_dict())


@pytest.mark.parametrize(
    "budget, free, folds, two",
    [(4, ("w", "l"), 3, True), (4, ("l",), 5, False), (1, ("w", "l"), 2, False), (2.3, ("w", "l"), 0, True)],
)
def test_what_a_budget_buys(budget, free, folds, two):
    made = auto(budget, free)
    assert made.search.trainee.folds == folds
    assert made.search.length == RECIPE.epochs + 1 + two * RECIPE.epochs


def test_without_l_or_logits_it_is_the_search_within_one_training():
    assert isinstance(auto(free=("w",)).search, InterleavedSearch)


def test_balanced_data_are_welcome():
    made = auto(of=problem((40, 40, 40), (10, 10, 10)))
    assert made.search.found(run(made.search)).loss.w.isfinite().all()


def test_the_names_of_strategies():
    assert strategy_of() == strategy_of("auto") == Auto()
    assert strategy_of("auto", budget=7, hypergradient=Replay(3)).interleaved == Interleaved(Replay(3))
    assert strategy_of("prediction", budget=2, folds=4) == PredictionSpace(2, 4)
    with pytest.raises(InputError, match="`outer` has no effect with the `strategy` prediction"):
        strategy_of("prediction", outer=OuterLoop())
    with pytest.raises(InputError, match="`budget` has no effect with the `strategy` interleaved"):
        strategy_of("interleaved", budget=3)
    with pytest.raises(InputError, match="`strategy` is 'best'"):
        strategy_of("best")
    with pytest.raises(InputError, match="`budget` is 0"):
        Auto(0.5)


def test_of_very_many_classes_the_largest_logits_are_kept(monkeypatch, tmp_path):
    monkeypatch.setattr("autobalance.bilevel._outputs.KEPT", 2)  # of three classes
    made, states = auto(confidence=0.7), []
    state = run(made.search, on_step=lambda state, record: states.append(state))
    assert isinstance(state.outputs, Largest) and isinstance(state.first.crossed, Largest)
    assert select(made, state) is not None
    for stopped in (states[2], states[-1]):
        torch.save(stopped.to_dict(), tmp_path / "state.pt")
        again = AutoState.from_dict(torch.load(tmp_path / "state.pt", weights_only=True))
        assert same(run(auto(confidence=0.7).search, again).to_dict(), state.to_dict())
