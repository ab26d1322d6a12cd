"""Layers with their derivative along a direction: both against torch's layers by finite differences."""

import pytest
import torch
import torch.autograd.forward_ad as forward_ad
import torch.nn.functional as F

from autobalance.hypergradients._along import PAIRS, Along, _pair_or

# torch's forward mode starts with a deprecation warning of its own making
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:FutureWarning")

MASK = torch.tensor([[True, False, True, True], [False] * 4, [False, True, True, False]])


def attention(**options):
    return lambda *qkv: F.scaled_dot_product_attention(*qkv, **options)


QKV = ((2, 2, 3, 2), (2, 2, 4, 2), (2, 2, 4, 3))
#: A function of torch, and the shapes of what moves.
LAYERS = {
    "linear": (F.linear, ((2, 3, 4), (5, 4), (5,))),
    "linear without bias": (F.linear, ((3, 4), (5, 4))),
    "linear of transposed": (lambda x, *more: F.linear(x.transpose(0, 1), *more), ((2, 3, 4), (5, 4), (5,))),
    "gelu": (F.gelu, ((3, 4),)),
    "layer norm": (lambda x, *more: F.layer_norm(x, (4,), *more), ((2, 3, 4), (4,), (4,))),
    "layer norm without weights": (lambda x: F.layer_norm(x, (4,)), ((2, 3, 4),)),
    "layer norm without bias": (lambda x, weight: F.layer_norm(x, (4,), weight), ((2, 3, 4), (4,))),
    "layer norm of transposed": (lambda x: F.layer_norm(x.transpose(1, 2), (3,)), ((2, 3, 4),)),
    "layer norm of two dimensions": (lambda x, *more: F.layer_norm(x, (2, 3), *more), ((2, 2, 3), (2, 3), (2, 3))),
    "group norm": (lambda x, *more: F.group_norm(x, 2, *more), ((2, 4, 3), (4,), (4,))),
    "group norm without weights": (lambda x: F.group_norm(x, 2), ((2, 4, 2, 2),)),
    "softmax": (lambda x: F.softmax(x, -1), ((3, 4),)),
    "attention": (attention(), QKV),
    "attention, scaled": (attention(scale=0.3), QKV),
    "attention, causal": (attention(is_causal=True), QKV),
    "attention, masked": (attention(attn_mask=MASK), QKV),
    "attention, biased": (attention(attn_mask=torch.arange(4.0, dtype=torch.float64)[None]), QKV),
    "attention, masked apart": (attention(attn_mask=MASK.expand(2, 1, 3, 4)), QKV),
    "attention without a batch": (attention(), ((3, 2), (4, 2), (4, 2))),
}


def drawn(shapes):
    torch.manual_seed(0)
    return [torch.randn(shape, dtype=torch.float64) for shape in shapes]


def along(layer, point, direction, moved=None):
    """The layer, and its derivative along a direction; ``moved`` says what has one."""
    with forward_ad.dual_level(), Along():
        duals = [
            forward_ad.make_dual(p, d) if m else p
            for p, d, m in zip(point, direction, moved or [True] * len(point), strict=True)
        ]
        found = forward_ad.unpack_dual(layer(*duals))
        return found.primal, found.tangent


def difference(layer, point, direction, step=1e-6):
    ends = [layer(*(p + sign * step * d for p, d in zip(point, direction, strict=True))) for sign in (1, -1)]
    return (ends[0] - ends[1]) / (2 * step)


@pytest.mark.parametrize(("layer", "shapes"), LAYERS.values(), ids=LAYERS)
def test_layers_and_their_derivatives_are_torch_s(layer, shapes):
    point, direction = drawn(shapes), drawn([*shapes, *shapes])[len(shapes) :]
    y, dy = along(layer, point, direction)
    torch.testing.assert_close(y, layer(*point))
    torch.testing.assert_close(dy, difference(layer, point, direction), rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize(("layer", "shapes"), LAYERS.values(), ids=LAYERS)
def test_both_are_differentiable_in_point_and_direction(layer, shapes):
    point, direction = drawn(shapes), drawn([*shapes, *shapes])[len(shapes) :]
    arguments = [x.requires_grad_() for x in (*point, *direction)]
    assert torch.autograd.gradcheck(lambda *xs: along(layer, xs[: len(shapes)], xs[len(shapes) :]), arguments)


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("name", ["linear", "layer norm", "group norm", "attention"])
def test_parts_that_do_not_move(name, number):
    """A frozen weight, or an input that is data."""
    layer, shapes = LAYERS[name]
    point, direction = drawn(shapes), drawn([*shapes, *shapes])[len(shapes) :]
    moved = [place != number for place in range(3)]
    still = [d if m else torch.zeros_like(d) for d, m in zip(direction, moved, strict=True)]
    expected = difference(layer, point, still)
    free = [p.requires_grad_(m) for p, m in zip(point, moved, strict=True)]
    torch.testing.assert_close(along(layer, free, direction, moved)[1], expected, rtol=1e-7, atol=1e-8)
    assert torch.autograd.gradcheck(lambda *xs: along(layer, xs, direction, moved), free)


@pytest.mark.parametrize("p", [0.0, 0.4])
def test_attention_drops_what_torch_drops(p):
    point, direction = drawn(QKV), drawn(QKV)

    def layer(*qkv):
        torch.manual_seed(1)
        return F.scaled_dot_product_attention(*qkv, dropout_p=p)

    y, dy = along(layer, point, direction)
    torch.testing.assert_close(y, layer(*point))
    torch.testing.assert_close(dy, difference(layer, point, direction), rtol=1e-7, atol=1e-8)
    arguments = [x.requires_grad_() for x in (*point, *direction)]
    assert torch.autograd.gradcheck(lambda *xs: along(layer, xs[:3], xs[3:]), arguments)


def test_every_pair_is_tried_and_none_goes_the_other_way(monkeypatch):
    """The layers above are computed by the pairs, not by the formulas that they fall back on."""
    used = set()
    for function, pair in list(PAIRS.items()):
        name = pair.__name__

        def told(*args, given=pair, name=name, **kwargs):
            found = given(*args, **kwargs)
            assert found is not None
            used.add(name)
            return found

        monkeypatch.setitem(Along.forms, function, _pair_or(told, function))
    for layer, shapes in LAYERS.values():
        along(layer, [x.requires_grad_() for x in drawn(shapes)], drawn(shapes))
    assert used == {pair.__name__ for pair in PAIRS.values()}
