"""LFME: its loss as a plain loop, its schedules, and its experts."""

from __future__ import annotations

import math

import pytest
import torch
from step_cases import RECIPE, trained, training_of
from torch.autograd import gradcheck

from autobalance.common import InputError
from autobalance.data import load
from autobalance.losses.named import fixed_point
from autobalance.study import named_method
from autobalance.study.steps import _lfme as lfme
from autobalance.training import Setting, setting_of

COUNTS = torch.tensor([400, 200, 60, 30, 10, 5])
PARTS = [[0, 1], [2, 3], [4, 5]]
LEAST = [7.5 / 300, 7.5 / 45, 1.0]


@pytest.fixture(scope="module")
def setting() -> Setting:
    return setting_of(load("digits"), "mlp")


def batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    z, e = (torch.randn(12, 6, generator=generator, dtype=torch.float64) for _ in range(2))
    return z, e, torch.arange(12) % 6


def softmax(row: list[float], temperature: float = 1.0) -> list[float]:
    total = sum(math.exp(v / temperature) for v in row)
    return [math.exp(v / temperature) / total for v in row]


def by_loop(weights: list[float], progress: float) -> float:
    total = 0.0
    for z, e, y in zip(*(t.tolist() for t in batch()), strict=True):
        part = next(l for l, own in enumerate(PARTS) if y in own)  # noqa: E741
        told = 0.0
        for w, own in zip(weights, PARTS, strict=True):
            p, q = (softmax([row[k] for k in own], 2.0) for row in (e, z))
            told += w * sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
        sure = softmax([e[k] for k in PARTS[part]])[PARTS[part].index(y)]
        start = LEAST[part] + (1 - LEAST[part]) * sure
        ease = start + (1 - start) * min(1.0, progress / 0.5)
        total += ease * (-math.log(softmax(z)[y]) + told) / 12
    return total


def loss_of(progress: float = 0.0) -> lfme.Distilled:
    loss = lfme.Distilled(fixed_point("ce", COUNTS, dtype=torch.float64), COUNTS).double()
    loss.start_epoch(progress)
    return loss


def test_parts_are_those_of_the_shots() -> None:
    assert lfme.parts_of(COUNTS).tolist() == [0, 0, 1, 1, 2, 2]
    assert lfme.parts_of(torch.tensor([19, 101, 100, 20])).tolist() == [2, 0, 1, 1]
    assert lfme.parts_of(torch.tensor([5, 500])).tolist() == [1, 0]


@pytest.mark.parametrize("progress", [0.0, 0.2, 0.7])
def test_value_is_that_of_the_loop(progress: float) -> None:
    z, e, y = batch()
    loss = loss_of(progress)
    assert loss(z, y, features=e).item() == pytest.approx(by_loop([1.0] * 3, progress), rel=1e-6)
    assert gradcheck(lambda logits: loss(logits, y, features=e), z.requires_grad_())
    plain = fixed_point("ce", COUNTS, dtype=torch.float64)
    torch.testing.assert_close(loss.eval()(z, y), plain(z, y))


def test_an_expert_says_less_as_the_student_comes_near_it() -> None:
    loss, (z, e, y) = loss_of(), batch()
    loss(z, y, features=e)
    hits = {"student": [0] * 3, "expert": [0] * 3}
    for row, its, k in zip(z.tolist(), e.tolist(), y.tolist(), strict=True):
        part = next(place for place, own in enumerate(PARTS) if k in own)
        hits["student"][part] += row.index(max(row)) == k
        hits["expert"][part] += max(PARTS[part], key=lambda c: its[c]) == k
    assert loss.seen.tolist() == [[4.0] * 3, hits["student"], hits["expert"]]
    loss.seen.copy_(torch.tensor([[10, 10, 10], [2, 5, 9], [8, 8, 8]]))  # 0.2 < 0.3 · 0.8; 0.5; above the expert
    loss.start_epoch(0.5)
    expected = [1.0, (0.8 - 0.5) / (0.8 * 0.7), 0.0]
    assert loss.weights.tolist() == pytest.approx(expected) and not loss.seen.any()
    assert loss(z, y, features=e).item() == pytest.approx(by_loop(expected, 0.5), rel=1e-6)
    loss.start_epoch(0.0)
    assert loss.weights.tolist() == [1.0] * 3, "a new training"


def test_experts_know_their_part_and_stay_as_they_are(setting: Setting) -> None:
    method, training = training_of(setting, "ce+lfme", lfme_share=10.0)
    parts = lfme.parts_of(training.class_counts)
    assert parts.max() == 2
    model = method.model_of(training)
    (step,) = method.steps
    assert isinstance(model, lfme.Taught) and step.before is not None
    step.before(model, training)
    samples = training.samples
    logits, experts = model.train()(samples.x, return_features=True)
    assert not any(expert.training for expert in model.experts) and model.student.training
    assert not any(p.requires_grad for p in model.experts.parameters())
    for part, expert in enumerate(model.experts):
        own = parts == part
        assert torch.equal(experts[:, own], expert(samples.x)[:, own])
        inside = own[samples.y]
        guesses = expert(samples.x[inside]).masked_fill(~own, -torch.inf).argmax(1)  # type: ignore[index]
        assert (guesses == samples.y[inside]).float().mean() > 0.8
    assert torch.equal(logits, model(samples.x))


def test_a_training_from_end_to_end_and_what_is_refused(setting: Setting) -> None:
    model, x = trained(setting, "la+lfme+crt"), setting.problem.validation.x
    assert model(x).shape == (len(x), 10) and not isinstance(model, lfme.Taught)
    assert named_method("lfme").steps == named_method("ce+lfme").steps
    few = setting_of(load("digits-groups"), "mlp")
    with pytest.raises(InputError, match="no features for"):
        named_method("ib+lfme").check(setting, RECIPE)
    with pytest.raises(InputError, match="all are in one"):
        named_method("ce+lfme").check(few, RECIPE)
