"""The choice between the searched loss and the fixed ones on held-out samples."""

import math

import numpy as np
import pytest
import torch

from autobalance.bilevel import choose
from autobalance.data import Batch
from autobalance.tasks.objectives import make_objective

COUNTS = (400, 100, 40)


def samples(counts=COUNTS):
    y = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    return Batch(torch.zeros(len(y), 1), y)


def predictions(y, error, seed):
    """Logits that are wrong for a share of each class."""
    generator = torch.Generator().manual_seed(seed)
    wrong = torch.rand(len(y), generator=generator) < torch.tensor(error)[y]
    return torch.nn.functional.one_hot((y + wrong) % 3, 3).double()


def metric(output, batch):
    return make_objective("balanced_error").metric(output, batch)


def decide(outputs, needed=0.9, counts=COUNTS, seed=0):
    batch = samples(counts)
    return choose(outputs, "la", batch, batch.y.numpy(), metric, needed, seed)


def test_a_clear_winner_is_chosen_and_a_clear_loser_is_not():
    y = samples().y
    good, bad, middle = (predictions(y, [e] * 3, seed) for seed, e in enumerate((0.05, 0.4, 0.2)))
    won = decide({"searched": good, "ce": bad, "la": middle})
    assert (won.chosen, won.best_fixed) == ("searched", "la")
    assert won.margin == pytest.approx(won.held_out["la"] - won.held_out["searched"]) and won.margin > 5
    assert won.confidence > 0.99 and 0 < won.interval[0] < won.margin < won.interval[1]
    lost = decide({"searched": bad, "la": middle, "ce": good})
    assert (lost.chosen, lost.best_fixed) == ("ce", "ce"), "another fixed loss clearly beats the start"
    lost = decide({"searched": bad, "la": good, "ce": middle})
    assert (lost.chosen, lost.best_fixed) == ("la", "la") and lost.margin < 0 and lost.confidence < 0.01


def test_without_confidence_the_fixed_loss_stays():
    y = samples().y
    first = predictions(y, [0.2] * 3, 0)
    second = first.clone()
    second[[0, 410]] = torch.nn.functional.one_hot(y[[0, 410]], 3).double()  # two more hits at most
    close = decide({"searched": second, "la": first})
    assert close.margin >= 0 and close.chosen == "la"
    other = decide({"searched": first, "la": first, "ce": second})
    assert (other.chosen, other.best_fixed) == ("la", "la") and other.held_out["ce"] <= other.held_out["la"]
    same = decide({"searched": first, "la": first})
    assert same.margin == 0 and same.confidence == 0.5 and same.interval == (0, 0)
    assert decide({"searched": first, "la": first}, needed=0.5).chosen == "searched"


def test_the_interval_is_that_of_the_formula():
    """The standard error of a mean over classes of paired differences, in closed form."""
    y = samples().y
    outputs = {"searched": predictions(y, [0.1, 0.2, 0.3], 0), "la": predictions(y, [0.15, 0.2, 0.35], 1)}
    found = decide(outputs, seed=3)
    hit = {name: (output.argmax(1) == y).double() for name, output in outputs.items()}
    difference = 100 * (hit["searched"] - hit["la"])
    variance = sum(difference[y == k].var(correction=0) / (y == k).sum() for k in range(3)) / 9
    width = 2 * 1.96 * math.sqrt(variance)
    assert found.interval[1] - found.interval[0] == pytest.approx(width, rel=0.1)


def test_a_class_keeps_its_samples_in_every_resampling():
    """With one sample in a class, its part of the metric never changes."""
    batch = samples((50, 1))
    seen = []

    def watched(output, again):
        seen.append(np.bincount(again.y.numpy(), minlength=2).tolist())
        return 0.0

    output = torch.zeros(51, 2)
    choose({"searched": output, "la": output}, "la", batch, batch.y.numpy(), watched, 0.9)
    assert len(seen) > 400 and all(counts == [50, 1] for counts in seen)


def test_the_same_seed_gives_the_same_choice():
    y = samples().y
    outputs = {"searched": predictions(y, [0.2] * 3, 0), "la": predictions(y, [0.2] * 3, 1)}
    assert decide(outputs) == decide(outputs) != decide(outputs, seed=1)
