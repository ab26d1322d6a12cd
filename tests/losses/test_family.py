"""The family: derivatives of first and second order in everything, symmetries, groups, precision, and wrong calls."""

import loss_oracles
import pytest
import torch
import torch.nn.functional as F
from torch.autograd import gradcheck, gradgradcheck

from autobalance.losses import ParametricLoss, parametric_loss

K, B = 4, 6
TABLES = ("w", "l", "delta", "margin")
NAMES = (*TABLES, "scale", "gamma")


def inputs(groups=0, size=B, classes=K, seed=0, dtype=torch.float64):
    g = torch.Generator().manual_seed(seed)
    shape = (classes, groups) if groups else (classes,)

    def draw(*shape):
        return torch.rand(shape, generator=g, dtype=torch.float64).to(dtype)

    parameters = {
        "w": draw(*shape) + 0.5,
        "l": draw(*shape) - 0.5,
        "delta": draw(*shape) + 0.5,
        "margin": 0.5 * draw(*shape),
        "scale": draw() + 1,
        "gamma": draw() + 0.5,
    }
    logits = 4 * draw(size, classes) - 2
    target = torch.randint(classes, (size,), generator=g)
    return logits, target, parameters, torch.randint(groups, (size,), generator=g) if groups else None


def loop(logits, target, parameters, group=None):
    losses, weights = [], []
    for i, (z, y) in enumerate(zip(logits.tolist(), target.tolist(), strict=True)):
        values = {
            name: (value[:, group[i]] if value.dim() == 2 else value).tolist() for name, value in parameters.items()
        }
        losses.append(loss_oracles.family(z, y, **values))
        weights.append(values["w"][y] if "w" in values else 1.0)
    return torch.tensor(losses, dtype=torch.float64), torch.tensor(weights, dtype=torch.float64)


@pytest.mark.parametrize("groups", [0, 3])
@pytest.mark.parametrize("present", [NAMES, ("w",), ("l",), ("delta",), ("margin",), ("scale",), ("gamma",), ()])
def test_value_against_a_loop_in_each_reduction(groups, present):
    logits, target, parameters, group = inputs(groups, size=13)
    parameters = {name: parameters[name] for name in present}
    losses, weights = loop(logits, target, parameters, group)
    expected = {"none": losses, "sum": losses.sum(), "batch_mean": losses.mean(), "mean": losses.sum() / weights.sum()}
    module = ParametricLoss(K, **parameters, dtype=torch.float64)
    for reduction, value in expected.items():
        found = parametric_loss(logits, target, parameters, group, reduction)
        torch.testing.assert_close(found, value, rtol=1e-12, atol=1e-13)
        torch.testing.assert_close(module.replace(reduction=reduction)(logits, target, group=group), found)
    # Where only the logits are differentiated there is a path of its own: its value is the same.
    direct = parametric_loss(logits.requires_grad_(), target, parameters, group)
    torch.testing.assert_close(direct, expected["mean"], rtol=1e-12, atol=1e-13)


def test_tables_with_and_without_groups_mix():
    logits, target, parameters, group = inputs(3)
    _, _, flat, _ = inputs(0, seed=1)
    mixed = {**parameters, "l": flat["l"], "w": flat["w"]}
    losses, weights = loop(logits, target, mixed, group)
    value = ParametricLoss(K, **mixed, dtype=torch.float64)(logits, target, group=group)
    torch.testing.assert_close(value, losses.sum() / weights.sum(), rtol=1e-12, atol=0)


@pytest.mark.parametrize("groups", [0, 2])
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_first_and_second_derivatives_in_logits_and_every_parameter(groups, reduction):
    logits, target, parameters, group = inputs(groups, size=3, classes=3)

    def loss(z, *values):
        return parametric_loss(z, target, dict(zip(NAMES, values, strict=True)), group, reduction)

    arguments = [t.requires_grad_() for t in (logits, *parameters.values())]
    assert gradcheck(loss, arguments)
    assert gradgradcheck(loss, arguments)


@pytest.mark.parametrize("present", [NAMES, ("l",), ("delta",), ("scale",), ("margin",), ("scale", "margin"), ()])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_first_and_second_derivatives_in_the_logits_alone(present, reduction):
    logits, target, parameters, group = inputs(2, size=3, classes=3)
    parameters = {name: parameters[name] for name in present}

    def loss(z):
        return parametric_loss(z, target, parameters, group, reduction)

    assert gradcheck(loss, logits.requires_grad_())
    assert gradgradcheck(loss, logits)


