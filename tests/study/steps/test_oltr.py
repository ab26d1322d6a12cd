"""OLTR: its embedding and its loss as plain loops, and its two stages."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from step_cases import RECIPE, trained, training_of
from torch import nn
from torch.autograd import gradcheck

from autobalance.common import InputError
from autobalance.data import load
from autobalance.losses.named import fixed_point
from autobalance.study import named_method
from autobalance.study.steps import _oltr as oltr
from autobalance.training import Setting, setting_of


@pytest.fixture(scope="module")
def setting() -> Setting:
    return setting_of(load("digits"), "mlp")


def embedding() -> oltr.MetaEmbedding:
    torch.manual_seed(0)
    head = oltr.MetaEmbedding(4, 3).double()
    nn.init.normal_(head.memory)
    return head


def logits_by_loop(head: oltr.MetaEmbedding, v: np.ndarray) -> list[float]:
    memory, weight = (p.detach().numpy() for p in (head.memory, head.weight))
    query = [float(w @ v + b) for w, b in zip(head.query.weight.tolist(), head.query.bias.tolist(), strict=True)]
    chances = [math.exp(q) / sum(math.exp(r) for r in query) for q in query]
    recalled = sum(o * m for o, m in zip(chances, memory, strict=True))
    chosen = np.tanh(head.select.weight.detach().numpy() @ v + head.select.bias.detach().numpy())
    nearest = min(math.dist(v, m) for m in memory)
    meta = 10 / nearest * (v + chosen * recalled)
    length = math.sqrt(sum(meta**2))
    squashed = length**2 / (1 + length) * meta / length**2
    return [16 * float(squashed @ w) / math.sqrt(sum(w**2)) for w in weight]


def test_meta_embedding_is_that_of_the_loop() -> None:
    head, features = embedding(), torch.randn(6, 4, dtype=torch.float64)
    expected = [logits_by_loop(head, v) for v in features.numpy()]
    np.testing.assert_allclose(head(features).detach().numpy(), expected, rtol=1e-10)
    assert gradcheck(head, features.requires_grad_())
    assert torch.isfinite(head(head.memory)).all(), "a feature that lies on the memory"


def test_the_memory_is_moved_by_its_own_loss_alone() -> None:
    head, features = embedding(), torch.randn(6, 4, dtype=torch.float64)
    target = torch.tensor([0, 1, 2, 0, 0, 1])
    base = fixed_point("la", [5, 3, 2], dtype=torch.float64)
    (slope,) = torch.autograd.grad(base(head(features), target), head.memory, materialize_grads=True, allow_unused=True)
    assert not slope.any()
    loss = oltr.Centred(base, 0.3)
    value = loss(head(features), target, features=head.distances(features))
    memory, total = head.memory.detach().numpy(), 0.0
    attract = sum(math.dist(v, memory[y]) ** 2 for v, y in zip(features.numpy(), target, strict=True)) / 6 / 2
    for v, y in zip(features.numpy(), target.tolist(), strict=True):
        total += sum(math.dist(v, memory[k]) ** 2 for k in range(3) if k != y)
    expected = base(head(features), target).item() + 0.3 * (attract + 0.01 * max(0.0, 10 - total / 18))
    assert value.item() == pytest.approx(expected, rel=1e-12)


def test_the_memory_begins_as_the_classes_means_after_a_first_stage(setting: Setting) -> None:
    method, training = training_of(setting, "ce+oltr")
    model = method.model_of(training)
    (step,) = method.steps
    assert step.before is not None and isinstance(model.head, oltr.MetaEmbedding)
    before = [p.detach().clone() for p in model.body.parameters()]  # type: ignore[union-attr]
    step.before(model, training)
    assert not any(torch.equal(a, b) for a, b in zip(before, model.body.parameters(), strict=True))  # type: ignore[union-attr]
    features = model.eval().body(training.samples.x).detach().numpy()  # type: ignore[operator]
    means = [features[training.samples.y.numpy() == k].mean(0) for k in range(10)]
    np.testing.assert_allclose(model.head.memory.detach().numpy(), means, rtol=1e-4, atol=1e-5)


def test_a_training_from_end_to_end_and_what_is_refused(setting: Setting) -> None:
    model, x = trained(setting, "la+oltr"), setting.problem.validation.x
    assert model(x).shape == (len(x), 10) and torch.isfinite(model(x)).all()
    refused = {"ldam+oltr": "have a CosineLinear", "ib+oltr": "no features for", "ce+lfme+oltr": "parts"}
    for name, words in refused.items():
        with pytest.raises(InputError, match=words):
            named_method(name).check(setting, RECIPE)
