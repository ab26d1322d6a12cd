"""The search on the last layers of two halves: what it trains, finds, hands out and refuses."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from toy import same

from autobalance.bilevel import Auto, LastLayer, LastLayerSearch, SearchPlan, check, run, select, strategy_of
from autobalance.bilevel._auto import AutoSearch
from autobalance.bilevel._halves import Half, dealt_by_cell
from autobalance.bilevel._interleaved import InterleavedSearch
from autobalance.bilevel._last_layer import LastLayerState
from autobalance.bilevel.space import LossSpace
from autobalance.common import InputError
from autobalance.data import Batch, Problem, Samples
from autobalance.losses.named import fixed_point
from autobalance.tasks import outputs, task_of
from autobalance.training import Recipe, setting_of_model, train

RECIPE = Recipe(epochs=3, batch_size=16, lr=0.1, warmup_epochs=1)


def grouped(counts, seed):
    """Two classes in two groups: the group shifts the inputs, and shows in the third number."""
    generator = torch.Generator().manual_seed(seed)
    cells = torch.repeat_interleave(torch.arange(4), torch.tensor(counts))
    y, group = cells // 2, cells % 2
    x = torch.randn(len(y), 3, generator=generator, dtype=torch.float64)
    x[:, 0] += 2.0 * y
    x[:, 1] += 1.5 * (y != group)
    return Samples(x, y, group)


def problem(counts=(90, 30, 16, 60), validation=(30, 10, 8, 20)):
    parts = [grouped(each, seed) for seed, each in enumerate((counts, validation, (50,) * 4))]
    return Problem("toy", *parts, class_names=("a", "b"), group_names=("u", "v"))


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2)).double()


def checked(strategy=None, of=None, **settings):
    of = of or problem()
    given = {"objective": "worst_group", "recipe": RECIPE, **settings}
    plan = SearchPlan(strategy=strategy or LastLayer(3), **given)
    return check(plan, setting_of_model(of, network()), task_of(of))


def test_the_halves_are_trained_as_by_hand_and_their_features_are_of_what_they_held_out():
    made, states = checked(), []
    state = run(made.search, on_step=lambda state, record: states.append(state))
    trainee, pool = made.search.trainee, made.setting.pool
    assert trainee.folds == 2 and made.search.length == RECIPE.epochs + 1 == len(states)
    features = trainee.held_out_features(states[-2].first.inner)
    loss, width = made.bench.start(made.bench.counts(made.bench.folds(2))).loss, len(features) // 2
    for fold in range(2):
        model, held = network(), trainee.validation_samples.index[fold]
        train(model, pool.subset(trainee.train_samples.index[fold]), loss, RECIPE, made.plan.seed)
        expected = model[:2](pool.x[held]).detach()
        torch.testing.assert_close(features[fold * width : (fold + 1) * width], expected)
    assert state.first.inner is None and len(state.crossed) == len(features)


def test_the_numbers_of_a_half_are_judged_on_the_other_and_their_mean_is_handed_out():
    made, states = checked(), []
    state = run(made.search, on_step=lambda state, record: states.append(state))
    places = made.search._places()
    halves = made.search._halves(states[-2].first, places)
    starts = [half.start() for half in halves]
    found = [half.search(start, 3) for half, start in zip(halves, starts, strict=True)]
    mean = (found[0].raw["l"] + found[1].raw["l"]) / 2
    torch.testing.assert_close(state.raw["l"].double(), mean, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(state.crossed[places[0]], halves[0].crossed(found[1]), rtol=0.02, atol=0.02)
    loss = made.search.found(state).loss
    assert loss.num_groups == 2 and (loss.l - made.bench.start(made.counts).loss.l).abs().max() > 1e-3


def test_steps_make_the_smooth_objective_smaller_on_what_the_last_layers_were_not_trained_on():
    samples = grouped((300, 100, 40, 160), 5)
    batch = Batch(samples.x[:0], samples.y, samples.group)
    counts = torch.tensor([[300.0, 100.0], [40.0, 160.0]])
    space = LossSpace(fixed_point("group-la", cell_counts=counts), counts, ("w", "l"))
    objective = task_of(problem()).objective("worst_group")
    half = Half(samples.x, batch, space, objective, 0)
    start = half.start()
    found = half.search(start, 8)
    before, after = (float(half.smooth(half.crossed(numbers))) for numbers in (start, found))
    assert after < before


@pytest.mark.parametrize("needed, chosen", [(1e-9, "searched"), (0.999999, "group-la")])
def test_the_choice_compares_with_the_start_on_held_out_samples(needed, chosen):
    made = checked(confidence=needed)
    state = run(made.search)
    choice = select(made, state)
    assert choice.chosen == chosen and set(choice.held_out) == {"searched", "group-la"}
    assert choice.held_out["group-la"] == made.bench.objective.metric(
        state.first.outputs["group-la"], made.search.trainee.judged
    )
    assert choice.held_out["searched"] == made.bench.objective.metric(state.crossed, made.search.trainee.judged)


def test_validation_samples_of_the_source_s_own_are_halved():
    own = checked(of=replace(problem(), own_validation=True))
    places = own.search._places()
    assert own.search.trainee.folds == 0 and sorted(torch.cat(places).tolist()) == list(range(68))
    judged = own.search.trainee.judged
    cells = [(judged.y[place] * 2 + judged.group[place]).bincount().tolist() for place in places]
    assert cells == [[15, 5, 4, 10]] * 2
    state = run(own.search)
    assert len(state.crossed) == 68 and own.search.choice(state) is not None


def test_a_search_that_was_stopped_ends_as_one_that_was_not(tmp_path):
    states = []
    whole = run(checked().search, on_step=lambda state, record: states.append(state))
    for stopped in (states[1], states[2], states[3]):
        torch.save(stopped.to_dict(), tmp_path / "state.pt")
        content = torch.load(tmp_path / "state.pt", weights_only=True)
        assert same(run(checked().search, LastLayerState.from_dict(content)).to_dict(), whole.to_dict())


def test_it_works_without_groups():
    parts = [Samples(part.x, part.y) for part in (grouped((90, 30, 16, 60), 0), grouped((30, 10, 8, 20), 1))]
    of = Problem("toy", *parts, parts[1].subset(torch.empty(0, dtype=torch.int64)), class_names=("a", "b"))
    made = checked(of=of, objective="worst_class")
    state = run(made.search)
    assert made.search.found(state).loss.l.shape == (2,) and made.search.choice(state) is not None


def test_a_path_of_objectives_begins_where_a_search_does_and_goes_on_from_stop_to_stop():
    made, states = checked(objective="balanced_error"), []
    state = run(made.search, on_step=lambda state, record: states.append(state))
    objectives = [made.task.objective(text) for text in ("balanced_error", "worst_group", "worst_group")]
    first, second, third = made.search.along(states[-2], objectives)
    torch.testing.assert_close(first[0].loss.l, made.search.found(state).loss.l)
    torch.testing.assert_close(first[1], state.crossed)
    smooth = [
        float(objectives[1].soft_confusion(output, made.search.trainee.judged, 0.2, 0.05))
        for output in (first[1], second[1], third[1])
    ]
    assert smooth[1] < smooth[0] and not torch.equal(second[0].loss.l, third[0].loss.l)


def test_parts_have_every_cell_in_proportion():
    batch = problem().train.without_inputs()
    part = dealt_by_cell(batch, 0, 2)
    cells = torch.stack([(batch.y * 2 + batch.group)[part == number].bincount() for number in range(2)])
    assert (cells[0] - cells[1]).abs().max() <= 1


def test_what_cannot_be_is_refused():
    assert strategy_of("last-layer") == LastLayer()
    with pytest.raises(InputError, match="moves w and l"):
        checked(free=("delta",))
    with pytest.raises(InputError, match="needs a `start` that is convex"):
        checked(start="ldam-drw")
    with pytest.raises(InputError, match="`steps` is 0"):
        LastLayer(0)
    with pytest.raises(InputError, match="`folds` have no effect"):
        strategy_of("last-layer", folds=3)
    with pytest.raises(InputError, match="`budget` has no effect with the `strategy` last-layer"):
        strategy_of("last-layer", budget=3)


def test_what_it_finds_lessens_the_worst_cell_of_samples_that_nobody_saw():
    of = problem((600, 200, 60, 300), (200, 70, 20, 100))
    made = checked(LastLayer(), of=of, start="ce")
    figures = []
    for loss in (made.bench.start(made.counts).loss, made.search.found(run(made.search)).loss):
        model = network()
        train(model, of.final_training, loss, RECIPE, 0)
        figures.append(made.bench.objective.metric(outputs(model, of.test), of.test.without_inputs()))
    assert figures[1] < figures[0]


def test_it_is_the_default_where_samples_have_groups():
    made = checked(Auto())
    assert isinstance(made.search, LastLayerSearch) and made.plan.confidence == LastLayer.group_confidence == 0.84
    assert checked(Auto(), confidence=0.9).plan.confidence == 0.9
    interleaved = checked(Auto(), free=("delta",))
    assert isinstance(interleaved.search, InterleavedSearch) and interleaved.plan.confidence == 0.99
    bounded = checked(Auto(), objective="balanced_error subject to deo <= 0.1")
    assert isinstance(bounded.search, AutoSearch) and bounded.plan.confidence == 0.99
    for asked in ({"candidates": ("ce",)}, {"free": ("w", "l", "weight_decay")}):  # what it has not is not dropped
        assert isinstance(checked(Auto(), **asked).search, AutoSearch)


def test_a_model_without_a_last_linear_layer_is_refused_and_the_default_does_without():
    model = nn.Sequential(network(), nn.Softplus())
    setting, task = setting_of_model(problem(), model), task_of(problem())
    plan = SearchPlan("worst_group", recipe=RECIPE, strategy=LastLayer())
    with pytest.raises(InputError, match=r"not the output of an nn\.Linear"):
        check(plan, setting, task)
    assert isinstance(check(replace(plan, strategy=Auto()), setting, task).search, AutoSearch)
