"""Influence balancing and equalization beyond their formulas: features, gradients through them, draws, wrong input."""

import pytest
import torch
import torch.nn.functional as F
from torch.autograd import gradcheck, gradgradcheck

from autobalance.losses import Equalization, InfluenceBalanced

LOGITS, TARGET = torch.tensor([[0.3, -1.0, 2.0], [1.5, 0.2, -0.7]]), torch.tensor([1, 0])
FEATURES = torch.tensor([[1.0, -2.0, 0.5, 0.0], [0.0, 0.0, -0.25, 3.0]])


def test_features_and_their_norms_are_the_same_to_influence_balancing():
    loss = InfluenceBalanced(3, [1.0, 2, 3])
    assert loss(LOGITS, TARGET, features=FEATURES) == loss(LOGITS, TARGET, features=torch.tensor([3.5, 3.25]))


def test_influence_is_the_gradient_of_the_last_layer():
    """|p - e_y|_1 |h|_1 is the L1 norm of the gradient of cross-entropy in the last layer's weights."""
    alpha, epsilon = 7.0, 0.01
    loss = InfluenceBalanced(3, alpha=alpha, epsilon=epsilon, reduction="none")
    weight = torch.randn(3, 4, generator=torch.Generator().manual_seed(0), requires_grad=True)
    logits = FEATURES @ weight.T
    for i, value in enumerate(loss(logits, TARGET, features=FEATURES).tolist()):
        plain = F.cross_entropy(logits[i : i + 1], TARGET[i : i + 1])
        influence = torch.autograd.grad(plain, weight, retain_graph=True)[0].abs().sum()
        assert value == pytest.approx((alpha * plain / (influence + epsilon)).item(), rel=1e-5)


@pytest.mark.parametrize("gamma", [0.0, 1.5])
def test_influence_is_differentiated_through_logits_and_features(gamma):
    loss = InfluenceBalanced(3, [1.0, 2, 3], alpha=2.0, epsilon=0.1, gamma=gamma, dtype=torch.float64)
    arguments = [LOGITS.double().requires_grad_(), FEATURES.double().abs().add(0.1).requires_grad_()]
    assert gradcheck(lambda z, h: loss(z, TARGET, features=h), arguments)
    assert gradgradcheck(lambda z, h: loss(z, TARGET, features=h), arguments)


def test_influence_balancing_at_extremes():
    logits = torch.tensor([[1e4, -1e4, 0.0], [-1e4, 1e4, 0.0], [0.0, 0, 0]], requires_grad=True)
    for gamma in (0.0, 0.5):
        loss = InfluenceBalanced(3, gamma=gamma)
        value = loss(logits, torch.tensor([0, 0, 0]), features=torch.tensor([1.0, 2.0, 0.0]))
        assert value.isfinite() and torch.autograd.grad(value, logits)[0].isfinite().all()


@pytest.mark.parametrize("features", [None, torch.ones(3), torch.ones(3, 4), torch.ones(2, 3, 4)])
def test_features_that_are_missing_or_of_another_shape(features):
    with pytest.raises(ValueError, match=r"influence-balanced loss needs.*\(2, D\)|needs the features.*\(2, D\)"):
        InfluenceBalanced(3)(LOGITS, TARGET, features=features)


@pytest.mark.parametrize(
    "values",
    [
        {"alpha": 0.0},
        {"epsilon": 0.0},
        {"gamma": -1.0},
        {"w": [1.0, 1.0]},
        {"w": [1.0, -1.0, 1.0]},
        {"w": [1.0, float("nan"), 1.0]},
        {"reduction": "x"},
    ],
)
def test_influence_balancing_refuses(values):
    with pytest.raises(ValueError, match=next(iter(values))):
        InfluenceBalanced(3, **values)


RARE = torch.tensor([False, True, True])


def test_equalization_with_every_draw_one_leaves_rare_classes_out_of_other_classes_softmax():
    loss = Equalization(3, RARE, 1.0, reduction="none")
    logits = LOGITS.clone().requires_grad_()
    value = loss(logits, TARGET)
    assert value[0].item() == pytest.approx(F.cross_entropy(LOGITS[:1, :2], TARGET[:1]).item())  # class 2 is out
    assert value[1].item() == 0  # both others are out
    gradient = torch.autograd.grad(value.sum(), logits)[0]
    assert gradient[0, 2] == 0 and (gradient[0, :2] != 0).all() and (gradient[1] == 0).all()


def test_equalization_draws_anew_in_training_mode_and_repeats_itself_in_evaluation_mode():
    logits, target = torch.zeros(4000, 3), torch.zeros(4000, dtype=torch.int64)
    loss = Equalization(3, RARE, 0.7, reduction="none")
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
    loss = Equalization(3, RARE, 0.4, w=[1.0, 2, 3], dtype=torch.float64).eval()
    logits = LOGITS.double().requires_grad_()
    each = Equalization(3, RARE, 0.4, reduction="none").eval()(LOGITS, TARGET)
    assert loss(logits, TARGET).item() == pytest.approx(((2 * each[0] + each[1]) / 3).item(), rel=1e-6)
    assert gradcheck(lambda z: loss(z, TARGET), logits) and gradgradcheck(lambda z: loss(z, TARGET), logits)


def test_equalization_refuses():
    with pytest.raises(ValueError, match=r"probability is 1\.5"):
        Equalization(3, RARE, 1.5)
    with pytest.raises(ValueError, match=r"shape \(2,\)"):
        Equalization(3, RARE[:2])
    with pytest.raises(ValueError, match="float32"):
        Equalization(3, RARE.float())


@pytest.mark.parametrize("loss", [InfluenceBalanced(3), Equalization(3, RARE)])
def test_plug_ins_check_their_calls_and_move(loss):
    with pytest.raises(ValueError, match="3 classes"):
        loss(torch.zeros(2, 4), TARGET, features=FEATURES)
    with pytest.raises(ValueError, match="target 3"):
        loss(LOGITS, torch.tensor([0, 3]), features=FEATURES)
    half = LOGITS.bfloat16().requires_grad_()
    value = loss(half, TARGET, features=FEATURES.bfloat16())
    assert value.dtype == torch.float32
    value.backward()
    assert half.grad.isfinite().all()
    loss.to(torch.float64)
    assert loss(LOGITS.double(), TARGET, features=FEATURES).dtype == torch.float64
