"""The choice between the searched loss and the fixed ones on held-out samples."""

import math
from functools import partial

import numpy as np
import pytest
import torch

from autobalance.bilevel import choose
from autobalance.bilevel._guard import doubted
from autobalance.data import Batch
from autobalance.tasks.metrics import Context, Largest
from autobalance.tasks.objectives import Standing, make_objective, standing

COUNTS = (400, 100, 40)


def samples(counts=COUNTS):
    y = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    return Batch(torch.zeros(len(y), 1), y)


def predictions(y, error, seed):
    """Logits that are wrong for a share of each class."""
    generator = torch.Generator().manual_seed(seed)
    wrong = torch.rand(len(y), generator=generator) < torch.tensor(error)[y]
    return torch.nn.functional.one_hot((y + wrong) % 3, 3).double()


def decide(outputs, needed=0.9, counts=COUNTS, seed=0, objective="balanced_error"):
    batch, made = samples(counts), make_objective(objective, Context(3, class_names=("a", "b", "rare")))
    return choose(outputs, "la", batch, batch.y.numpy(), partial(standing, made), needed, seed)


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


def test_doubt_adds_what_each_candidate_alone_gets_wrong():
    batch = samples((10, 4, 2))
    outputs = {name: predictions(batch.y, [e] * 3, 5) + 0.3 for name, e in (("searched", 0.0), ("la", 0.5))}
    more, together = doubted(outputs, batch, batch.y.numpy())
    assert together.y[16:].tolist() == [0, 1, 2] * 2 and torch.equal(together.y[:16], batch.y)
    wrong = {name: (output.argmax(1) != together.y)[16:].tolist() for name, output in more.items()}
    assert wrong == {"searched": [True] * 3 + [False] * 3, "la": [False] * 3 + [True] * 3}
    for name, output in more.items():
        assert torch.equal(output[:16], outputs[name])
        mean = torch.stack([outputs[name][batch.y == k].mean(0) for k in range(3)])
        for row in (output[16:19], output[19:]):  # the class's mean logits, dealt anew
            torch.testing.assert_close(row.sort(1).values, mean.sort(1).values)


def test_doubt_of_the_largest_logits_is_that_of_all_logits():
    batch = samples((10, 4, 2))
    outputs = {name: predictions(batch.y, [e] * 3, 5) + 0.3 for name, e in (("searched", 0.3), ("la", 0.5))}
    more, together = doubted(outputs, batch, batch.y.numpy())
    largest = {name: Largest.of(output, batch.y, 2) for name, output in outputs.items()}
    classes, again = doubted(largest, batch, batch.y.numpy())
    assert torch.equal(again.y, together.y)
    for name, output in more.items():
        right = output.argmax(1) == together.y
        assert torch.equal(classes[name] == together.y, right) and not right[16:].all()
        assert torch.equal(classes[name][:16], output[:16].argmax(1))


@pytest.mark.parametrize("number, sure", [(10, False), (200, True)])
def test_doubt_weighs_on_rare_classes_alone(number, sure):
    batch = samples((400, number))
    right = torch.nn.functional.one_hot(batch.y, 3).double()
    some = right.clone()
    some[400 : 400 + number // 5] = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)  # a fifth is wrong
    made = make_objective("balanced_error", Context(2, class_names=("a", "rare")))
    judge = partial(standing, made)
    outputs, held = {"searched": right[:, :2], "la": some[:, :2]}, batch
    assert choose(outputs, "la", held, held.y.numpy(), judge, 0.9).confidence > 0.9
    outputs, held = doubted(outputs, held, held.y.numpy())
    assert (choose(outputs, "la", held, held.y.numpy(), judge, 0.9).confidence > 0.9) == sure


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
        return Standing(0.0, 0.0)

    output = torch.zeros(51, 2)
    choose({"searched": output, "la": output}, "la", batch, batch.y.numpy(), watched, 0.9)
    assert len(seen) > 400 and all(counts == [50, 1] for counts in seen)


def test_the_same_seed_gives_the_same_choice():
    y = samples().y
    outputs = {"searched": predictions(y, [0.2] * 3, 0), "la": predictions(y, [0.2] * 3, 1)}
    assert decide(outputs) == decide(outputs) != decide(outputs, seed=1)


CONSTRAINED = "error subject to recall(rare)>=0.8"


def rare(recall, error, seed=0):
    """Logits with a recall of the rare class, to the sample, and an error of the others."""
    y = samples().y
    answer = predictions(y, [error, error, 0.0], seed).argmax(1)
    answer[500 + round(40 * recall) :] = 0
    return torch.nn.functional.one_hot(answer, 3).double()


@pytest.mark.parametrize(("searched", "start", "chosen"), [
    ((0.8, 0.3), (0.775, 0.1), "searched"),  # only it meets the constraint, if by a sample
    ((0.775, 0.1), (0.8, 0.3), "la"),
    ((0.8, 0.1), (1.0, 0.3), "searched"),  # both do: the error decides, not by how much the bound is exceeded
    ((1.0, 0.3), (0.8, 0.1), "la"),
    ((0.6, 0.3), (0.1, 0.1), "searched"),  # neither does: it comes nearer
    ((0.1, 0.1), (0.6, 0.3), "la"),
])  # fmt: skip
def test_constraints_come_first(searched, start, chosen):
    outputs = {"searched": rare(*searched), "la": rare(*start, seed=1)}
    found = decide(outputs, objective=CONSTRAINED)
    assert found.chosen == chosen and found.best_fixed == "la"
    y = samples().y
    errors = {name: 100 * (output.argmax(1) != y).double().mean().item() for name, output in outputs.items()}
    assert found.held_out == pytest.approx(errors) and found.margin == pytest.approx(errors["la"] - errors["searched"])
    for name, recall in (("searched", searched[0]), ("la", start[0])):
        stands = found.constraints[name]["recall(rare)>=0.8"]
        assert stands["value"] == pytest.approx(recall)
        assert stands["violation"] == pytest.approx(max(0, 0.8 - recall), abs=1e-12)


def test_a_fixed_loss_that_meets_the_constraints_replaces_a_start_that_does_not():
    outputs = {"searched": rare(0.7, 0.05), "la": rare(0.6, 0.05, 1), "ce": rare(0.8, 0.2, 2), "cb": rare(0.9, 0.4, 3)}
    found = decide(outputs, objective=CONSTRAINED)
    assert (found.chosen, found.best_fixed) == ("ce", "ce")


def test_of_two_that_miss_a_bound_the_nearer_one_needs_confidence():
    y = samples().y
    outputs = {"searched": rare(0.5, 0.1), "la": rare(0.475, 0.1)}  # which differ in one sample
    found = decide(outputs, objective=CONSTRAINED)
    assert found.chosen == "la" and 0.5 < found.confidence < 0.9
    drawn = np.random.default_rng(1).integers(40, size=(20000, 40))
    hits = [(output.argmax(1) == y)[500:].numpy()[drawn].mean(1) for output in outputs.values()]
    alone = np.mean(hits[0] > hits[1]) + 0.5 * np.mean(hits[0] == hits[1])
    assert found.confidence == pytest.approx(alone, abs=0.06)
    assert decide(outputs, needed=0.5, objective=CONSTRAINED).chosen == "searched"
