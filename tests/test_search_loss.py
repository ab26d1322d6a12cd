"""The search from Python."""

import json

import pytest
import torch
from toy import gaussians, linear, same

import autobalance
from autobalance.errors import InputError
from autobalance.hypergradients import Unrolled

TRAIN, VALIDATION = gaussians([40, 17, 6], 0), gaussians([20, 9, 3], 1)
SHORT = {
    "recipe": autobalance.Recipe(epochs=6, batch_size=16),
    "outer": autobalance.OuterLoop(every=5, lr=0.1),
    "hypergradient": autobalance.Replay(3),
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
        return lambda logits, batch: torch.nn.functional.cross_entropy(logits, batch.y, weight=weight)

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
