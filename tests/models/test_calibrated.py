"""A layer behind any layer of a model: what it acts on, and how training feeds it."""

import pytest
import torch
from torch import nn

from autobalance import FDS
from autobalance.common import InputError
from autobalance.data import Samples
from autobalance.losses import RegressionLoss
from autobalance.models import Calibrated
from autobalance.training import Recipe, train

EDGES = [0.0, 1.0, 2.0, 3.0, 4.0]


def case(place="0", layer=lambda width: FDS(width, 4, ks=3).double(), seed=0):
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(2, 5), nn.ReLU(), nn.Linear(5, 1)).double()
    x = torch.randn(40, 2, dtype=torch.float64)
    y = 4 * torch.rand(40, dtype=torch.float64)
    return Calibrated(model, place, layer, x[:1], EDGES), Samples(x, y)


def run(model, samples, epochs=3, lr=0.05):
    recipe = Recipe(epochs=epochs, batch_size=10, lr=lr, warmup_epochs=0, weight_decay=0.0)
    train(model, samples, RegressionLoss(EDGES, dtype=torch.float64), recipe, 0)
    return model


@pytest.mark.parametrize("place, width", [("input", 2), ("0", 5), ("1", 5), ("2", 1)])
def test_it_acts_behind_the_named_layer_alone(place, width):
    def double(features):
        made.append(features)
        return Double()

    class Double(nn.Module):
        def forward(self, features):
            return 2 * features

    made = []
    model, samples = case(place, double)
    assert made == [width]
    layers = [nn.Identity(), *model.model]
    features = samples.x
    for name, layer in zip(["input", "0", "1", "2"], layers, strict=True):
        features = layer(features)
        features = 2 * features if name == place else features
    torch.testing.assert_close(model(samples.x), features, rtol=1e-12, atol=0)


def test_training_collects_the_statistics_of_each_epoch():
    """With a learning rate of next to nothing the statistics are those of the model at its start."""
    model, samples = case()
    run(model, samples, epochs=1, lr=1e-12)
    expected = FDS(5, 4, ks=3).double()
    bins = torch.bucketize(samples.y, torch.tensor(EDGES[1:-1]).double(), right=True)
    expected.update(model.model[0](samples.x), bins)
    expected.end_epoch()
    for name, value in expected.state_dict().items():
        torch.testing.assert_close(model.layer.state_dict()[name], value, rtol=1e-6, atol=1e-9)


def test_the_second_epoch_is_calibrated_and_evaluation_is_not():
    with_fds, samples = case()
    without, _ = case(layer=lambda width: FDS(width, 4, ks=3, strength=0.0).double())
    first = [run(model, samples, epochs=1).model[2].weight for model in (with_fds, without)]
    assert torch.equal(*first)
    second = [run(model, samples, epochs=1).model[2].weight for model in (with_fds, without)]
    assert not torch.equal(*second)
    with_fds.eval()
    assert torch.equal(with_fds(samples.x), with_fds.model(samples.x))


def test_it_leaves_no_hook_behind():
    model, samples = case()
    model.eval()(samples.x)
    assert not model.model[0]._forward_hooks
    model.train().see(samples.y[:3])
    with pytest.raises(ValueError, match="3 targets were seen for 40 samples"):
        model(samples.x)
    assert not model.model[0]._forward_hooks


def test_places_that_cannot_be():
    with pytest.raises(InputError, match="no layer 'head': it has input, 0, 1, 2"):
        case("head")
    with pytest.raises(InputError, match=r"'0' gives \(1,\), no features"):
        Calibrated(nn.Sequential(nn.Flatten(0)), "0", nn.Identity, torch.zeros(1, 1), EDGES)


def test_behind_a_convolution_each_place_is_a_sample():
    x, y = torch.randn(6, 1, 4, 5), torch.tensor([0.5, 0.5, 1.5, 1.5, 3.5, 3.5])
    model = Calibrated(nn.Sequential(nn.Conv2d(1, 2, 3)), "0", lambda width: FDS(width, 4, ks=3), x[:1], EDGES)
    expected = FDS(2, 4, ks=3)
    features = model.model(x).detach()
    rows = torch.stack([features[i, :, j, k] for i in range(6) for j in range(2) for k in range(3)])
    bins = torch.tensor([0, 0, 1, 1, 3, 3]).repeat_interleave(6)
    for layer in (model, expected):
        (model.see(y), model(x)) if layer is model else expected.update(rows, bins)
        layer.end_epoch()
    model.see(y)
    found = expected(rows, bins)
    assert not torch.allclose(found, rows, atol=1e-3)
    for row, (i, j, k) in enumerate((i, j, k) for i in range(6) for j in range(2) for k in range(3)):
        torch.testing.assert_close(model(x)[i, :, j, k], found[row])
