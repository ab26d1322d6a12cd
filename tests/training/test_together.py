"""Models trained together are those that are trained one after the other."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from toy import gaussians

from autobalance.common import InputError
from autobalance.data import Samples
from autobalance.losses.named import fixed_point
from autobalance.models import FeatureModel, make_model
from autobalance.training import Recipe, train, train_together

COUNTS = [40, 17, 6]
RECIPE = Recipe(epochs=4, batch_size=16, lr=0.05, warmup_epochs=1)
LOSSES = ("ce", "la", "ldam-drw", "ib-focal", "csl")
BIAS = [0.5, -1.0, 0.5]


def images(seed):
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(3).repeat_interleave(torch.tensor(COUNTS))
    return Samples(torch.randn(63, 2, 8, 8, generator=generator, dtype=torch.float64) + y[:, None, None, None], y)


def network(kind, seed):
    torch.manual_seed(seed)
    if kind == "mlp":
        body = nn.Sequential(nn.Linear(3, 7), nn.BatchNorm1d(7), nn.Tanh())
        return FeatureModel(body, nn.Linear(7, 3)).double()
    return make_model(kind, (2, 8, 8), 3).double()


class Watcher(nn.Linear):
    """A model that is shown the targets."""

    def see(self, targets):
        pass

    def end_epoch(self):
        pass


@pytest.mark.parametrize(
    ("kind", "recipe"),
    [
        ("mlp", RECIPE),
        ("cnn", replace(RECIPE, augment="crop-flip")),
        ("mlp", replace(RECIPE, clip=0.3)),
        ("mlp", replace(RECIPE, optimizer="adam", lr=0.01, momentum=None, nesterov=None, clip=0.3)),
    ],
    ids=["mlp", "cnn", "clipped", "clipped-adam"],
)
def test_five_losses_at_once_equal_each_alone(kind, recipe):
    samples = [gaussians(COUNTS, seed) if kind == "mlp" else images(seed) for seed in range(5)]
    losses = [fixed_point(name, COUNTS, dtype=torch.float64) for name in LOSSES]
    losses[1] = losses[1].replace(start_bias=BIAS)
    together, apart, means = [network(kind, s) for s in range(5)], [network(kind, s) for s in range(5)], []
    train_together(together, samples, losses, recipe, range(5), lambda epoch, values: means.append(values))
    for place, model in enumerate(apart):
        alone = []
        train(model, samples[place], losses[place], recipe, place, lambda epoch, value: alone.append(value))  # noqa: B023
        assert alone == pytest.approx([values[place] for values in means], rel=1e-10)
        for name, value in model.state_dict().items():
            assert torch.allclose(together[place].state_dict()[name], value, rtol=1e-10, atol=1e-10), (place, name)


def test_what_cannot_be_trained_together_is_refused():
    loss, samples, model = fixed_point("ce", COUNTS, dtype=torch.float64), gaussians(COUNTS, 0), network("mlp", 0)
    with pytest.raises(InputError, match="2 models, 1 sets of samples, 2 losses and 2 seeds"):
        train_together([model] * 2, [samples], [loss] * 2, RECIPE, [0, 1])
    with pytest.raises(InputError, match="sets of 40 and of 63 samples"):
        train_together([model] * 2, [samples, samples.subset(torch.arange(40))], [loss] * 2, RECIPE, [0, 1])
    with pytest.raises(InputError, match="FDS"):
        train_together([Watcher(3, 3)], [samples], [loss], RECIPE, [0])


def test_the_losses_given_stay_as_they_are():
    loss, samples = fixed_point("csl", COUNTS, dtype=torch.float64), gaussians(COUNTS, 0)
    before = {name: value.clone() for name, value in loss.state_dict().items()}
    train_together([network("mlp", 0), network("mlp", 1)], [samples] * 2, [loss] * 2, RECIPE, [0, 1])
    assert all(torch.equal(value, before[name]) for name, value in loss.state_dict().items())
