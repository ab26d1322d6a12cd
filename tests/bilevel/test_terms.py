"""Terms with a strength in a search (CSL, influence balancing, equalization), and the numbers of the family."""

import pytest
import torch
from search_cases import by_whole_trainings, interleaved, make_trainee
from torch import nn
from toy import gaussians, same

from autobalance.bilevel import InterleavedState, LossSpace, OuterLoop, member, run
from autobalance.common import InputError
from autobalance.hypergradients import Replay, Unrolled, inner_step, objective_value
from autobalance.losses import ParametricLoss, layers, load_loss, save_loss
from autobalance.losses.named import fixed_point, fixed_points
from autobalance.tasks.objectives import make_objective
from autobalance.training import Recipe

COUNTS = [60, 25, 9]
FREE = {
    "csl": ("csl", "csl_reward", "csl_floor", "l"),
    "ib": ("influence", "w"),
    "ib-focal": ("influence",),
    "equalization": ("equalization", "l"),
    "ldam": ("margin", "scale", "l"),
    "focal": ("gamma",),
    "ce": ("csl", "influence", "gamma", "l"),
}


class Features(nn.Module):
    """A small model that answers with its features where it is asked to."""

    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.body = nn.Sequential(nn.Linear(3, 5), nn.Tanh()).double()
        self.head = nn.Linear(5, 3).double()

    def forward(self, x, return_features=False):
        features = self.body(x)
        return (self.head(features), features) if return_features else self.head(features)


def space(name, free=None, tie="class"):
    loss = fixed_point(name, COUNTS, dtype=torch.float64)
    return LossSpace(loss, torch.tensor(COUNTS), FREE[name] if free is None else free, tie)


def trainee(name, epochs=4, free=None, objective=None):
    samples = gaussians(COUNTS, 0), gaussians([12, 12, 12], 1)
    recipe = Recipe(epochs=epochs, batch_size=16, lr=0.05, warmup_epochs=0)
    return make_trainee(Features(), samples, space(name, free), objective, recipe)


def some_raw(made, dtype=torch.float64):
    """Inside every range, so that finite differences go both ways."""
    inward = {"csl": 0.4, "csl_reward": -0.3, "csl_floor": 12.0, "influence": -0.9, "equalization": -0.8}
    raw = {}
    for place, (name, value) in enumerate(made.space.init().items()):
        generator = torch.Generator().manual_seed(place)
        drawn = 0.3 * torch.randn(value.shape, generator=generator, dtype=dtype)
        start = getattr(made.space.loss.start.at(1.0), name)
        sign = -1 if name in ("influence", "equalization") and start == 0 else 1
        raw[name] = torch.tensor(sign * inward[name], dtype=dtype) if name in inward else drawn.abs() + 0.1
    return raw


@pytest.mark.parametrize("name", FREE)
@pytest.mark.parametrize("engine", [Replay(3), Unrolled(3)])
def test_the_hypergradient_is_that_of_finite_differences(name, engine):
    made = trainee(name)
    made_search = interleaved(made, Replay(3), OuterLoop(warmup=0.25, every=4))
    state = run(made_search)  # so that there are statistics
    raw, progress = some_raw(made), 0.75
    collected = made.collected(state.inner, raw, state.collected, progress)
    if name in ("csl", "ce"):
        assert collected[0]["epochs"] == 4 and collected[0]["judged"].sum() == 0
        collected[0]["trend"].fill_(1.0)  # so that k has an effect
    problem = made.problem(progress, collected=collected)
    batches = [made.train_samples.take(index) for index in torch.arange(48).view(3, 16)]
    outer_batch = made.validation_samples.all()

    def value(changed):
        torch.manual_seed(0)
        reached = state.inner
        for batch in batches:
            reached, _ = inner_step(problem, reached, changed, batch)
        return objective_value(problem, reached.parameters, reached.buffers, outer_batch).item()

    torch.manual_seed(0)
    _, found = engine(problem, state.inner, raw, batches, outer_batch)
    for key, number in raw.items():
        slopes = []
        for place in range(max(1, number.numel())):
            step = torch.zeros_like(number)
            step.view(-1)[place] = 1e-5
            slope = (value({**raw, key: number + step}) - value({**raw, key: number - step})) / 2e-5
            assert found.gradient[key].reshape(-1)[place].item() == pytest.approx(slope, rel=2e-4, abs=1e-9), key
            slopes.append(abs(slope))
        assert max(slopes) > 1e-9, key


@pytest.mark.parametrize("name", ["csl", "ib", "equalization", "ce", "ldam"])
def test_a_search_moves_the_numbers_goes_on_where_it_was_and_saves_what_it_found(name, tmp_path):
    def made():
        return interleaved(trainee(name, epochs=6), Replay(3), OuterLoop(warmup=0.2, every=4, lr=0.3))

    whole = run(made())
    moved = {key for key, value in whole.found.items() if value.abs().max() > 1e-3}
    still = {"csl_floor"} if name == "csl" else {"csl"} if name == "ce" else set()  # no entropy is below h; λ stays 0
    assert moved == set(FREE[name]) - still
    other = made()
    half = other.step(other.step(other.step(other.init())[0])[0])[0]
    resumed = run(made(), InterleavedState.from_dict(half.to_dict()))
    assert same(resumed.to_dict(), whole.to_dict())
    found = made().found(whole).loss
    save_loss(found, tmp_path / "loss.json")
    again = load_loss(tmp_path / "loss.json", dtype=torch.float64)
    last = found.at(1.0)
    for key in last.defaults:
        assert torch.equal(getattr(again.at(1.0), key), getattr(last, key)), key


