"""The search from Python."""

import json

import pytest
import torch
from toy import gaussians, linear, same

import autobalance
from autobalance.common import InputError
from autobalance.hypergradients import Unrolled
from autobalance.models import Calibrated

TRAIN, VALIDATION = gaussians([40, 17, 6], 0), gaussians([20, 9, 3], 1)
SHORT = {
    "recipe": autobalance.Recipe(epochs=6, batch_size=16),
    "outer": autobalance.OuterLoop(every=5, lr=0.1),
    "hypergradient": autobalance.Replay(3),
    "strategy": "interleaved",
}


def search(*args, **settings):
    return autobalance.search_loss(*(args or (linear(3), TRAIN, VALIDATION)), **{**SHORT, **settings})


def test_a_loss_and_how_it_came_about():
    model, seen = linear(3), []
    before = {name: value.clone() for name, value in model.state_dict().items()}
    result = search(model, TRAIN, VALIDATION, on_epoch=seen.append)
    assert same(dict(model.state_dict()), before)
    assert result.history == seen and [record["epoch"] for record in seen] == [1, 2, 3, 4, 5, 6]
    assert {"phase", "train_loss", "objective", "balanced_error", "parameters"} <= set(seen[0])
    assert result.outer_steps > 1 and result.skipped_steps == 0
    start = autobalance.fixed_point("la", [40, 17, 6])
    assert (result.loss.l - (start.l - start.l.mean())).abs().max() > 1e-3
    assert result.loss(linear(3)(TRAIN.x), TRAIN.y).isfinite()


def test_what_is_saved_loads_as_the_same_loss(tmp_path):
    result = search()
    result.save(tmp_path / "new" / "run")
    loaded = autobalance.load_loss(tmp_path / "new" / "run" / "loss.json", dtype=torch.float64)
    logits = linear(3)(TRAIN.x)
    assert loaded(logits, TRAIN.y).item() == pytest.approx(result.loss(logits, TRAIN.y).item(), rel=1e-6)
    lines = (tmp_path / "new" / "run" / "history.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == result.history


def test_the_arguments_reach_the_search():
    only = search(free=("l",), tie="class", start="vs")
    start = autobalance.fixed_point("vs", [40, 17, 6])
    torch.testing.assert_close(only.loss.delta.float(), start.delta)
    assert set(only.history[0]["parameters"]) == {"l"}
    moved = (only.loss.l.float() - start.l) / torch.tensor([40, 17, 6]).log()
    assert moved.std() > 1e-4  # no line in log n
    assert same(search(hypergradient=Unrolled(3)).history[0], search().history[0])  # the warm-up
    assert search(seed=1).history != search().history == search().history
    late = search(free=("l", "w"), late=("w",), late_start=0.5)
    assert [stage.start for stage in late.loss.stages] == [0, 0.5]


def test_an_objective_of_ones_own():
    def of_class(k):
        weight = torch.eye(3).double()[k]
        return lambda logits, target, group: torch.nn.functional.cross_entropy(logits, target, weight=weight)

    # A smaller l in training makes a class's logits larger.
    first, last = (search(objective=of_class(k), free=("l",)).loss.l for k in (0, 2))
    assert first[0] - first[2] < last[0] - last[2] - 0.1


def test_a_start_that_is_a_loss():
    start = autobalance.fixed_point("ldam", [40, 17, 6], dtype=torch.float64)
    result = search(start=start, free=("l",))
    assert torch.equal(result.loss.margin, start.margin) and result.loss.scale == 30


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"objective": "accuracy"}, "no objective is called 'accuracy'"),
        ({"start": "nothing"}, "no fixed loss is called 'nothing'"),
        ({"start": autobalance.fixed_point("ce", [2, 2])}, "has 2 classes"),
        ({"free": ("m",)}, "'m' cannot be searched"),
        ({"recipe": autobalance.Recipe(epochs=1)}, "leaves no room for a hypergradient"),
    ],
)
def test_what_cannot_be_is_refused(settings, words):
    with pytest.raises(InputError, match=words):
        search(**settings)


def test_a_class_without_training_samples_is_refused():
    with pytest.raises(InputError):
        search(linear(3), gaussians([40, 0, 6], 0), VALIDATION)
    with pytest.raises(InputError):
        search(linear(3), gaussians([40, 17, 0], 0), VALIDATION, start=autobalance.fixed_point("ce", [1, 1, 1]))


