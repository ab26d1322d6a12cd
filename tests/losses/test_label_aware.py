"""Label-aware smoothing against its formula in a plain loop."""

import math

import pytest
import torch

from autobalance.common import InputError
from autobalance.losses import LabelAware, deferred
from autobalance.losses.named import fixed_point

COUNTS = [100, 40, 10]


def batch():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(8, 3, generator=generator), torch.arange(8) % 3


def shares_by_hand(head, tail):
    rows = []
    for y, n in enumerate(COUNTS):
        epsilon = tail + (head - tail) * math.sin((n - 10) * math.pi / (2 * 90))
        rows.append([1 - epsilon if k == y else epsilon / 2 for k in range(3)])
    return rows


def test_value_is_the_cross_entropy_with_the_smoothed_labels():
    logits, target = batch()
    loss = LabelAware(fixed_point("ce", COUNTS, reduction="none"), COUNTS, head=0.4, tail=0.1)
    rows = shares_by_hand(0.4, 0.1)
    for z, y, value in zip(logits.tolist(), target.tolist(), loss(logits, target).tolist(), strict=True):
        total = math.log(sum(math.exp(v) for v in z))
        assert value == pytest.approx(sum(q * (total - v) for q, v in zip(rows[y], z, strict=True)), rel=1e-5)


def test_equal_classes_have_the_tails_and_mixtures_are_smoothed_too():
    equal = LabelAware(fixed_point("la", [5, 5, 5]), [5, 5, 5])
    logits, target = batch()
    torch.testing.assert_close(equal(logits, target), fixed_point("la", [5, 5, 5])(logits, target))
    loss = LabelAware(fixed_point("la", COUNTS), COUNTS)
    mixed = 0.3 * loss.smoothed[0] + 0.7 * loss.smoothed[2]
    torch.testing.assert_close(
        loss(logits[:1], torch.tensor([[0.3, 0.0, 0.7]])), fixed_point("la", COUNTS)(logits[:1], mixed[None])
    )


def test_schedules_and_weights_around_and_inside():
    logits, target = batch()
    weight = [1.0, 2.0, 5.0]
    inside = LabelAware(deferred(fixed_point("ce", COUNTS), weight, 0.5), COUNTS)
    around = deferred(LabelAware(fixed_point("ce", COUNTS), COUNTS), weight, 0.5)
    early = LabelAware(fixed_point("ce", COUNTS), COUNTS)(logits, target)
    for loss in (inside, around):
        loss.start_epoch(0.0)
        torch.testing.assert_close(loss(logits, target), early)
        loss.start_epoch(0.7)
    torch.testing.assert_close(inside(logits, target), around(logits, target))
    assert not torch.allclose(inside(logits, target), early)


def test_a_base_that_takes_one_class_a_sample_is_refused():
    with pytest.raises(InputError, match="not for CSL"):
        LabelAware(fixed_point("csl", COUNTS), COUNTS)
    with pytest.raises(InputError, match="head"):
        LabelAware(fixed_point("ce", COUNTS), COUNTS, head=1.5)
