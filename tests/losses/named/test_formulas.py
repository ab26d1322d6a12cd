"""Every named loss against a plain loop of its published formula, and the identities between them."""

import math

import loss_oracles
import pytest
import torch
import torch.nn.functional as F
from torch.autograd import gradcheck

from autobalance.losses import ParametricLoss
from autobalance.losses.named import fixed_point, fixed_points

COUNTS = [400, 90, 30, 7, 2]
HYPER = {
    "cb": {"beta": 0.99},
    "focal": {"gamma": 0.7},
    "cb-focal": {"beta": 0.9, "gamma": 1.4},
    "la": {"tau": 0.6},
    "cdt": {"gamma": 0.35},
    "vs": {"gamma": 0.15, "tau": 1.25},
    "ldam": {"max_m": 0.3, "s": 4.0},
    "ldam-drw": {"max_m": 0.3, "s": 4.0, "beta": 0.99},
    "ib": {"alpha": 10.0, "epsilon": 0.1},
    "ib-cb": {"alpha": 10.0, "epsilon": 0.1, "beta": 0.99},
    "ib-focal": {"alpha": 10.0, "epsilon": 0.1, "gamma": 2.0},
    "equalization": {"threshold": 0.1, "probability": 0.7},
}


def batch(size=17, classes=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(size, classes, generator=generator, dtype=torch.float64)
    target = torch.randint(classes, (size,), generator=generator)
    return logits, target, torch.rand(size, generator=generator, dtype=torch.float64) + 0.5


def same(a, b, size=17, classes=5):
    """Two losses have the same value and gradient on the same batch."""
    values = []
    for loss in (a, b):
        logits, target, norms = batch(size, classes)
        logits.requires_grad_()
        value = loss(logits, target, features=norms)
        values.append((value, torch.autograd.grad(value, logits)[0]))
    torch.testing.assert_close(values[0], values[1], rtol=1e-12, atol=1e-14)


def by_loop(name, logits, target, norms, hyper):
    rows = zip(logits.tolist(), target.tolist(), norms.tolist(), strict=True)
    pairs = [loss_oracles.BY_NAME[name](z, y, COUNTS, h, **hyper) for z, y, h in rows]
    return torch.tensor(pairs, dtype=torch.float64).unbind(1)


def test_every_name_but_csl_has_a_loop():
    assert set(loss_oracles.BY_NAME) == set(fixed_points()) - {"csl"}


@pytest.mark.parametrize("hyper", [HYPER, {}], ids=["other-values", "defaults"])
@pytest.mark.parametrize("name", loss_oracles.BY_NAME)
def test_value_in_each_reduction(name, hyper):
    hyper = hyper.get(name, {}) if name != "equalization" else {"threshold": 0.1, "probability": 0.7}
    logits, target, norms = batch()
    losses, weights = by_loop(name, logits, target, norms, hyper)
    expected = {
        "none": losses,
        "sum": losses.sum(),
        "batch_mean": losses.sum() / len(losses),
        "mean": losses.sum() / weights.sum(),
    }
    expected[None] = expected["batch_mean" if name.startswith("ib") else "mean"]
    for reduction, value in expected.items():
        loss = fixed_point(name, COUNTS, reduction=reduction, dtype=torch.float64, **hyper).eval()
        torch.testing.assert_close(loss(logits, target, features=norms), value, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", loss_oracles.BY_NAME)
def test_gradient_of_each_named_loss(name):
    loss = fixed_point(name, COUNTS, dtype=torch.float64, **HYPER.get(name, {})).eval()
    logits, target, norms = batch(4)
    assert gradcheck(lambda z: loss(z, target, features=norms), logits.requires_grad_())


def test_losses_that_are_cross_entropy():
    plain = fixed_point("ce", COUNTS, dtype=torch.float64)
    same(plain, lambda z, y, features: F.cross_entropy(z, y))
    for name, hyper in {
        "vs": {"gamma": 0.0, "tau": 0.0},
        "la": {"tau": 0.0},
        "cdt": {"gamma": 0.0},
        "focal": {"gamma": 0.0},
        "cb": {"beta": 0.0},
        "cb-focal": {"beta": 0.0, "gamma": 0.0},
        "ldam": {"max_m": 0.0, "s": 1.0},
        "equalization": {"probability": 0.0},
    }.items():
        same(plain, fixed_point(name, COUNTS, dtype=torch.float64, **hyper))


def test_losses_that_are_each_other():
    def fixed(name, **hyper):
        return fixed_point(name, COUNTS, dtype=torch.float64, **hyper)

    def late(name, **hyper):
        return fixed(name, **hyper).at(1.0)

    same(fixed("balanced-softmax"), fixed("la", tau=1.0))
    same(fixed("vs", gamma=0.0, tau=1.3), fixed("la", tau=1.3))
    same(fixed("vs", gamma=0.4, tau=0.0), fixed("cdt", gamma=0.4))
    same(fixed("cb-focal", gamma=0.0), fixed("cb"))
    same(late("ib-focal", gamma=0.0), late("ib"))
    same(late("ib", weight=fixed("cb").w), late("ib-cb"))
    same(fixed("ldam-drw").at(0.0), fixed("ldam"))
    same(fixed("ldam-drw").at(0.8), fixed("ldam", weight=fixed("cb").w))


def test_large_beta_is_inverse_frequency():
    cb = fixed_point("cb", COUNTS, beta=1 - 1e-9, dtype=torch.float64).w
    weighted = fixed_point("weighted", COUNTS, dtype=torch.float64).w
    torch.testing.assert_close(cb / cb.sum(), weighted / weighted.sum(), rtol=1e-5, atol=0)


def test_weights_are_normalised():
    counts = torch.tensor(COUNTS, dtype=torch.float64)
    weighted = fixed_point("weighted", COUNTS, dtype=torch.float64).w
    assert (counts * weighted).sum().item() == pytest.approx(counts.sum().item())  # mean one over the samples
    assert fixed_point("cb", COUNTS, dtype=torch.float64).w.sum().item() == pytest.approx(5)
    assert fixed_point("ib", COUNTS, dtype=torch.float64).at(1.0).w.sum().item() == pytest.approx(5)


def test_two_classes_equal_the_binary_formula():
    """K = 2: w log(1 + exp(l_o - l_y) exp(Δ_o z_o - Δ_y z_y)), AutoBalance eq. 2.1."""
    w, l, delta = [0.3, 2.0], [-0.4, 1.1], [0.7, 1.9]  # noqa: E741
    loss = ParametricLoss(2, w=w, l=l, delta=delta, reduction="none", dtype=torch.float64)
    logits, target, _ = batch(classes=2)
    for z, y, value in zip(logits.tolist(), target.tolist(), loss(logits, target).tolist(), strict=True):
        o = 1 - y
        expected = w[y] * math.log1p(math.exp(l[o] - l[y] + delta[o] * z[o] - delta[y] * z[y]))
        assert value == pytest.approx(expected, rel=1e-12)
