"""The bi-level loop: its states, windows, resumption, and a search whose answer is known."""

import math
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import pairwise

import pytest
import torch
from search_cases import interleaved, make_trainee
from sklearn.metrics import balanced_accuracy_score, recall_score
from toy import gaussians, linear, same, with_dropout

from autobalance.bilevel import InterleavedState, LossSpace, OuterLoop, finished, run, stopped_early
from autobalance.bilevel import _interleaved as bilevel
from autobalance.bilevel._strategy import MAX_SKIPPED_IN_A_ROW
from autobalance.common import InputError
from autobalance.hypergradients import Hypergradient, Replay, Unrolled
from autobalance.losses.named import fixed_point
from autobalance.tasks import predict
from autobalance.tasks.metrics import Context
from autobalance.tasks.objectives import make_objective
from autobalance.training import Recipe, train

COUNTS = [40, 17, 6]
TRAIN, VALIDATION = gaussians(COUNTS, 0), gaussians([20, 9, 3], 1)
RECIPE = Recipe(epochs=8, batch_size=16, lr=0.1, warmup_epochs=1)  # 4 batches an epoch
OUTER = OuterLoop(warmup=0.25, every=5, lr=0.1)


def space(free=("w", "l", "delta"), start="la", tie="class", kind=LossSpace, **settings):
    return kind(fixed_point(start, COUNTS, dtype=torch.float64), torch.tensor(COUNTS), free, tie, **settings)


def search(model=None, engine=None, recipe=RECIPE, outer=OUTER, searched=None, seed=0, names=()):
    model, searched, engine = model or linear(3), searched or space(), engine or Replay(3)
    trainee = make_trainee(model, (TRAIN, VALIDATION), searched, recipe=recipe, names=names)
    return interleaved(trainee, engine, outer, seed)


@dataclass
class Watched:
    """An engine that notes what it is given, and changes its answers where told to.

    Args:
        engine: that does the work.
        change: called with the number of the call and the hypergradient.
    """

    abilities = Replay.abilities

    engine: Replay = field(default_factory=lambda: Replay(3))
    change: object = None
    batches: list = field(default_factory=list)
    outer: list = field(default_factory=list)
    raw: list = field(default_factory=list)

    @property
    def steps(self):
        return self.engine.steps

    def __call__(self, inner, state, hyper, batches, outer_batch):
        self.batches += batches
        self.outer.append(outer_batch)
        self.raw.append(hyper)
        state, found = self.engine(inner, state, hyper, batches, outer_batch)
        return state, self.change(len(self.outer), found) if self.change else found


def spoilt(number, found, when=lambda number: True, value=math.nan):
    gradient = {name: g.clone() for name, g in found.gradient.items()}
    if when(number):
        next(iter(gradient.values()))[0] = value
    return Hypergradient(gradient, found.objective, found.train_loss)


def still(number, found):
    """Zero hypergradients: the loss stays at its start."""
    gradient = {name: torch.zeros_like(g) for name, g in found.gradient.items()}
    return Hypergradient(gradient, found.objective, found.train_loss)


def rows(samples):
    return {tuple(row) for row in samples.x.tolist()}


# States


def test_an_epoch_leaves_its_state_and_the_callers_model_as_they_were():
    model = with_dropout(3)
    weights = deepcopy(model.state_dict())
    problem = search(model.eval())
    state = problem.init()
    for _ in range(RECIPE.epochs):
        before = deepcopy(state.to_dict())
        new, _ = problem.step(state)
        assert same(before, state.to_dict())
        assert not same(before["inner"], new.to_dict()["inner"])
        state = new
    assert state.outer_steps > 0 and not same(problem.trainee.space.loss.init(), state.raw)
    assert same(dict(weights), dict(model.state_dict())) and not model.training


