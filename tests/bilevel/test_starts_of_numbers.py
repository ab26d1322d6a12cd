"""The search of a regression loss among starts: which are trained, which is taken, and what goes on from there."""

import pytest
import torch
from torch import nn
from toy import same

from autobalance.bilevel import Auto, Interleaved, InterleavedSearch, OuterLoop, PredictionSpace, SearchPlan, check, run
from autobalance.bilevel import select as select_loss
from autobalance.bilevel._auto import AutoState
from autobalance.common import InputError
from autobalance.common.density import bin_index
from autobalance.data import Problem, Samples, stratified_folds
from autobalance.hypergradients import Replay
from autobalance.tasks import outputs, task_of
from autobalance.training import Recipe, setting_of_model, train

RECIPE = Recipe(epochs=3, batch_size=16, lr=0.05, warmup_epochs=1)
EDGES = (-1.0, 1.0, 2.0, 3.0, 5.0, 30.0)
WITHIN = Interleaved(Replay(3), OuterLoop(warmup=0.3, every=4, lr=0.2))


def skewed(number: int, seed: int) -> Samples:
    generator = torch.Generator().manual_seed(seed)
    x = torch.empty(number, 2, dtype=torch.float64).exponential_(generator=generator)
    return Samples(x, x[:, 0] * x[:, 1] + 0.1 * torch.randn(number, generator=generator, dtype=torch.float64))


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Linear(2, 1).double()


def checked(strategy, objective="worst_bin", **settings):
    of = Problem("numbers", *map(skewed, (120, 40, 60), (0, 1, 2)), class_names=tuple("abcde"), bin_edges=EDGES)
    plan = SearchPlan(objective, "sqinv", ("w",), strategy=strategy, recipe=RECIPE, **settings)
    return check(plan, setting_of_model(of, model()), task_of(of))


def worst_bin(predictions: torch.Tensor, y: torch.Tensor) -> float:
    bins = bin_index(y, torch.tensor(EDGES, dtype=torch.float64))
    return max((predictions[bins == each] - y[bins == each]).abs().mean().item() for each in bins.unique())


def test_the_start_whose_held_out_predictions_are_best_is_taken():
    made = checked(PredictionSpace(4))
    records = []
    state = run(made.search, on_step=lambda _, record: records.append(record))
    assert [record["phase"] for record in records] == ["folds"] * 12 + ["starts"]
    assert list(state.outputs) == ["sqinv", "lds", "l1", "mse"] and state.offsets is None
    pool, found, trained = made.setting.pool, {}, made.search.trainee.train_samples.index
    held = [index for _, index in stratified_folds(made.setting.problem, 2, 0)]
    fair = [made.search.trainee.validation_samples.index[fold] for fold in range(2)]
    assert [len(set(map(int, a)) - set(map(int, b))) for a, b in zip(fair, held, strict=True)] == [0, 0]
    for name in state.outputs:
        answers = []
        for fold in range(2):
            own = model()
            train(own, pool.subset(trained[fold]), made.bench.fixed(name, made.bench.counts(held)).loss, RECIPE, 0)
            answers.append(outputs(own, pool.subset(fair[fold])))
        torch.testing.assert_close(torch.cat(answers), state.outputs[name])
        found[name] = worst_bin(state.outputs[name].flatten(), pool.y[torch.cat(fair)])
    assert state.winner == min(found, key=found.get)
    loss, start = made.search.found(state).loss, made.bench.fixed(state.winner, made.bench.counts(held)).loss
    torch.testing.assert_close(loss.w, start.w)
    assert loss.error == start.error


@pytest.mark.parametrize("needed, chosen", [(1e-9, "searched"), (0.999999, "sqinv")])
def test_the_default_start_stays_unless_it_is_beaten(needed, chosen):
    made = checked(PredictionSpace(4), "mse", confidence=needed)
    choice = select_loss(made, run(made.search))
    assert choice.chosen == chosen and choice.best_fixed == "sqinv"
    assert choice.margin == pytest.approx(choice.held_out["sqinv"] - choice.held_out["searched"])
    assert choice.margin > 0


def test_the_search_goes_on_with_hypergradients_from_there():
    made = checked(Auto(4, WITHIN), confidence=1e-9)
    states = []
    state = run(made.search, on_step=lambda state, _: states.append(state))
    assert list(state.first.outputs) == ["sqinv", "lds", "l1"] and state.second.outer_steps > 0
    before, after = made.search.first.found(state.first), made.search._search(state).found(state.second)
    assert (before.loss.w - after.loss.w).abs().max() > 1e-4
    middle = AutoState.from_dict(states[7].to_dict())
    again = run(made.search, middle)
    assert same(again.to_dict(), state.to_dict())
    assert select_loss(made, state).chosen in ("searched", "sqinv")


def test_smoothed_features_are_searched_within_one_training():
    assert isinstance(checked(Auto(4, WITHIN), fds_layer="input").search, InterleavedSearch)
    with pytest.raises(InputError, match="prediction has no feature smoothing: use interleaved"):
        checked(PredictionSpace(4), fds_layer="input")
