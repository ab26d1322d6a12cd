"""The search in prediction space: what it trains, what it hands out, and why l can carry offsets."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from toy import gaussians, linear, same

from autobalance.bilevel import PredictionSpace, SearchPlan, check, run, select
from autobalance.bilevel._prediction_space import PredictionSpaceState, less
from autobalance.common import InputError
from autobalance.data import Problem, Samples
from autobalance.losses import ParametricLoss, ScheduledLoss
from autobalance.losses.named import fixed_point
from autobalance.tasks import outputs, task_of
from autobalance.tasks.metrics import Largest
from autobalance.training import Recipe, setting_of_model, train

RECIPE = Recipe(epochs=3, batch_size=16, lr=0.1, warmup_epochs=1)


def problem(counts=(80, 34, 12), validation=(20, 9, 5), seed=0):
    parts = [gaussians(list(each), seed + k, spread=1.5) for k, each in enumerate((counts, validation, (30, 30, 30)))]
    return Problem("toy", *parts, class_names=("a", "b", "c"))


def checked(strategy=None, of=None, **settings):
    of = of or problem()
    given = {"objective": "worst_class", "free": ("l",), "recipe": RECIPE, **settings}
    plan = SearchPlan(strategy=strategy or PredictionSpace(folds=3, budget=2), **given)
    return check(plan, setting_of_model(of, linear(3)), task_of(of))


def test_prediction_with_offsets_is_that_of_a_model_trained_with_less_of_them_in_l():
    """A model that fits: a number for each class and each of four inputs, trained to its optimum."""
    generator = torch.Generator().manual_seed(0)
    x = torch.eye(4, dtype=torch.float64).repeat_interleave(torch.tensor([40, 30, 20, 10]), 0)
    y = torch.multinomial(torch.tensor([0.6, 0.3, 0.1]), len(x), replacement=True, generator=generator)
    b = torch.tensor([-0.9, 0.2, 0.7], dtype=torch.float64)
    recipe = Recipe(epochs=400, batch_size=100, lr=2.0, weight_decay=0.0, schedule="steps", milestones=(0.99,))
    found = []
    for loss in (start := fixed_point("la", torch.bincount(y), dtype=torch.float64), less(start, b, starts_bias=False)):
        model = nn.Linear(4, 3, bias=False).double()
        train(model, Samples(x, y), loss, recipe, 0)
        found.append(torch.log_softmax(model(torch.eye(4, dtype=torch.float64)), 1).detach())
    present = torch.stack([torch.bincount(y[x[:, i] == 1], minlength=3) for i in range(4)]) > 0
    shifted = torch.log_softmax(found[0] + b, 1)
    torch.testing.assert_close(shifted[present.all(1)], found[1][present.all(1)], atol=0.02, rtol=0)
    assert (found[0] - found[1]).abs().max() > 0.3


@pytest.mark.parametrize("start", ["la", "vs"])
def test_a_training_that_starts_at_the_offsets_is_the_start_s_with_offsets_added(start):
    """Whatever the model, and however early it stops: the numbers are those of the start's training, shifted."""
    samples = gaussians([60, 30, 10], 0)
    loss, b = fixed_point(start, [60, 30, 10], dtype=torch.float64), torch.tensor([-2.0, 0.5, 1.5]).double()
    found = []
    for each in (loss, less(loss, b)):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 3)).double()
        train(model, samples, each, RECIPE, 0)
        found.append(model(samples.x).detach())
    torch.testing.assert_close(found[1], found[0] + b, atol=1e-4, rtol=1e-4)


def test_less_keeps_the_gauge_groups_and_schedules():
    b = torch.tensor([1.0, 0.0, -4.0])
    table = torch.arange(6.0).view(3, 2)
    moved = less(ParametricLoss(3, l=table), b)
    expected = table - b[:, None]
    torch.testing.assert_close(moved.l, expected - expected.mean(0))
    scheduled = less(fixed_point("ldam-drw", [9, 4, 2]), b)
    assert isinstance(scheduled, ScheduledLoss) and [stage.start for stage in scheduled.stages] == [0.0, 0.8]
    assert all(stage.loss.l.tolist() == [-60.0, -30.0, 90.0] for stage in scheduled.stages)  # s = 30
    assert scheduled.start_bias.tolist() == [1.0, 0.0, -4.0]
    again = less(less(ParametricLoss(3), b), b)
    assert again.start_bias.tolist() == [2.0, 0.0, -8.0] and less(ParametricLoss(3), b, False).start_bias is None


