"""Layers without a forward derivative, parameters that the loss does not reach, parts that do not move."""

import warnings

import pytest
import torch
import torch.nn.functional as F
from hypergradient_cases import MODELS, Case, K, assert_exact, differences, differentiate, worst
from torch import nn

from autobalance.common import InputError
from autobalance.data import Batch
from autobalance.hypergradients import SGD, Implicit, OneStep, Replay, Unrolled, inner_step
from autobalance.hypergradients._closed_forms import attention, embedding_bag
from autobalance.hypergradients._second_order import (
    ForwardModeWarning,
    _by_forward_mode,
    _by_reverse_mode,
    second_order,
)


class Cube(torch.autograd.Function):
    """x³ with second derivatives in reverse mode only."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, gradient):
        return 3 * ctx.saved_tensors[0] ** 2 * gradient


class Cubic(nn.Module):
    def forward(self, x):
        return Cube.apply(x)


class Idle(nn.Module):
    """A model with a weight and a layer that its output does not depend on."""

    def __init__(self):
        super().__init__()
        self.used, self.idle, self.alone = nn.Linear(4, K), nn.Linear(4, K), nn.Parameter(torch.ones(2))
        self.double()

    def forward(self, x):
        self.idle(x)
        return self.used(x)


def with_cube():
    return nn.Sequential(nn.Linear(4, 6), Cubic(), nn.Linear(6, K)).double()


def frozen_weights():
    """Biases move and weights do not, and behind the first layer the other way round."""
    model = nn.Sequential(*MODELS["conv-bn"]().children(), nn.Tanh(), nn.Linear(K, K).double())
    model[1].weight.requires_grad_(False)
    model[2].bias.requires_grad_(False)
    model[-1].bias.requires_grad_(False)
    return model


SGD_OPTIONS = {"lr": 0.3, "momentum": 0.9, "weight_decay": 0.1}


def case_of(make_model, steps=3):
    return Case(make_model, SGD(**SGD_OPTIONS), lambda m: torch.optim.SGD(m.parameters(), **SGD_OPTIONS), steps=steps)


def test_a_layer_without_forward_derivative_takes_the_longer_way_and_says_so():
    with pytest.warns(ForwardModeWarning, match="no forward derivative"):
        assert_exact(case_of(with_cube), Replay)


class Attending(nn.Module):
    """Each feature is a token: attention with layer norm and GELU, as transformers have it."""

    def __init__(self, norm_first=False, activation="gelu"):
        super().__init__()
        self.embed = nn.Linear(1, 4)
        self.layer = nn.TransformerEncoderLayer(4, 2, 6, 0.0, activation, batch_first=True, norm_first=norm_first)
        self.head = nn.Linear(4, K)
        self.double()

    def forward(self, x):
        return self.head(self.layer(self.embed(x[..., None])).mean(1))


class Bags(nn.Module):
    """Bags of words, twice: as a table, and one after the other."""

    def __init__(self, mode):
        super().__init__()
        self.words, self.head = nn.EmbeddingBag(5, 3, mode=mode, padding_idx=0), nn.Linear(3, K)
        self.double()

    def forward(self, x):
        index = (2 * x.abs()).long().clamp(max=4)
        apart = self.words(index.flatten(), torch.arange(0, index.numel(), index.shape[1]))
        return self.head(torch.tanh(self.words(index) + 2 * apart))


class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.layer, self.head = kind(1, 3, batch_first=True), nn.Linear(3, K)
        self.double()

    def forward(self, x):
        return self.head(self.layer(x[..., None])[0][:, -1])


class Graph(nn.Module):
    """A graph convolution over the features as nodes, in a ring."""

    def __init__(self):
        super().__init__()
        self.first, self.head = nn.Linear(1, 3), nn.Linear(3, K)
        self.double()

    def forward(self, x):
        nodes = torch.tanh(self.first(x[..., None]))
        heard = torch.zeros_like(nodes).index_add(1, (torch.arange(nodes.shape[1]) + 1) % nodes.shape[1], nodes)
        return self.head(torch.softmax(heard, -1).mean(1))


class Tied(nn.Module):
    """One bias in two layers, behind a parametrisation."""

    def __init__(self):
        super().__init__()
        self.first = nn.utils.parametrizations.weight_norm(nn.Linear(4, 4))
        self.second, self.head = nn.Linear(4, 4), nn.Linear(4, K)
        self.second.bias = self.first.bias
        self.double()

    def forward(self, x):
        return self.head(nn.functional.silu(self.second(torch.sigmoid(self.first(x)))))


def between(*layers):
    return nn.Sequential(nn.Linear(4, 6), *layers, nn.Linear(6, K)).double()


HARD = {
    "softmax": lambda: between(nn.Softmax(1)),
    "log-softmax": lambda: between(nn.LogSoftmax(-1)),
    "attention": Attending,
    "attention, norm first, relu": lambda: Attending(True, "relu"),
    "layer norm, hard swish": lambda: between(nn.LayerNorm(6), nn.Hardswish()),
    "group norm, hard sigmoid": lambda: between(nn.GroupNorm(2, 6), nn.Hardsigmoid()),
    "bags, mean": lambda: Bags("mean"),
    "bags, sum": lambda: Bags("sum"),
    "graph": Graph,
    "tied": Tied,
}


@pytest.mark.filterwarnings("error::autobalance.hypergradients._second_order.ForwardModeWarning")
@pytest.mark.parametrize("make_model", HARD.values(), ids=HARD)
def test_layers_that_torch_has_no_second_derivatives_of_are_exact(make_model):
    assert_exact(case_of(make_model), Replay)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_recurrent_layers_are_exact(kind):
    assert_exact(case_of(lambda: Recurrent(kind)), Replay)


@pytest.mark.filterwarnings("error::autobalance.hypergradients._second_order.ForwardModeWarning")
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_recurrent_layers_in_single_precision_take_no_fused_kernel(kind):
    """Which the C library has of LSTMs in float32 alone, without second derivatives."""
    case = case_of(lambda: Recurrent(kind))
    inner, (batches, _) = case.inner(), case.batches()
    state, hyper = inner.init(), case.hyper()
    along = {n: torch.ones_like(p) for n, p in state.parameters.items()}
    expected = second_order(inner, state, hyper, batches[0], along)
    inner.model.float()
    batch = batches[0]._replace(x=batches[0].x.float())
    single = {n: value.float() for n, value in hyper.items()}
    found = second_order(inner, inner.init(), single, batch, {n: v.float() for n, v in along.items()})
    for part, exact in zip(found, expected, strict=True):
        assert max((part[n] - exact[n]).abs().max() for n in exact) < 1e-4


def vision(name):
    """torchvision's models, small, without what draws at random."""
    from torchvision import models
    from torchvision.models.convnext import CNBlockConfig
    from torchvision.models.efficientnet import FusedMBConvConfig, MBConvConfig
    from torchvision.models.mobilenetv3 import InvertedResidualConfig

    made = {
        "resnet": lambda: models.ResNet(models.resnet.BasicBlock, [1, 1, 1, 1], K),
        "mobilenet_v3": lambda: models.MobileNetV3(
            [
                InvertedResidualConfig(8, 3, 8, 8, True, "RE", 2, 1, 1.0),
                InvertedResidualConfig(8, 3, 16, 8, True, "HS", 1, 1, 1.0),
            ],
            16,
            K,
            dropout=0.0,
        ),
        "efficientnet": lambda: models.EfficientNet(
            [FusedMBConvConfig(1, 3, 1, 8, 8, 1), MBConvConfig(2, 3, 2, 8, 8, 1)], 0.0, 0.0, K, last_channel=16
        ),
        "convnext": lambda: models.ConvNeXt([CNBlockConfig(8, 16, 1), CNBlockConfig(16, None, 1)], 0.0, 0.1, K),
        "vit": lambda: models.VisionTransformer(8, 4, 1, 2, 8, 12, num_classes=K),
    }
    torch.manual_seed(0)
    model = made[name]().double()
    for parameter in model.parameters():  # away from zeros, where derivatives hide
        parameter.data += 0.1 * torch.randn_like(parameter)
    return model


