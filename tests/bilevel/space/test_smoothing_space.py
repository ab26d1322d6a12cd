"""The searched strength of feature-distribution smoothing: its hypergradient against finite differences, its search."""

from dataclasses import replace

import pytest
import torch
from search_cases import interleaved
from torch import nn
from toy import same

from autobalance import FDS, OuterLoop, Recipe, Replay
from autobalance.bilevel import InterleavedState, LossSpace, RecipeSpace, SearchSpace, SmoothingSpace, Trainee, run
from autobalance.data import Samples
from autobalance.hypergradients import inner_step, objective_value
from autobalance.losses import RegressionLoss
from autobalance.models import Calibrated
from autobalance.training import end_epoch

EDGES = torch.tensor([-9.0, -1.0, 0.0, 1.0, 9.0], dtype=torch.float64)


def squared_error(output, batch):
    return ((output.flatten() - batch.y) ** 2).mean()


def samples(number, seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(number, 2, generator=generator, dtype=torch.float64)
    return Samples(x, x[:, 0] ** 2 - x[:, 1] + 0.1 * torch.randn(number, generator=generator, dtype=torch.float64))


def search(place="1", seed=0, strength=True, epochs=6, **settings):
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(2, 6), nn.Tanh(), nn.Dropout(0.2), nn.Linear(6, 1)).double()
    train, validation = samples(80, 0), samples(40, 1)
    calibrated = Calibrated(model, place, lambda width: FDS(width, 4, ks=3).double(), train.x[:1], EDGES)
    counts = torch.bucketize(train.y, EDGES[1:-1]).bincount(minlength=4)
    space = LossSpace(RegressionLoss(EDGES, dtype=torch.float64), counts, ("w",))
    recipe = Recipe(epochs=epochs, batch_size=16, lr=0.05, warmup_epochs=0)
    outer = OuterLoop(warmup=0.4, every=4, lr=0.3)
    engine = Replay(settings.get("steps", 3))
    searched = SearchSpace(space, RecipeSpace(recipe), smoothing=SmoothingSpace() if strength else None)
    trainee = Trainee(calibrated, (train, validation), searched, squared_error, lambda output, batch: {})
    return interleaved(trainee, engine, outer, seed)


@pytest.mark.parametrize("place", ["input", "0", "1", "3"])
@pytest.mark.parametrize("strength", [-0.3, 0.2])
def test_the_hypergradient_is_that_of_finite_differences(place, strength):
    made = search(place, epochs=3)
    state = run(made)  # so that there are statistics
    inner, raw = made.trainee.inner, {**state.raw, "fds": torch.tensor(strength, dtype=torch.float64)}
    batches = [made.trainee.train_samples.take(index) for index in torch.arange(48).view(3, 16)]
    outer_batch = made.trainee.validation_samples.all()

    def value(number):
        torch.manual_seed(0)
        reached = state.inner
        for batch in batches:
            reached, _ = inner_step(inner, reached, {**raw, "fds": torch.tensor(number, dtype=torch.float64)}, batch)
        return objective_value(inner, reached.parameters, reached.buffers, outer_batch).item()

    torch.manual_seed(0)
    reached, found = made.strategy.hypergradient(inner, state.inner, raw, batches, outer_batch)
    slope = (value(strength + 1e-4) - value(strength - 1e-4)) / 2e-4
    assert abs(slope) > 1e-7
    assert found.gradient["fds"].item() == pytest.approx(slope, rel=1e-5)
    assert found.objective == pytest.approx(value(strength), rel=1e-12)
    plain = state.inner
    torch.manual_seed(0)
    for batch in batches:
        plain, _ = inner_step(inner, plain, raw, batch)
    assert same(dict(plain.buffers), dict(reached.buffers)) and same(dict(plain.parameters), dict(reached.parameters))


def test_the_model_trains_with_the_strength_that_is_searched():
    made = search(epochs=2)
    state = run(made)
    raw = {**state.raw, "fds": torch.tensor(0.4, dtype=torch.float64)}
    batch = made.trainee.train_samples.take(torch.arange(16))
    torch.manual_seed(3)
    _, loss = inner_step(made.trainee.inner, state.inner, raw, batch)
    fixed = search(strength=False)
    buffers = {**state.inner.buffers, "layer.strength": torch.tensor(0.9, dtype=torch.float64)}
    torch.manual_seed(3)
    _, expected = inner_step(fixed.trainee.inner, replace(state.inner, buffers=buffers), raw, batch)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-12)
    assert SmoothingSpace().strength({"fds": torch.tensor(0.0)}) == 0.5


def test_the_strength_reaches_both_ends_and_can_leave_them():
    space = SmoothingSpace()
    for far, end in ((-7.0, 0.0), (7.0, 1.0)):
        raw = space.bounded({"fds": torch.tensor(far), "w": torch.tensor(9.0)})
        number = raw["fds"].clone().requires_grad_()
        strength = space.strength({"fds": number})
        assert strength == end and torch.autograd.grad(strength, number)[0] == 1 and raw["w"] == 9


def test_statistics_are_refreshed_after_each_epoch():
    made = search()
    state = made.init()
    assert not state.inner.buffers["layer.seen"].any()
    first, record = made.step(state)
    assert first.inner.buffers["layer.seen"].any() and record["fds"] == 0.5
    assert first.inner.buffers["layer.count"].sum() == 0  # a new epoch has begun
    second, _ = made.step(first)
    name = "layer.smoothed_mean"
    assert not torch.equal(first.inner.buffers[name], second.inner.buffers[name])
    assert same(dict(end_epoch(made.trainee.inner, first.inner).parameters), dict(first.inner.parameters))


def test_the_search_moves_the_strength_and_goes_on_where_it_was():
    made = search()
    whole = run(made)
    assert made.trainee.space.found(whole.found).strength != 0.5 and whole.outer_steps > 2
    other = search()
    half = other.step(other.step(other.step(other.init())[0])[0])[0]
    resumed = run(search(), InterleavedState.from_dict(half.to_dict()))
    assert same(resumed.to_dict(), whole.to_dict())
    assert search(strength=False).trainee.space.found(whole.found).strength is None
