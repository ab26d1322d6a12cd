"""Models of several inputs, and answers with logits by name, as models of one tensor."""

from collections import namedtuple

import pytest
import torch
from torch import nn

from autobalance.data.intake import Packing
from autobalance.models import adapted

X = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
LINEAR = nn.Linear(3, 2)


class Answering(nn.Module):
    def __init__(self, answer):
        super().__init__()
        self.linear, self.answer = LINEAR, answer

    def forward(self, x):
        return self.answer(self.linear(x))


@pytest.mark.parametrize("answer", [lambda z: namedtuple("Output", "loss logits")(None, z), lambda z: {"logits": z}])
def test_logits_by_their_name(answer):
    model = adapted(Answering(answer).train(), X)
    assert torch.equal(model(X), LINEAR(X)) and model.training


def test_other_models_stay_as_they_are():
    for answer in (lambda z: z, lambda z: (z, z)):
        model = Answering(answer)
        assert adapted(model, X) is model
    broken = nn.Linear(7, 2)
    assert adapted(broken, X) is broken


class Named(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = LINEAR

    def forward(self, x, scale=None):
        return self.linear(x) * (1 if scale is None else scale[:, None])


class Anything(Named):
    def forward(self, **inputs):
        return super().forward(inputs["x"], inputs["scale"])


class OneDict(Named):
    def forward(self, batch):
        return super().forward(batch["x"], batch["scale"])


class OneTuple(Named):
    def forward(self, batch):
        return super().forward(*batch)


@pytest.mark.parametrize("kind", [Named, Anything, OneDict])
def test_inputs_go_where_they_are_taken(kind):
    inputs = {"x": X, "scale": torch.arange(5), "index": torch.arange(5)}
    packing = Packing.of(inputs, "x")
    model = adapted(kind(), X, packing)
    rows = torch.from_numpy(packing.pack(inputs, "x"))
    assert torch.equal(model(rows), LINEAR(X) * torch.arange(5)[:, None])


@pytest.mark.parametrize("kind", [Named, OneTuple])
def test_inputs_of_a_tuple(kind):
    inputs = (X, torch.arange(5))
    packing = Packing.of(inputs, "x")
    rows = torch.from_numpy(packing.pack(inputs, "x"))
    assert torch.equal(adapted(kind(), X, packing)(rows), LINEAR(X) * torch.arange(5)[:, None])