@pytest.mark.filterwarnings("error::autobalance.hypergradients._second_order.ForwardModeWarning")
@pytest.mark.parametrize("name", ["resnet", "mobilenet_v3", "efficientnet", "convnext", "vit"])
def test_vision_models_have_the_hessian_products_of_finite_differences(name):
    """(g(θ + ε v) - g(θ - ε v)) / 2 ε, gradients by torch's own kernels, ε so small that no ReLU changes sides."""
    generator, side = torch.Generator().manual_seed(1), 8 if name == "vit" else 16
    batch = Batch(torch.randn(6, 3, side, side, generator=generator, dtype=torch.float64), torch.arange(6) % K, None)
    case = Case(lambda: vision(name))
    inner = case.inner()
    state, hyper = inner.init(), case.hyper()
    along = {n: torch.randn(p.shape, generator=generator).to(p) for n, p in state.parameters.items()}

    def gradient(sign):
        moved = {n: (p + sign * 1e-7 * along[n]).requires_grad_() for n, p in state.parameters.items()}
        buffers = {n: b.clone() for n, b in state.buffers.items()}
        loss = inner.train_loss(hyper, torch.func.functional_call(inner.model, (moved, buffers), (batch.x,)), batch)
        return torch.autograd.grad(loss, list(moved.values()))

    _, found = second_order(inner, state, hyper, batch, along)
    expected = {n: (up - down) / 2e-7 for n, up, down in zip(along, gradient(1), gradient(-1), strict=True)}
    size = max(value.abs().max() for value in expected.values())
    assert max((found[n] - expected[n]).abs().max() for n in along) < 1e-5 * size