@pytest.mark.filterwarnings("ignore:.torch.jit.script:FutureWarning")  # torch's own, at its first forward mode
def test_the_path_for_logits_alone_keeps_its_graph_and_agrees_with_torch_func():
    logits, target, parameters, _ = inputs()
    logits.requires_grad_()
    value = parametric_loss(logits, target, parameters)
    first = torch.autograd.grad(value, logits, retain_graph=True)[0]
    again = torch.autograd.grad(value, logits)[0]
    torch.testing.assert_close(first, again, rtol=0, atol=0)

    def loss(z):
        return parametric_loss(z, target, parameters)

    torch.testing.assert_close(torch.func.grad(loss)(logits.detach()), first)
    direction = torch.randn_like(logits)
    _, tangent = torch.func.jvp(loss, (logits.detach(),), (direction,))
    torch.testing.assert_close(tangent, (direction * first).sum())
    _, product = torch.func.jvp(torch.func.grad(loss), (logits.detach(),), (direction,))
    gradient = torch.autograd.grad(loss(logits), logits, create_graph=True)[0]
    torch.testing.assert_close(product, torch.autograd.grad(gradient, logits, direction)[0])


def test_renaming_the_classes_changes_nothing():
    logits, target, parameters, _ = inputs(size=20)
    order = torch.tensor([2, 0, 3, 1])
    renamed = {name: value[order] if name in TABLES else value for name, value in parameters.items()}
    value = parametric_loss(logits[:, order], torch.argsort(order)[target], renamed)
    torch.testing.assert_close(value, parametric_loss(logits, target, parameters), rtol=1e-13, atol=0)


def test_a_constant_in_l_and_a_factor_in_w_change_nothing():
    logits, target, parameters, _ = inputs()
    shifted = {**parameters, "l": parameters["l"] + 3.7, "w": 11 * parameters["w"]}
    value = parametric_loss(logits, target, parameters)
    torch.testing.assert_close(parametric_loss(logits, target, shifted), value, rtol=1e-12, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_extreme_logits_stay_finite(dtype, gamma):
    logits = 1e4 * torch.tensor([[1, -1, 0], [-1, 1, 1], [1, 1, 1], [-1, -1, -1]], dtype=dtype)
    target = torch.tensor([0, 0, 1, 2])
    loss = ParametricLoss(3, w=[1.0, 2, 3], l=[0.0, 1, 2], delta=[1.0, 0.5, 2], gamma=gamma, dtype=dtype)
    value = loss(logits.requires_grad_(), target)
    gradient = torch.autograd.grad(value, logits, create_graph=True)[0]
    second = torch.autograd.grad(gradient.square().sum(), logits)[0]
    assert value.isfinite() and gradient.isfinite().all() and second.isfinite().all()
    sure = loss.replace(reduction="none")(logits, target)[0]
    assert sure.item() == 0  # p = 1: nothing is lost, whatever the focusing


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_logits_are_computed_in_float32(dtype):
    logits, target, parameters, _ = inputs(dtype=torch.float32)
    loss = ParametricLoss(K, **parameters)
    half = logits.to(dtype).requires_grad_()
    value = loss(half, target)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, loss(half.detach().float(), target), rtol=1e-6, atol=0)
    value.backward()
    assert half.grad.dtype == dtype and half.grad.isfinite().all()


def test_autocast_trains():
    _, target, parameters, _ = inputs(dtype=torch.float32)
    model, x = torch.nn.Linear(3, K), torch.randn(B, 3)
    loss = ParametricLoss(K, **parameters)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(x)
        value = loss(logits, target)
    assert logits.dtype == torch.bfloat16 and value.dtype == torch.float32
    value.backward()
    exact = torch.autograd.grad(loss(F.linear(x, model.weight, model.bias), target), model.weight)[0]
    torch.testing.assert_close(model.weight.grad, exact, rtol=0.1, atol=0.02)


def test_float64_logits_with_a_float32_loss_and_the_other_way_round():
    logits, target, parameters, _ = inputs()
    exact = parametric_loss(logits, target, parameters)
    single = ParametricLoss(K, **parameters, dtype=torch.float32)
    torch.testing.assert_close(single(logits.requires_grad_(), target), exact, rtol=1e-6, atol=0)
    double = ParametricLoss(K, **parameters, dtype=torch.float64)
    z = logits.detach().float().requires_grad_()
    double(z, target).backward()
    assert z.grad.dtype == torch.float32


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"input": torch.zeros(2, 5)}, r"\(2, 5\).*4 classes"),
        ({"input": torch.zeros(2, 3, 4)}, r"\(2, 3, 4\)"),
        ({"target": torch.tensor([0, 1, 2])}, r"\(3,\).*classes need \(2,\)"),
        ({"target": torch.tensor([0.0, 1.0])}, "float32.*int64"),
        ({"target": torch.tensor([0, 4])}, "target 4 .*4 classes"),
        ({"target": torch.tensor([-1, 0])}, "target -1 .*4 classes"),
        ({"group": None}, "2 groups.*group="),
        ({"group": torch.tensor([0])}, r"group has shape \(1,\).*\(2,\)"),
        ({"group": torch.tensor([0, 2])}, "group 2 .*2 groups"),
        ({"group": torch.tensor([0.0, 1.0])}, "float32.*int64"),
    ],
)
def test_calls_that_cannot_be_right(change, message):
    loss = ParametricLoss(4, l=torch.zeros(4, 2))
    call = {"input": torch.zeros(2, 4), "target": torch.tensor([0, 1]), "group": torch.tensor([0, 1]), **change}
    with pytest.raises(ValueError, match=message):
        loss(**call)
