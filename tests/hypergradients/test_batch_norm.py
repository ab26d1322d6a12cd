"""The closed formulas of batch norm against finite differences, and its values and statistics against torch's."""

import pytest
import torch
import torch.autograd.forward_ad as forward_ad
import torch.nn.functional as F
from torch import nn

from autobalance.hypergradients._batch_norm import FastBatchNorm

# torch's forward mode starts with a deprecation warning of its own making
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:FutureWarning")


def fast(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    with FastBatchNorm():
        return F.batch_norm(x, None, None, weight, bias, True, 0.1, 1e-3)


@pytest.mark.parametrize("shape", [(6, 3), (3, 3, 4), (3, 3, 2, 2)], ids=len)
def test_all_derivatives_equal_finite_differences(shape):
    torch.manual_seed(0)
    arguments = [torch.randn(s, dtype=torch.float64, requires_grad=True) for s in (shape, 3, 3)]
    assert torch.autograd.gradcheck(fast, arguments, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(fast, arguments)


@pytest.mark.parametrize("moved", [(True, False, False), (False, True, False), (False, False, True)])
def test_derivative_along_one_argument_alone(moved):
    torch.manual_seed(0)
    arguments = [
        torch.randn(s, dtype=torch.float64, requires_grad=m) for s, m in zip([(5, 3), 3, 3], moved, strict=True)
    ]
    assert torch.autograd.gradcheck(fast, arguments, check_forward_ad=True)


@pytest.mark.parametrize("together", [False, True], ids=["one", "vmap"])
@pytest.mark.parametrize("shape", [(6, 3), (3, 3, 2, 2)], ids=len)
def test_derivative_along_a_direction_is_differentiable(shape, together):
    """In all that it depends on; also where several layers are one under vmap."""
    torch.manual_seed(0)
    if together:
        shape = (2, *shape)
    tables = (*shape[:1], 3) if together else (3,)
    point = [torch.randn(s, dtype=torch.float64, requires_grad=True) for s in (shape, tables, tables)]
    direction = [torch.randn(s, dtype=torch.float64, requires_grad=True) for s in (shape, tables, tables)]

    def along(*arguments):
        with forward_ad.dual_level():
            duals = [forward_ad.make_dual(p, d) for p, d in zip(arguments[:3], arguments[3:], strict=True)]
            output = torch.vmap(fast)(*duals) if together else fast(*duals)
            return forward_ad.unpack_dual(output).tangent

    assert torch.autograd.gradcheck(lambda *point: along(*point, *direction), point)
    assert torch.autograd.gradcheck(lambda dx: along(*point, dx, *direction[1:]), direction[:1])


@pytest.mark.parametrize(
    "options", [{}, {"momentum": None}, {"affine": False}, {"track_running_stats": False}], ids=str
)
@pytest.mark.parametrize("training", [True, False])
def test_values_and_running_statistics_are_those_of_torch(options, training):
    torch.manual_seed(0)
    layers = [nn.BatchNorm2d(3, **options).train(training) for _ in range(2)]
    x = torch.randn(4, 3, 5, 5) * 2 + 1
    for _ in range(2):
        expected = layers[0](x)
        with FastBatchNorm():
            found = layers[1](x)
        assert torch.equal(found, expected)
    for name, buffer in layers[0].named_buffers():
        assert torch.equal(dict(layers[1].named_buffers())[name], buffer)