def test_the_longer_way_is_found_out_once():
    case = case_of(with_cube)
    inner, (batches, _) = case.inner(), case.batches()
    state, said = inner.init(), []
    for _ in range(2):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            second_order(inner, state, case.hyper(), batches[0], state.parameters)
        said.append(sum(one.category is ForwardModeWarning for one in caught))
    assert said == [1, 0]


@pytest.mark.parametrize("padding", [{}, {"padding_idx": 2}])
@pytest.mark.parametrize("options", [{"mode": "mean"}, {"mode": "sum"}, {"mode": "max"}])
def test_bags_are_torch_s(options, padding):
    index, weight = torch.tensor([0, 3, 1, 4, 2, 2]), torch.randn(5, 3, dtype=torch.float64)
    for where in ([0, 2, 2], [0, 2, 6]):
        given = {"offsets": torch.tensor(where), "include_last_offset": where[-1] == 6, **options, **padding}
        if options["mode"] == "sum":
            given["per_sample_weights"] = torch.rand(6, dtype=torch.float64)
        torch.testing.assert_close(embedding_bag(index, weight, **given), F.embedding_bag(index, weight, **given))
    table = index.view(2, 3)
    torch.testing.assert_close(
        embedding_bag(table, weight, **options, **padding), F.embedding_bag(table, weight, **options, **padding)
    )


NOTHING = torch.tensor([[True, False, True], [False, False, False], [False, True, True]])
MASK = torch.tensor([[True, False, True], [True, True, False], [False, True, True]])


ATTENTION = {
    "plain": {},
    "causal": {"is_causal": True},
    "scaled": {"scale": 0.3},
    "grouped": {"enable_gqa": True},
    "masked": {"attn_mask": MASK},
    "biased": {"attn_mask": MASK.double()},
    "one sees nothing": {"attn_mask": NOTHING},
}


@pytest.mark.parametrize("options", ATTENTION.values(), ids=ATTENTION)
def test_attention_is_torch_s(options):
    heads = (4, 2, 2) if "enable_gqa" in options else (4, 4, 4)
    qkv = [torch.randn(2, number, 3, 4, dtype=torch.float64) for number in heads]
    torch.testing.assert_close(attention(*qkv, **options), F.scaled_dot_product_attention(*qkv, **options))


def test_a_layer_without_second_derivatives_is_named_with_what_helps():
    with pytest.raises(InputError, match=r"no second derivatives.*`strategy` prediction"):
        differentiate(Replay(3), case_of(lambda: Bags("max")))


@pytest.mark.parametrize("of_weights", [True, False])
@pytest.mark.parametrize("model", MODELS)
def test_both_ways_are_equal(model, of_weights):
    case = Case(MODELS[model])
    inner, (batches, _) = case.inner(), case.batches()
    state = inner.init()
    generator = torch.Generator().manual_seed(9)
    along = {n: torch.randn(p.shape, generator=generator, dtype=p.dtype) for n, p in state.parameters.items()}
    found = []
    for way in (_by_forward_mode, _by_reverse_mode):
        torch.manual_seed(3)
        values = way(inner, state, case.hyper(), batches[0], along, of_weights)
        found.append(dict(enumerate(values)))
    assert len(found[0]) == 3 + (len(along) if of_weights else 0)
    assert differences(*found) < 1e-12  # values of about one; some are zero


@pytest.mark.parametrize("engine", [Replay, Unrolled])
def test_weights_that_the_loss_does_not_reach_have_gradient_zero(engine):
    case = Case(Idle, SGD(0.5), lambda m: torch.optim.SGD(m.parameters(), 0.5))
    if engine is Replay:
        assert_exact(case, engine)
    model = case.model()
    state, _ = inner_step(case.inner(), case.inner().init(), case.hyper(), case.batches()[0][0])
    assert torch.equal(state.parameters["alone"], model.alone)
    assert not torch.equal(state.parameters["used.weight"], model.used.weight)


def test_weights_that_the_loss_does_not_reach_decay():
    case = Case(Idle, SGD(0.5, weight_decay=0.1))
    state, _ = differentiate(Replay(3), case)
    assert torch.allclose(state.parameters["alone"], torch.full((2,), 0.95**3, dtype=torch.float64), rtol=1e-12)
    _, found = differentiate(Implicit(3), case)
    assert all(torch.isfinite(value).all() for value in found.gradient.values())


@pytest.mark.parametrize("make_model", [Idle, frozen_weights, Attending])
def test_one_step_is_replay_with_one_step(make_model):
    case = case_of(make_model, steps=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ForwardModeWarning)
        expected, found = (differentiate(engine, case)[1] for engine in (Replay(1), OneStep()))
    assert worst(found.gradient, expected.gradient) < 1e-9