def test_the_inner_steps_are_those_of_plain_training():
    samples, searched = TRAIN, space()
    problem = search(engine=Watched(change=still), searched=searched, seed=5)
    state = run(problem)
    model = linear(3)
    train(model, samples, searched.loss(searched.init()), RECIPE, seed=5)
    assert state.outer_steps == problem.hypergradient_steps > 2
    for name, value in model.named_parameters():
        torch.testing.assert_close(state.inner.parameters[name], value.detach(), rtol=1e-12, atol=1e-12)


def test_in_the_warm_up_nothing_is_searched():
    problem = search(outer=replace(OUTER, warmup=0.5))
    state = problem.init()
    phases = []
    for _ in range(RECIPE.epochs):
        state, record = problem.step(state)
        phases.append(record["phase"])
        moved = any(value.any() for value in state.raw.values())
        assert moved == (record["phase"] == "search"), state.done
    assert phases == ["warm-up"] * 4 + ["search"] * 4


@pytest.mark.parametrize(
    "epochs, size, warmup, every, unroll, number",
    [
        (8, 16, 0.25, 5, 3, 5),  # 8 steps of warm-up and 24 of search: after 3, 8, 13, 18, 23
        (8, 16, 0.0, 5, 3, 6),
        (8, 16, 0.25, 24, 5, 1),
        (8, 16, 0.5, 17, 3, 1),  # after 3 and no more: 3 + 17 > 16
        (8, 16, 0.0, 33, 3, 0),
        (8, 16, 0.0, 32, 5, 1),
        (2, 16, 0.5, 5, 5, 0),
        (9, 63, 0.3, 3, 3, 2),  # an epoch is one step
        (9, 63, 0.0, 1, 1, 9),
        (5, 10, 0.2, 7, 2, 4),
    ],
)
def test_the_number_of_outer_steps_is_as_promised(epochs, size, warmup, every, unroll, number):
    engine = Watched(Replay(unroll))
    recipe, outer = Recipe(epochs=epochs, batch_size=size, lr=0.05), OuterLoop(warmup=warmup, every=every)
    problem = search(engine=engine, recipe=recipe, outer=outer)
    state = run(problem)
    assert problem.hypergradient_steps == state.outer_steps == len(engine.outer) == number
    assert state.inner.step == state.steps == epochs * recipe.steps_per_epoch(len(TRAIN)) and not state.skipped


