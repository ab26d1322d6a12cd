"""Reference models: known sizes, shapes for every kind of sample, features, heads, and errors."""

import pytest
import torch
from torch import nn

from autobalance.common import InputError
from autobalance.models import CosineLinear, FeatureModel, default_model, make_model, model_names


def size(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("name", [n for n in model_names() if n != "resnet50"])
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 32)])
def test_every_model_gives_logits_and_the_features_that_its_head_maps_to_them(name, shape):
    model = make_model(name, shape, 5).eval()
    x = torch.randn(2, *shape)
    logits, features = model(x, return_features=True)
    assert logits.shape == (2, 5) and features.ndim == 2
    assert torch.equal(logits, model(x)) and torch.equal(features, model.features(x))
    torch.testing.assert_close(logits, features @ model.head.weight.T + model.head.bias)


def test_sizes_that_are_known_from_elsewhere():
    # He et al. 2016, table 6, say 0.27 M and 0.46 M; the exact sums are those of layers written out by hand.
    def by_hand(n):
        convs = 3 * 16 * 9 + 2 * n * 16 * 16 * 9
        convs += (16 * 32 + (2 * n - 1) * 32 * 32) * 9 + (32 * 64 + (2 * n - 1) * 64 * 64) * 9
        norms = 2 * (16 * (1 + 2 * n) + 32 * 2 * n + 64 * 2 * n)
        return convs + norms + 64 * 10 + 10

    assert size(make_model("resnet20", (3, 32, 32), 10)) == by_hand(3) == 269_722
    assert size(make_model("resnet32", (3, 32, 32), 10)) == by_hand(5) == 464_154
    projected = size(make_model("resnet20", (3, 32, 32), 10, shortcut="projection"))
    assert projected - by_hand(3) == 16 * 32 + 2 * 32 + 32 * 64 + 2 * 64
    assert size(make_model("linear", (7,), 3)) == 24
    assert size(make_model("mlp", (7,), 3)) == 8 * 128 + 129 * 128 + 129 * 3
    assert size(make_model("cnn", (1, 8, 8), 10)) < 30_000


def test_torchvision_networks_are_torchvisions():
    from torchvision import models

    reference = models.resnet18(num_classes=4).eval()
    model = make_model("resnet18", (3, 32, 32), 4).eval()
    model.body.load_state_dict({k: v for k, v in reference.state_dict().items() if not k.startswith("fc.")})
    model.head.load_state_dict(reference.fc.state_dict())
    x = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(model(x), reference(x))


def test_the_pad_shortcut_takes_every_second_pixel_and_puts_zeros_around_the_channels():
    block = next(m for m in make_model("resnet20", (3, 32, 32), 10).modules() if type(m).__name__ == "PadShortcut")
    x = torch.randn(2, 16, 8, 8)
    out = block(x)
    assert out.shape == (2, 32, 4, 4)
    assert torch.equal(out[:, 8:24], x[:, :, ::2, ::2])
    assert out[:, :8].abs().sum() == 0 and out[:, 24:].abs().sum() == 0


def test_the_cosine_head_gives_cosines():
    head = CosineLinear(6, 3).double()
    features = torch.randn(4, 6, dtype=torch.float64)
    cosines = torch.stack([torch.cosine_similarity(features, w[None], dim=1) for w in head.weight], dim=1)
    torch.testing.assert_close(head(features), cosines)
    model = make_model("cnn", (1, 8, 8), 3, head="cosine")
    assert isinstance(model.head, CosineLinear) and model(torch.randn(5, 1, 8, 8)).abs().max() <= 1 + 1e-6


def test_a_seed_reproduces_the_weights():
    weights = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        weights.append(nn.utils.parameters_to_vector(make_model("resnet20", (1, 8, 8), 2).parameters()))
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize("name", ["mlp", "cnn", "resnet20"])
def test_models_have_second_derivatives(name):
    model = make_model(name, (1, 8, 8), 3)
    weights = list(model.parameters())
    loss = model(torch.randn(4, 1, 8, 8)).square().sum()
    first = torch.autograd.grad(loss, weights, create_graph=True)
    second = torch.autograd.grad(sum(g.square().sum() for g in first), weights)
    assert all(torch.isfinite(g).all() for g in second) and any(g.abs().sum() > 0 for g in second)


def test_default_models_suit_their_samples():
    for shape, expected in {(9,): "mlp", (1, 8, 8): "cnn"}.items():
        assert default_model(shape) == expected
        assert isinstance(make_model(default_model(shape), shape, 2), FeatureModel)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("vit", (3, 32, 32), 10), {}, "'vit' is unknown: choose one of linear, mlp, cnn, resnet20"),
        (("cnn", (30,), 10), {}, r"cnn is for images .* shape \(30,\): choose linear or mlp"),
        (("mlp", (30,), 10), {"head": "round"}, "head 'round' is unknown"),
        (("mlp", (30,), 10), {"shortcut": "pad"}, "shortcut has no effect on the model mlp"),
        (("resnet20", (3, 8, 8), 10), {"shortcut": "C"}, "shortcut 'C' is unknown: choose pad or projection"),
    ],
)
def test_errors_say_what_to_choose(arguments, options, message):
    with pytest.raises(InputError, match=message):
        make_model(*arguments, **options)