def test_the_folds_are_trained_as_by_hand_and_every_sample_is_held_out_once():
    made = checked()
    state = run(made.search)
    pool = made.setting.pool
    held = made.search.trainee.validation_samples.index
    assert len(held.flatten().unique()) == held.numel() >= len(pool) - 3
    trained = made.search.trainee.train_samples.index
    for fold in range(3):
        model = linear(3)
        loss = made.bench.start(made.bench.counts(made.bench.folds(3))).loss
        train(model, pool.subset(trained[fold]), loss, RECIPE, made.plan.seed)
        width = held.shape[1]
        answered = state.outputs["la"][fold * width : (fold + 1) * width]
        torch.testing.assert_close(outputs(model, pool.subset(held[fold])), answered)


def test_the_loss_is_the_start_less_the_offsets():
    made = checked(start="ce")
    state = run(made.search)
    start, found = made.bench.start(made.counts).loss, made.search.found(state).loss
    moved = start.l - state.offsets
    torch.testing.assert_close(found.l.double(), (moved - moved.mean()).double(), rtol=1e-5, atol=1e-5)
    assert state.offsets.abs().max() > 0.1 and torch.equal(found.w, start.w)


def test_what_it_finds_is_better_on_samples_that_nobody_saw():
    of = problem((400, 170, 60), (100, 42, 15))
    made = checked(of=of, start="ce")
    found, figures = made.search.found(run(made.search)), []
    for loss in (made.bench.start(made.counts).loss, found.loss):
        model = linear(3)
        train(model, of.final_training, loss, RECIPE, 0)
        figures.append(made.bench.objective.metric(outputs(model, of.test), of.test.without_inputs()))
    assert figures[1] < figures[0]


@pytest.mark.parametrize("needed, chosen", [(1e-9, "searched"), (0.999999, "la")])
def test_the_choice_is_made_on_the_outputs_that_were_held_out(needed, chosen):
    made = checked(confidence=needed)
    state = run(made.search)
    choice = select(made, state)
    if choice.confidence < needed:
        assert choice.chosen == "la"
    assert choice.chosen == chosen
    objective, judged = made.bench.objective, made.search.judged
    assert choice.held_out["la"] == objective.metric(state.outputs["la"], judged)
    assert choice.held_out["searched"] == objective.metric(state.crossed, judged)
    assert set(choice.held_out) == {"searched", "la"}


def test_candidates_are_trained_on_the_same_folds():
    made = checked(candidates=("ce",), confidence=0.7)
    state = run(made.search)
    assert list(state.outputs) == ["la", "ce"] and set(select(made, state).held_out) == {"searched", "la", "ce"}
    assert made.search.length == 2 * RECIPE.epochs + 1


def test_a_search_that_was_stopped_ends_as_one_that_was_not(tmp_path):
    made, states = checked(candidates=("ce",), confidence=0.7), []
    whole = run(made.search, on_step=lambda state, record: states.append(state))
    for stopped in (states[1], states[2], states[4]):
        torch.save(stopped.to_dict(), tmp_path / "state.pt")
        content = torch.load(tmp_path / "state.pt", weights_only=True)
        again = run(checked(candidates=("ce",), confidence=0.7).search, PredictionSpaceState.from_dict(content))
        assert same(again.to_dict(), whole.to_dict())


def test_records_say_which_start_they_are_of():
    made, records = checked(candidates=("ce",), confidence=0.7), []
    run(made.search, on_step=lambda state, record: records.append(record))
    assert [(r["phase"], r["start"]) for r in records[:-1]] == [("folds", "la")] * 3 + [("folds", "ce")] * 3
    assert records[-1]["phase"] == "offsets" and [r["epoch"] for r in records] == [1, 2, 3, 4, 5, 6, 7]
    assert set(records[-1]["parameters"]) == {"l"} and records[-1]["objective_metric"] <= records[2]["objective_metric"]


@pytest.mark.parametrize(
    "budget, folds, starts",
    [(0.8, 0, 1), (1, 2, 1), (1.9, 2, 1), (2, 3, 1), (3.9, 3, 1), (4, 5, 1), (8.5, 5, 2), (13, 5, 3)],
)
def test_the_budget_buys_folds_then_starts(budget, folds, starts):
    made = checked(PredictionSpace(budget=budget))
    assert made.search.trainee.folds == folds and made.search.length == starts * RECIPE.epochs + 1


def test_one_split_where_the_source_says_what_validates_or_the_budget_is_small():
    own = checked(PredictionSpace(budget=9), of=replace(problem(), own_validation=True))
    assert own.search.trainee.folds == 0 and own.search.first_fold is None
    state = run(own.search)
    assert len(state.outputs["la"]) == 34
    few = checked(PredictionSpace(budget=2), of=problem((80, 34, 1), (20, 9, 1)))
    assert few.search.trainee.folds == 2
    fewer = checked(PredictionSpace(budget=0.9))
    assert fewer.search.trainee.folds == 0


