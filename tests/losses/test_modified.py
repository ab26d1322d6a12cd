"""Influence balancing and equalization beyond their formulas: features, gradients through them, draws, strength, wrong
input."""

import pytest
import torch
import torch.nn.functional as F
from torch.autograd import gradcheck, gradgradcheck

from autobalance.losses import CSL, Equalization, InfluenceBalanced, ParametricLoss, RegressionLoss

LOGITS, TARGET = torch.tensor([[0.3, -1.0, 2.0], [1.5, 0.2, -0.7]]), torch.tensor([1, 0])
FEATURES = torch.tensor([[1.0, -2.0, 0.5, 0.0], [0.0, 0.0, -0.25, 3.0]])


def influence(w=None, reduction="batch_mean", dtype=None, **settings):
    return InfluenceBalanced(ParametricLoss(3, w=w, reduction=reduction, dtype=dtype), **settings)


def equalization(rare, probability, w=None, reduction="mean", dtype=None):
    return Equalization(ParametricLoss(3, w=w, reduction=reduction, dtype=dtype), rare, probability=probability)


def test_features_and_their_norms_are_the_same_to_influence_balancing():
    loss = influence([1.0, 2, 3])
    assert loss(LOGITS, TARGET, features=FEATURES) == loss(LOGITS, TARGET, features=torch.tensor([3.5, 3.25]))


def test_influence_is_the_gradient_of_the_last_layer():
    """|p - e_y|_1 |h|_1 is the L1 norm of the gradient of cross-entropy in the last layer's weights."""
    alpha, epsilon = 7.0, 0.01
    loss = influence(alpha=alpha, epsilon=epsilon, reduction="none")
    weight = torch.randn(3, 4, generator=torch.Generator().manual_seed(0), requires_grad=True)
    logits = FEATURES @ weight.T
    for i, value in enumerate(loss(logits, TARGET, features=FEATURES).tolist()):
        plain = F.cross_entropy(logits[i : i + 1], TARGET[i : i + 1])
        of_layer = torch.autograd.grad(plain, weight, retain_graph=True)[0].abs().sum()
        assert value == pytest.approx((alpha * plain / (of_layer + epsilon)).item(), rel=1e-5)


@pytest.mark.parametrize("gamma", [0.0, 1.5])
def test_influence_is_differentiated_through_logits_and_features(gamma):
    loss = influence([1.0, 2, 3], alpha=2.0, epsilon=0.1, focus=gamma, dtype=torch.float64)
    arguments = [LOGITS.double().requires_grad_(), FEATURES.double().abs().add(0.1).requires_grad_()]
    assert gradcheck(lambda z, h: loss(z, TARGET, features=h), arguments)
    assert gradgradcheck(lambda z, h: loss(z, TARGET, features=h), arguments)


def test_influence_balancing_at_extremes():
    logits = torch.tensor([[1e4, -1e4, 0.0], [-1e4, 1e4, 0.0], [0.0, 0, 0]], requires_grad=True)
    for gamma in (0.0, 0.5):
        loss = influence(focus=gamma)
        value = loss(logits, torch.tensor([0, 0, 0]), features=torch.tensor([1.0, 2.0, 0.0]))
        assert value.isfinite() and torch.autograd.grad(value, logits)[0].isfinite().all()


@pytest.mark.parametrize("features", [None, torch.ones(3), torch.ones(3, 4), torch.ones(2, 3, 4)])
def test_features_that_are_missing_or_of_another_shape(features):
    with pytest.raises(ValueError, match=r"influence-balanced loss needs.*\(2, D\)|needs the features.*\(2, D\)"):
        influence()(LOGITS, TARGET, features=features)


@pytest.mark.parametrize(
    "values",
    [
        {"alpha": 0.0},
        {"epsilon": 0.0},
        {"focus": -1.0},
        {"influence": -0.1},
        {"influence": 1.1},
        {"w": [1.0, 1.0]},
        {"w": [1.0, -1.0, 1.0]},
        {"w": [1.0, float("nan"), 1.0]},
        {"reduction": "x"},
    ],
)
def test_influence_balancing_refuses(values):
    with pytest.raises(ValueError, match=next(iter(values))):
        influence(**values)


RARE = torch.tensor([False, True, True])


def test_equalization_with_every_draw_one_leaves_rare_classes_out_of_other_classes_softmax():
    loss = equalization(RARE, 1.0, reduction="none")
    logits = LOGITS.clone().requires_grad_()
    value = loss(logits, TARGET)
    assert value[0].item() == pytest.approx(F.cross_entropy(LOGITS[:1, :2], TARGET[:1]).item())  # class 2 is out
    assert value[1].item() == 0  # both others are out
    gradient = torch.autograd.grad(value.sum(), logits)[0]
    assert gradient[0, 2] == 0 and (gradient[0, :2] != 0).all() and (gradient[1] == 0).all()


def test_equalization_draws_anew_in_training_mode_and_repeats_itself_in_evaluation_mode():
    logits, target = torch.zeros(4000, 3), torch.zeros(4000, dtype=torch.int64)
    loss = equalization(RARE, 0.7, reduction="none")
    torch.manual_seed(0)
    drawn = loss(logits, target)
    assert not torch.equal(drawn, loss(logits, target))
    torch.manual_seed(0)
    assert torch.equal(drawn, loss(logits, target))
    # Two rare classes, each kept with probability 0.3: the number kept is binomial.
    shares = [(drawn - torch.tensor(float(1 + kept)).log()).abs().lt(1e-6).float().mean().item() for kept in range(3)]
    assert shares == pytest.approx([0.49, 0.42, 0.09], abs=0.03)
    loss.eval()
    torch.testing.assert_close(loss(logits, target), torch.full((4000,), 1.6).log())