@pytest.mark.parametrize("size, unroll", [(63, 3), (32, 5), (16, 3)])
def test_windows_go_on_over_the_end_of_an_epoch_and_every_sample_is_taken_once_an_epoch(monkeypatch, size, unroll):
    plain, engine = [], Watched(Replay(unroll))

    def step(inner, state, hyper, batch):
        plain.append((state.step, batch))
        return bilevel_step(inner, state, hyper, batch)

    bilevel_step = bilevel.inner_step
    monkeypatch.setattr(bilevel, "inner_step", step)
    starts = []
    watched = engine.__call__

    class Numbered(Watched):
        def __call__(self, inner, state, hyper, batches, outer_batch):
            starts.append(state.step)
            return watched(inner, state, hyper, batches, outer_batch)

    recipe = Recipe(epochs=12, batch_size=size, lr=0.05)
    problem = search(engine=Numbered(Replay(unroll)), recipe=recipe, outer=OuterLoop(warmup=0.25, every=unroll + 2))
    run(problem)
    taken = dict(plain)
    for number, start in enumerate(starts):
        taken |= {start + k: engine.batches[number * unroll + k] for k in range(unroll)}
    per_epoch = recipe.steps_per_epoch(len(TRAIN))
    assert sorted(taken) == list(range(12 * per_epoch))
    assert any(start // per_epoch != (start + unroll - 1) // per_epoch for start in starts)
    for epoch in range(12):
        batches = [taken[epoch * per_epoch + k] for k in range(per_epoch)]
        assert torch.equal(torch.cat([b.x for b in batches]).sort(0)[0], TRAIN.x.sort(0)[0])


def test_the_outer_loop_sees_validation_samples_and_the_inner_one_training_samples_alone():
    engine = Watched()
    run(search(engine=engine, outer=replace(OUTER, batch_size=10)))
    assert not rows(TRAIN) & rows(VALIDATION)
    inner, outer = (set().union(*map(rows, batches)) for batches in (engine.batches, engine.outer))
    assert inner == rows(TRAIN) and outer <= rows(VALIDATION)
    assert {len(batch.y) for batch in engine.outer} == {10}
    assert len(outer) > 10  # drawn anew each time
    pairs = {(tuple(x), y) for b in engine.outer for x, y in zip(b.x.tolist(), b.y.tolist(), strict=True)}
    assert pairs <= set(zip(map(tuple, VALIDATION.x.tolist()), VALIDATION.y.tolist(), strict=True))


def test_both_engines_search_alike():
    first, second = (run(search(engine=engine(3))).raw for engine in (Replay, Unrolled))
    for name, value in first.items():
        torch.testing.assert_close(value, second[name], rtol=1e-7, atol=1e-9)


def test_the_record_is_of_the_state_that_it_comes_with():
    problem = search()
    state, record = problem.step(problem.step(problem.init())[0])
    for _ in range(3):
        state, record = problem.step(state)
    model = linear(3)
    state.inner.copy_to(model)
    accuracy = balanced_accuracy_score(VALIDATION.y, predict(model, VALIDATION))
    assert record["balanced_error"] == pytest.approx(100 * (1 - accuracy))
    objective = make_objective("balanced_error")(model(VALIDATION.x), VALIDATION.all())
    assert record["objective"] == pytest.approx(objective.item())
    assert record["parameters"]["l"] == problem.trainee.space.loss.loss(state.raw).l.tolist()
    assert (record["epoch"], record["phase"], set(record["parameters"])) == (5, "search", {"w", "l", "delta"})


def test_the_result_is_the_average_of_the_last_half_of_the_search():
    engine, raws = Watched(), []
    problem = search(engine=engine, outer=replace(OUTER, averaged=0.5))
    state = run(problem, on_step=lambda state, record: raws.append((state.outer_steps, state.raw)))
    # Epochs 2 to 7 search; 5 to 7 are averaged. Each window is given what the one before it came to.
    first = raws[4][0]
    values = [*engine.raw[first + 1 :], state.raw]
    assert state.counted == len(values) == state.outer_steps - first > 1
    for name, value in state.found.items():
        torch.testing.assert_close(value, torch.stack([raw[name] for raw in values]).mean(0))
    assert same(replace(state, counted=0).found, state.raw)


# Resumption


def resumable():
    torch.manual_seed(11)
    recipe, outer = replace(RECIPE, epochs=10), replace(OUTER, batch_size=10, averaged=0.9)
    return search(with_dropout(3), recipe=recipe, outer=outer)


@cache
def interrupted():
    """A search, its first state, two later ones (batches are drawn and not yet taken; in a window), and its last."""
    problem = resumable()
    state = start = problem.init()
    states = []
    while not finished(problem, state):
        state, _ = problem.step(state)
        states.append(state)
    states = [state for state in states if state.counted]
    ahead = next(state for state in states if state.queue)
    within = next(state for state in states if state.since_outer)
    assert max(ahead.done, within.done) < problem.length - 1
    return problem, start, ahead, within, state


def test_a_search_that_was_stopped_and_read_back_ends_as_one_that_was_not(tmp_path):
    problem, _, stopped, _, whole = interrupted()
    torch.save(stopped.to_dict(), tmp_path / "state.pt")
    torch.manual_seed(999)  # the process that goes on is in another state
    content = torch.load(tmp_path / "state.pt", weights_only=True)
    found = run(resumable(), InterleavedState.from_dict(content))
    assert same(found.to_dict(), whole.to_dict())
    assert same(run(problem, stopped).to_dict(), whole.to_dict())  # also from the state itself


@pytest.mark.parametrize("lost", ("generator", "random", "outer", "queue", "since_outer", "total", "inner", "raw"))
def test_no_part_of_the_state_could_be_left_out(lost):
    problem, start, ahead, within, whole = interrupted()
    stopped = within if lost == "since_outer" else ahead
    assert not same(run(problem, replace(stopped, **{lost: getattr(start, lost)})).found, whole.found)


def test_weights_and_searched_numbers_go_to_the_device_and_generators_stay():
    state = InterleavedState.from_dict(interrupted()[2].to_dict(), "meta")
    tensors = [*state.inner.parameters.values(), *state.inner.optimiser["momentum"].values(), *state.raw.values()]
    assert {tensor.device.type for tensor in [*tensors, *state.total.values()]} == {"meta"}
    assert {tensor.device.type for tensor in [state.generator, state.random, *state.queue]} == {"cpu"}


# Values that are not finite


@pytest.mark.parametrize("value", (math.nan, math.inf))
def test_a_hypergradient_that_is_not_finite_is_skipped_and_counted(value):
    engine = Watched(change=lambda number, found: spoilt(number, found, lambda n: n == 2, value))
    problem = search(engine=engine)
    seen = []
    state = run(problem, on_step=lambda state, record: seen.append(state))
    assert state.skipped == 1 and state.skipped_in_a_row == 0 and not stopped_early(state)
    # The window is tried again on the next batches, with the loss as it was, and is no step of the training.
    assert same(engine.raw[1], engine.raw[2]) and len(engine.outer) == state.outer_steps + 1
    assert state.steps == state.inner.step + 3 == RECIPE.epochs * 4
    assert all(value.isfinite().all() for value in [*state.raw.values(), *state.inner.parameters.values()])


def test_several_in_a_row_stop_the_search_with_its_last_good_loss():
    engine = Watched(change=lambda number, found: spoilt(number, found, lambda n: n > 2))
    problem = search(engine=engine, recipe=replace(RECIPE, epochs=20))
    records = []
    state = run(problem, on_step=lambda state, record: records.append(record))
    assert stopped_early(state) and finished(problem, state)
    assert state.skipped == MAX_SKIPPED_IN_A_ROW == 5 and state.outer_steps == 2
    assert same(state.raw, engine.raw[2]) and same(state.found, state.raw) and any(v.any() for v in state.raw.values())
    assert len(records) == state.done < 20
    assert problem.trainee.space.loss.loss(state.found).w.isfinite().all()


class BadSpace(LossSpace):
    """A training loss that is not finite in the given calls."""

    when: tuple = ()
    calls: int = 0

    def train_loss(self, raw, logits, batch, progress=0.0):
        self.calls += 1
        value = super().train_loss(raw, logits, batch, progress)
        return value * math.nan if self.calls in self.when else value


def test_inner_losses_that_are_not_finite_are_skipped_and_left_out_of_the_mean():
    searched = space(kind=BadSpace)
    searched.when = (2, 3, 6)
    problem = search(searched=searched, outer=replace(OUTER, warmup=0.5))
    first, record = problem.step(problem.init())
    assert (first.skipped, first.skipped_in_a_row, first.inner.step, first.steps) == (2, 0, 2, 4)
    assert math.isfinite(record["train_loss"])
    second, record = problem.step(first)
    assert second.skipped == 3 and not stopped_early(second)


def test_a_training_that_diverges_ends_the_search_with_the_start_and_records_fit_for_json():
    searched = space(kind=BadSpace)
    searched.when = range(1, 1000)
    problem = search(searched=searched)
    records = []
    state = run(problem, on_step=lambda state, record: records.append(record))
    assert stopped_early(state) and state.skipped == MAX_SKIPPED_IN_A_ROW and state.done == 2
    assert records[0]["train_loss"] is None and records[0]["objective"] > 0
    assert not any(value.any() for value in state.found.values())
    wild = search(recipe=replace(RECIPE, lr=1e200))
    records.clear()
    state = run(wild, on_step=lambda state, record: records.append(record))
    assert stopped_early(state) and records[-1]["objective"] is None


# The outer optimiser as published


def test_the_outer_step_of_sgd_is_its_formula_with_a_rise_and_steps():
    outer = OuterLoop(0.25, 5, 0.1, optimizer="sgd", momentum=0.9, weight_decay=0.01, rise=3, milestones=(5, 0.9))
    found = []
    engine = Watched(Replay(3), lambda number, its: (found.append(its), its)[1])
    problem = search(engine=engine, outer=outer, recipe=replace(RECIPE, epochs=8))
    state, expected, velocity, moved = problem.init(), {}, {}, []
    while not finished(problem, state):
        before, done = state, state.done
        state, _ = problem.step(state)
        if state.outer_steps == before.outer_steps:
            continue
        moved.append((done, state.outer_steps - before.outer_steps))
    # epochs 2, 3, 4 rise to the whole step, epoch 5 has a tenth, epoch 7.2 would have a hundredth
    factors = {2: 1 / 3, 3: 2 / 3, 4: 1.0, 5: 0.1, 6: 0.1, 7: 0.1}
    for name, start in problem.trainee.space.init().items():
        expected[name], velocity[name] = start.clone(), torch.zeros_like(start)
    step = 0
    for done, steps in moved:
        for _ in range(steps):
            for name, value in expected.items():
                gradient = found[step].gradient[name] + 0.01 * value
                velocity[name] = 0.9 * velocity[name] + gradient
                expected[name] = value - 0.1 * factors[done] * velocity[name]
            step += 1
    assert step == state.outer_steps == problem.hypergradient_steps
    for name, value in expected.items():
        torch.testing.assert_close(state.raw[name], value, rtol=1e-9, atol=1e-12)


# What it is for


@pytest.mark.parametrize("seed", range(3))
def test_from_cross_entropy_the_search_goes_towards_logit_adjustment(seed):
    # Log-posteriors are linear in x, so the model is well specified, and the balanced optimum is l = log prior.
    counts = [400, 100, 25]
    training, validation = gaussians(counts, 10 + seed), gaussians([300, 300, 300], 20 + seed)
    searched = LossSpace(fixed_point("ce", counts, dtype=torch.float64), torch.tensor(counts), ("l",), "frequency")
    recipe = Recipe(epochs=24, batch_size=64, lr=0.1, weight_decay=0.0)
    outer = OuterLoop(warmup=0.2, every=5, lr=0.1)
    problem = interleaved(make_trainee(linear(3), (training, validation), searched, recipe=recipe), Replay(5), outer)
    state = run(problem)
    found = searched.loss(state.found).l
    logs = torch.tensor(counts, dtype=torch.float64).log()
    share = (found @ (logs - logs.mean())) / (logs - logs.mean()).square().sum()
    assert 0.5 < share < 1.5


def test_windows_that_do_not_fit_are_refused():
    with pytest.raises(
        InputError, match="`unroll` 7 does not fit between hypergradients: there is one `every` 5 steps"
    ):
        search(engine=Replay(7))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"warmup": 1.0}, "`warmup` is 1.0; it has to be a number of at least 0 and below 1"),
        ({"every": 0}, "`every` is 0; it has to be a whole number of at least 1"),
        ({"lr": 0}, "`lr` is 0; it has to be a number above 0"),
        ({"betas": (0.9, 1.0)}, "`betas` is 1.0"),
        ({"batch_size": 0}, "`batch_size` is 0"),
        ({"averaged": 1.5}, "`averaged` is 1.5"),
        ({"optimizer": "lion"}, "lion"),
        ({"weight_decay": 1e-4}, "`weight_decay` 0.0001 has no effect with the outer `optimizer` adam"),
        ({"milestones": 3}, "`milestones` is 3; it has to be numbers"),
        ({"milestones": (0,)}, "`milestones` is 0"),
    ],
)
def test_an_outer_loop_that_cannot_be_is_refused(fields, message):
    with pytest.raises(InputError) as error:
        OuterLoop(**fields)
    assert message in str(error.value)