@pytest.mark.parametrize("name", fixed_points())
def test_every_named_loss_can_be_the_start(name):
    made = interleaved(trainee(name, epochs=3, free=("w", "l")), Replay(2), OuterLoop(warmup=0.0, every=3))
    state = run(made)
    assert state.outer_steps > 2 and state.skipped == 0
    found = made.found(state).loss
    assert [each.kind for each in layers(found.at(1.0))] == [
        each.kind for each in layers(fixed_point(name, COUNTS).at(1.0))
    ]


def test_a_strength_rises_from_zero_and_never_below():
    """An objective that is the smaller, the larger λ, and one that is the smaller, the smaller λ."""
    for sign, bound in ((1, 0.0), (-1, None)):

        def objective(logits, batch, sign=sign):
            return sign * logits.square().mean()

        made = trainee("ce", epochs=6, free=("csl",), objective=objective)
        search = interleaved(made, Replay(3), OuterLoop(warmup=0.2, every=4, lr=0.5, averaged=0.0))
        strength = search.found(run(search)).loss.csl
        assert strength == 0 if bound == 0.0 else strength > 0.01


def test_the_statistics_are_those_of_the_model_and_are_in_the_history():
    made = trainee("csl", epochs=3, free=("l",))
    search = interleaved(made, Replay(2), OuterLoop(warmup=0.0, every=3))
    state, record = search.step(search.init())
    assert record["csl"]["gamma"] == [0, 0, 0]  # in the first epoch there is no term
    after, record = search.step(state)
    model = Features()
    for key, value in state.inner.parameters.items():
        model.get_parameter(key.removeprefix("model.")).data.copy_(value)
    logits, features = model(made.train_samples.x, return_features=True)
    y = made.train_samples.y
    scale = [features[y == k].norm(dim=1).mean().item() ** 2 for k in range(3)]
    p = logits.softmax(1)
    entropy = [-(p * p.log()).sum(1)[y == k].mean().item() for k in range(3)]
    assert record["csl"]["scale"] == pytest.approx(scale)
    assert record["csl"]["gamma"] == pytest.approx(
        [s / (1e-6 + max(scale) * h) for s, h in zip(scale, entropy, strict=True)]
    )
    judged = model(made.validation_samples.x).argmax(1)
    share = (torch.bincount(judged, minlength=3) / len(judged)).tolist()
    assert after.collected[0]["share"].tolist() == pytest.approx(share)


def test_the_objective_sees_logits_as_the_training_loss_does():
    """From LDAM, whose logits are cosines times 30, the objective saw bare cosines."""
    objective = make_objective("balanced_error")
    for name, factor in (("ldam", 30.0), ("ce", 1.0), ("cdt", None)):
        made = trainee(name, free=("l",))
        if factor is None:
            factor = fixed_point("cdt", COUNTS).delta.double().log().mean().exp().item()
        logits, batch = torch.randn(36, 3, dtype=torch.float64), made.validation_samples.all()
        expected = objective(factor * logits, batch).item()
        assert made.figures(logits, batch)["objective"] == pytest.approx(expected, rel=1e-6)
        assert made.inner.objective(logits, batch).item() == pytest.approx(expected, rel=1e-6)
        assert made.problem(0.0).objective((logits, None), batch).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", fixed_points())
def test_every_named_loss_can_be_a_candidate(name):
    loss = fixed_point(name, COUNTS)
    assert member(name, loss) is loss


def test_with_groups_logits_are_as_sharp_as_in_training_on_average():
    cells = torch.tensor([[40, 20], [15, 10], [6, 3]])
    loss = fixed_point("group-vs", cell_counts=cells, dtype=torch.float64)
    found = LossSpace(loss, cells, ("l",), "class").sharpness
    assert found == pytest.approx(loss.delta.prod().item() ** (1 / 6)) and found != 1


def test_what_whole_trainings_cannot_search():
    with pytest.raises(InputError, match="csl changes with every epoch"):
        by_whole_trainings(trainee("csl", free=("l",)))
    with pytest.raises(InputError, match="not gamma: leave"):
        by_whole_trainings(trainee("focal"))


def test_a_model_without_features_is_refused():
    samples = gaussians(COUNTS, 0), gaussians([12, 12, 12], 1)
    with pytest.raises(InputError, match="return_features"):
        make_trainee(nn.Linear(3, 3).double(), samples, space("ib"), recipe=Recipe(epochs=4))


def test_a_term_is_in_the_loss_once_and_inside_csl():
    searched = space("csl", ("influence", "csl"))
    assert [each.kind for each in layers(searched.start)] == ["csl", "influence"]
    late = LossSpace(fixed_point("ldam-drw", COUNTS), torch.tensor(COUNTS), ("csl",), "class")
    first, last = (stage.loss for stage in late.start.stages)
    assert first.statistics is last.statistics and first.csl == 0
    assert isinstance(searched.start.base.base, ParametricLoss)