def test_balanced_data_are_welcome():
    made = checked(of=problem((40, 40, 40), (10, 10, 10)))
    assert made.search.found(run(made.search)).loss.l.isfinite().all()


def test_a_tie_by_frequency_moves_l_along_log_n():
    made = checked(tie="frequency")
    outputs = run(made.search).outputs["la"].double()
    offsets = made.search.move.problem.fit(outputs / outputs.std(), made.search.judged, 0.003)
    logs = made.task.counts(made.setting.pool).double().log()
    torch.testing.assert_close(torch.corrcoef(torch.stack([offsets, logs]))[0, 1].abs().item(), 1.0)


def test_what_cannot_be_is_refused():
    with pytest.raises(InputError, match="moves l: leave l among what is `free`"):
        checked(free=("w",))
    with pytest.raises(InputError, match="`budget` is 0"):
        PredictionSpace(budget=0)
    with pytest.raises(InputError, match="not finite in epoch 1; lower the learning rate, `lr`"):
        run(checked(recipe=replace(RECIPE, lr=1e200)).search)


def test_a_start_that_diverges_counts_as_a_constant_prediction_and_the_others_go_on(monkeypatch):
    made = checked(PredictionSpace(folds=3, budget=2), candidates=("ce",))
    alone = checked(PredictionSpace(folds=3, budget=2))
    broken = made.search._trainees["ce"]
    monkeypatch.setattr(type(broken), "mean_loss", lambda self, loss: torch.nan if self is broken else loss / 3)
    records = []
    state = run(made.search, on_step=lambda state, record: records.append(record))
    assert len(records) == made.search.length == 2 * 3 + 1 and state.diverged == ("ce",) and state.winner == "la"
    told = [record["diverged"] for record in records if "diverged" in record]
    assert told == [records[3]["diverged"]] and "not finite in epoch 1; lower the learning rate" in told[0]
    assert set(state.outputs["ce"].argmax(1).tolist()) == {0} and len(state.outputs["ce"]) == len(state.outputs["la"])
    assert torch.equal(state.offsets, run(alone.search).offsets)
    assert select(made, state).held_out["ce"] == 100  # of the worst class
    stopped = type(state).from_dict(state.to_dict())
    assert same(stopped.to_dict(), state.to_dict())


@pytest.mark.parametrize(("free", "fits"), [(0.03, False), (0.1, True), (None, True)])
def test_outputs_that_do_not_fit_into_the_memory_are_refused_before_anything_takes_time(monkeypatch, free, fits):
    # 160 samples of 3 classes: 10 copies in double precision and one start's: 40 320 bytes
    monkeypatch.setattr("autobalance.bilevel._prediction_space.free_memory_mb", lambda: free)
    if fits:
        checked()
        return
    with pytest.raises(
        InputError, match=r"outputs for 160 samples of 3 classes would take about 0\.0 GiB.*interleaved"
    ):
        checked()


def of_ten_classes(**settings):
    train = gaussians([60, 50, 40, 34, 28, 22, 16, 12, 9, 6], 0)
    of = Problem("toy", train, *(gaussians([10] * 10, seed) for seed in (1, 2)), class_names=tuple("abcdefghij"))
    given = {"objective": "macro_f1", "free": ("l",), "recipe": RECIPE, "confidence": 0.7, **settings}
    plan = SearchPlan(strategy=PredictionSpace(folds=3, budget=2), **given)
    return check(plan, setting_of_model(of, linear(10)), task_of(of))


def test_of_very_many_classes_the_largest_logits_are_kept_and_give_nearly_the_same(monkeypatch, tmp_path):
    whole = of_ten_classes()
    expected = run(whole.search)
    monkeypatch.setattr("autobalance.bilevel._outputs.KEPT", 6)
    made, states = of_ten_classes(), []
    state = run(made.search, on_step=lambda state, record: states.append(state))
    kept, output = state.outputs["la"], expected.outputs["la"]
    assert isinstance(kept, Largest) and kept.values.shape[1] == 6 and torch.equal(kept.predicted, output.argmax(1))
    torch.testing.assert_close(kept.of_own, output.gather(1, made.search.judged.y[:, None])[:, 0])
    assert state.offsets.abs().max() > 0.3
    torch.testing.assert_close(state.offsets, expected.offsets, atol=0.01, rtol=0)
    assert select(made, state) == select(whole, expected)
    torch.save(states[-2].to_dict(), tmp_path / "state.pt")
    again = PredictionSpaceState.from_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert same(run(of_ten_classes().search, again).to_dict(), state.to_dict())


def test_an_objective_of_one_s_own_sees_every_logit(monkeypatch):
    monkeypatch.setattr("autobalance.bilevel._outputs.KEPT", 6)
    made = of_ten_classes(objective=lambda output, target, group: output.square().mean())
    assert run(made.search).outputs["la"].shape[1] == 10