# The recipe


def test_recipe_parameters_are_searched_with_the_loss():
    problem = search(names=["lr", "weight_decay"])
    found = run(problem).found
    recipe = problem.trainee.space.found(found).recipe
    for name in ("lr", "weight_decay"):
        factor = math.exp(found[f"log_{name}"].item())
        assert factor != 1.0
        assert getattr(recipe, name) == pytest.approx(factor * getattr(RECIPE, name))
    assert replace(recipe, lr=RECIPE.lr, weight_decay=RECIPE.weight_decay) == RECIPE


@pytest.mark.parametrize("rates, decay", [(["momentum"], 5e-4), (["weight_decay"], 0.0)])
def test_recipe_parameters_that_cannot_be_searched_are_refused(rates, decay):
    with pytest.raises(InputError, match="cannot be searched"):
        search(names=rates, recipe=replace(RECIPE, weight_decay=decay))


def test_init_starts_anew_after_a_run():
    searched = search()
    first = searched.init().to_dict()
    run(searched)
    assert same(searched.init().to_dict(), first)


# Constraints

HARD = gaussians([80, 34, 12], 0, spread=2.0), gaussians([60, 26, 20], 1, spread=2.0)


def constrained(least=0.8, outer=OUTER, recipe=RECIPE):
    objective = make_objective(f"error subject to recall(rare)>={least}", Context(3, class_names=("a", "b", "rare")))
    return interleaved(make_trainee(linear(3), HARD, space(("w", "l"), "ce"), objective, recipe), Replay(3), outer)