def test_equalization_weights_and_derivatives():
    loss = equalization(RARE, 0.4, w=[1.0, 2, 3], dtype=torch.float64).eval()
    logits = LOGITS.double().requires_grad_()
    each = equalization(RARE, 0.4, reduction="none").eval()(LOGITS, TARGET)
    assert loss(logits, TARGET).item() == pytest.approx(((2 * each[0] + each[1]) / 3).item(), rel=1e-6)
    assert gradcheck(lambda z: loss(z, TARGET), logits) and gradgradcheck(lambda z: loss(z, TARGET), logits)


def test_equalization_refuses():
    with pytest.raises(ValueError, match=r"probability is 1\.5"):
        equalization(RARE, 1.5)
    with pytest.raises(ValueError, match=r"shape \(2,\)"):
        equalization(RARE[:2], 0.9)
    with pytest.raises(ValueError, match="float32"):
        equalization(RARE.float(), 0.9)


@pytest.mark.parametrize("loss", [influence(), equalization(RARE, 0.9)])
def test_they_check_their_calls_and_move(loss):
    with pytest.raises(ValueError, match="3 classes"):
        loss(torch.zeros(2, 4), TARGET, features=FEATURES)
    with pytest.raises(ValueError, match="target 3"):
        loss(LOGITS, torch.tensor([0, 3]), features=FEATURES)
    half = LOGITS.bfloat16().requires_grad_()
    value = loss(half, TARGET, features=FEATURES.bfloat16())
    assert value.dtype == torch.float32
    value.backward()
    assert half.grad.isfinite().all()
    with pytest.raises(ValueError, match="takes no num_items_in_batch"):
        loss(LOGITS, TARGET, features=FEATURES, num_items_in_batch=4)
    loss.to(torch.float64)
    assert loss(LOGITS.double(), TARGET, features=FEATURES).dtype == torch.float64


def of(kind, strength, dtype=torch.float64):
    base = ParametricLoss(3, w=[1.0, 2, 3], l=[0.3, 0, -0.2], reduction="mean", dtype=dtype)
    more = {"rare": RARE, "probability": 0.8} if kind is Equalization else {}
    return kind(base, **{kind.kind: strength}, **more).eval()


@pytest.mark.parametrize("kind", [InfluenceBalanced, Equalization])
def test_strength_0_is_the_base_and_the_strength_has_a_derivative_everywhere(kind):
    logits, features = LOGITS.double(), FEATURES.double().abs() + 0.1
    absent, there = of(kind, 0.0), of(kind, 1.0)
    base = absent.base(logits, TARGET)
    assert torch.equal(absent(logits, TARGET, features=features), base)
    assert not torch.isclose(there(logits, TARGET, features=features), base)
    for strength in (0.0, 0.4, 1.0):
        at = torch.tensor(strength, dtype=torch.float64, requires_grad=True)

        def value(s):
            return there.value(logits, TARGET, {**there.parameters_in_effect, kind.kind: s}, features=features)

        (found,) = torch.autograd.grad(value(at), at)
        step = 1e-6
        low, high = max(0.0, strength - step), min(1.0, strength + step)
        values = [of(kind, s)(logits, TARGET, features=features).item() for s in (low, high)]
        assert found.item() == pytest.approx((values[1] - values[0]) / (high - low), rel=1e-4)


def test_a_strength_that_is_differentiated_removes_classes_as_one_that_is_not():
    loss = equalization(RARE, 1.0, dtype=torch.float64)
    at = torch.ones((), dtype=torch.float64, requires_grad=True)
    value = loss.value(LOGITS.double(), TARGET, {"equalization": at})
    torch.testing.assert_close(value.detach(), loss(LOGITS.double(), TARGET))
    # d/ds log(A + (1 - s) R) = -R / A with A the classes that stay and R those that go
    e = LOGITS.double().exp()
    expected = -(e[0, 2] / e[0, :2].sum() + e[1, 1:].sum() / e[1, 0]) / 2
    torch.testing.assert_close(torch.autograd.grad(value, at)[0], expected)


def test_what_can_go_around_what():
    base = ParametricLoss(3)
    both = CSL(InfluenceBalanced(Equalization(base, RARE)))
    assert set(both.parameters_in_effect) == {"equalization", "influence", "csl", "csl_reward", "csl_floor"}
    other = both.replace(influence=0.5, l=[1.0, 0.0, 0.0])
    assert other.influence == 0.5 and other.l.tolist() == [1.0, 0.0, 0.0] and both.influence == 1
    assert other.statistics is both.statistics and other.base.base.rare.tolist() == RARE.tolist()
    with pytest.raises(ValueError, match="csl already"):
        CSL(CSL(base))
    with pytest.raises(ValueError, match="influence goes inside csl"):
        InfluenceBalanced(CSL(base))
    with pytest.raises(ValueError, match="not RegressionLoss"):
        CSL(RegressionLoss([0.0, 1.0, 2.0]))
    with pytest.raises(ValueError, match="label_smoothing"):
        CSL(ParametricLoss(3, label_smoothing=0.1))
    with pytest.raises(ValueError, match="no class has less"):
        Equalization.absent(base, torch.tensor([5, 5, 5]))
    assert Equalization.absent(base, torch.tensor([50, 5, 5])).rare.tolist() == [False, True, True]
