"""The geometric-mean loss against its formula in a plain loop."""

import math

import pytest
import torch
from torch.autograd import gradcheck

from autobalance.common import InputError
from autobalance.losses import GeometricMean

COUNTS = [90, 30, 6, 4]


def batch():
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(11, 4, generator=generator, dtype=torch.float64)
    return logits, torch.tensor([0, 0, 0, 1, 0, 2, 1, 0, 0, 2, 1])  # none of class 3


def by_loop(logits, target):
    of_class = {}
    for z, y in zip(logits.tolist(), target.tolist(), strict=True):
        weights = [n * math.exp(v) for n, v in zip(COUNTS, z, strict=True)]
        of_class.setdefault(y, []).append(weights[y] / sum(weights))
    product = math.prod(sum(p) / len(p) for p in of_class.values())
    return -math.log(product ** (1 / len(of_class)))


def test_value_is_that_of_the_loop():
    loss = GeometricMean(COUNTS, dtype=torch.float64)
    assert loss(*batch()).item() == pytest.approx(by_loop(*batch()), rel=1e-12)
    scaled = GeometricMean([10 * n for n in COUNTS], dtype=torch.float64)
    assert scaled(*batch()).item() == pytest.approx(by_loop(*batch()), rel=1e-12)


def test_gradient_and_a_class_that_is_quite_lost():
    logits, target = batch()
    loss = GeometricMean(COUNTS, dtype=torch.float64)
    assert gradcheck(lambda z: loss(z, target), logits.requires_grad_())
    lost = torch.tensor([[900.0, 0.0, 0.0, 0.0], [3.0, 0.0, 0.0, 0.0]], dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(loss(lost, torch.tensor([1, 0])), lost)
    assert torch.isfinite(slope).all() and slope[0, 1] == pytest.approx(-0.5)


def test_targets_are_checked():
    with pytest.raises(InputError, match="target 4 is out of range"):
        GeometricMean(COUNTS)(torch.zeros(1, 4), torch.tensor([4]))