def test_multipliers_rise_by_what_is_violated_and_fall_again():
    problem = constrained(0.7, replace(OUTER, lr=0.5))
    state, seen = problem.init(), []
    while not finished(problem, state):
        before = 0.0 if state.multipliers is None else state.multipliers.item()
        state, record = problem.step(state)
        if record["phase"] == "warm-up":
            assert state.multipliers is None
            continue
        output, judged = problem.trainee.held_out(state.inner)
        short = 0.7 - recall_score(judged.y, output.argmax(1), labels=[2], average=None)[0]
        assert state.multipliers.item() == pytest.approx(min(10, max(0, before + 0.3 * 10 * short)))
        assert record["constraints"]["recall(rare)>=0.7"]["violation"] == pytest.approx(max(0, short))
        seen.append(state.multipliers.item())
    assert any(b > a for a, b in pairwise(seen))
    assert any(b < a for a, b in pairwise(seen))


def test_the_hypergradient_is_of_the_objective_with_the_multipliers():
    problem = constrained(outer=replace(OUTER, warmup=0))
    state, _ = problem.step(problem.init())
    assert state.multipliers.item() > 0
    inner, batch = problem.trainee.problem(0.5, state.multipliers), HARD[1].all()
    output = torch.randn(len(HARD[1]), 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    objective = problem.trainee.objective
    assert torch.equal(inner.objective(output, batch), objective(output, batch, state.multipliers))
    assert inner.objective(output, batch) > objective(output, batch)


def test_a_constraint_pulls_harder_with_multipliers(monkeypatch):
    weights = []
    for length in (0.0, bilevel.RAISE):
        monkeypatch.setattr(bilevel, "RAISE", length)
        problem = constrained(recipe=replace(RECIPE, epochs=20))
        loss = problem.found(run(problem)).loss
        weights.append((loss.w[2] / loss.w[0]).item())
    assert weights[1] > 1.1 * weights[0]


def test_a_search_with_multipliers_goes_on_after_a_stop(tmp_path):
    problem = constrained()
    whole, state = run(problem), problem.init()
    for _ in range(5):
        state, _ = problem.step(state)
    torch.save(state.to_dict(), tmp_path / "state.pt")
    content = torch.load(tmp_path / "state.pt", weights_only=True)
    assert content["multipliers"].item() > 0
    assert same(run(constrained(), InterleavedState.from_dict(content)).to_dict(), whole.to_dict())