def numbers(number, seed, dtype=torch.float32):
    """A skewed target that is linear in two features but for noise: (x, y)."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.empty(number, 2, dtype=dtype).exponential_(generator=generator)
    return x, 3 * x[:, 0] - x[:, 1] + 0.3 * torch.randn(number, generator=generator, dtype=dtype)


def search_numbers(**settings):
    torch.manual_seed(0)
    samples = (numbers(150, 0), numbers(60, 1))
    given = {"recipe": autobalance.Recipe(epochs=6, batch_size=16, lr=0.02), "task": "regression", "bins": 6}
    given["strategy"] = "interleaved"
    return search(torch.nn.Linear(2, 1), *samples, **{**given, **settings})


def test_a_regression_is_searched_over_bins_of_the_target(tmp_path):
    result = search_numbers()
    y = numbers(150, 0)[1].double()
    edges = torch.linspace(y.min().item(), y.max().item(), 7, dtype=torch.float64)
    torch.testing.assert_close(result.loss.bin_edges, edges)
    start = autobalance.fixed_point("sqinv", targets=y, bin_edges=edges)
    assert (result.loss.w - start.w).abs().max() > 1e-3 and result.outer_steps > 1
    assert {"balanced_mae", "mae", "objective", "parameters"} <= set(result.history[0])
    assert result.history[-1]["balanced_mae"] < result.history[0]["balanced_mae"]
    result.save(tmp_path)
    loaded = autobalance.load_loss(tmp_path / "loss.json")
    x, y = numbers(20, 2)
    assert loaded(2 * x[:, :1], y).item() == pytest.approx(result.loss(2 * x[:, :1], y).item(), rel=1e-5)


def test_the_settings_of_a_regression_reach_the_search():
    given = [-2.0, 0.0, 2.0, 4.0, 12.0]
    balanced = search_numbers(bins=given, start="balanced-mse", free=("w", "l", "delta"), tie="class", objective="gm")
    assert balanced.loss.bin_edges.tolist() == given and balanced.loss.error == "balanced-mse"
    assert balanced.loss.l.std() > 1e-4 and balanced.loss.delta.std() > 1e-4
    again = search_numbers(bins=None, start=balanced.loss, free=("l",))
    assert again.loss.bin_edges.tolist() == given and torch.equal(again.loss.delta, balanced.loss.delta)
    own = search_numbers(objective=lambda output, target, group: ((output[:, 0] - target) ** 2).mean())
    assert own.history[0] != search_numbers().history[0] != search_numbers(objective="mse").history[0]
    assert own.loss.w.tolist() == search_numbers(objective="mse").loss.w.tolist()


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"task": "ranking", "bins": None}, "no task is called 'ranking'"),
        ({"bins": 1}, "1 bins cannot tell a rare target"),
        ({"bins": [0.0, 3.0, 2.0]}, "ascending order"),
        ({"objective": "balanced_error"}, "no objective is called .balanced_error.; for regression there are"),
        ({"free": ("l",)}, "'l' has no effect"),
        ({"start": autobalance.fixed_point("l1", bin_counts=[1, 2])}, "which has its own"),
    ],
)
def test_what_cannot_be_for_a_regression(settings, words):
    with pytest.raises(InputError, match=words):
        search_numbers(**settings)


def test_targets_that_cannot_be():
    (x, y), model, given = numbers(40, 0), torch.nn.Linear(2, 1), {"task": "regression"}
    with pytest.raises(InputError, match=r"y_train\[3\] is nan"):
        search(model, (x, y.index_fill(0, torch.tensor([3]), float("nan"))), (x, y), **given)
    with pytest.raises(InputError, match="y_val has shape"):
        search(model, (x, y), (x, y[:5]), **given)
    with pytest.raises(InputError, match="groups"):
        search(model, (x, y, torch.zeros(40, dtype=torch.int64)), (x, y), **given)
    with pytest.raises(InputError, match='task="regression"'):
        search(model, (x, y), (x, y), bins=5)


def test_the_strength_of_a_models_smoothing():
    def smoothed():
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.ReLU(), torch.nn.Linear(4, 1))
        return Calibrated(model, "1", lambda width: autobalance.FDS(width, 3, ks=3), torch.zeros(1, 2), [-9, 0, 3, 30])

    samples, given = (numbers(150, 0), numbers(60, 1)), {"task": "regression", "bins": [-9.0, 0.0, 3.0, 30.0]}
    found = search(smoothed(), *samples, free=("w", "fds"), **given)
    assert 0 < found.fds_strength < 1 and found.fds_strength != 0.5 and found.history[0]["fds"] == 0.5
    assert search(smoothed(), *samples, **given).fds_strength is None
    with pytest.raises(InputError, match="the model has no feature smoothing"):
        search_numbers(free=("w", "fds"))
    with pytest.raises(InputError, match="unrolled does not work with feature-distribution smoothing"):
        search(smoothed(), *samples, **{**given, "hypergradient": Unrolled(3)})


def test_folds_are_searched_on_and_the_choice_is_made():
    result = search(free=("l", "weight_decay"), folds=2, confidence=0.8, candidates=("ce",))
    assert set(result.choice.held_out) == {"searched", "la", "ce", "la+rates"}
    assert result.choice.chosen == ("searched" if result.choice.confidence >= 0.8 else result.choice.best_fixed)
    assert (result.loss is result.searched) == (result.choice.chosen == "searched")
    with_found = result.choice.chosen in ("searched", "la+rates")
    assert (result.recipe != SHORT["recipe"]) == with_found


@pytest.mark.parametrize("confidence", [1e-9, 2.0])
def test_the_chosen_loss_is_the_result(confidence):
    result = search(confidence=confidence)
    won = result.choice.confidence >= confidence
    assert (result.loss is result.searched) == won
    if not won:
        assert torch.equal(result.loss.l, autobalance.fixed_point("la", [60, 26, 9]).l)  # of all samples


def test_without_a_choice_the_searched_loss_is_the_result():
    result = search()
    assert result.choice is None and result.loss is result.searched
    with pytest.raises(InputError, match="`candidates` ce have no effect"):
        search(candidates=("ce",))


def test_the_published_form_through_a_whole_search():
    outer = autobalance.OuterLoop(every=5, lr=0.5, optimizer="sgd", averaged=0.0)
    result = search(form="published", free=["l", "delta"], tie="class", start="ce", outer=outer)
    assert ((result.loss.delta > 0) & (result.loss.delta < 1)).all() and result.loss.delta.std() > 0
    with pytest.raises(InputError, match="`form` published is for the `strategy` interleaved alone"):
        search(form="published", strategy="prediction", hypergradient=None, outer=None)
