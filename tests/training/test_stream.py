"""Streams: what a training is shown, and when."""

import torch
from torch import nn

from autobalance.data import Samples
from autobalance.losses.named import fixed_point
from autobalance.training import Around, Recipe, Stream, train

SAMPLES = Samples(torch.randn(20, 3, generator=torch.Generator().manual_seed(0)), torch.arange(20) % 2)
RECIPE = Recipe(epochs=4, batch_size=5)


class Noted(Around):
    """Notes when it is asked, and shows the first samples alone."""

    def __init__(self, inner):
        super().__init__(inner)
        self.asked = []

    def order(self, progress, generator):
        self.asked.append(progress)
        return [index % 10 for index in self.inner.order(progress, generator)]


def weights(**keywords):
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    train(model, SAMPLES, fixed_point("ce", [10, 10]), RECIPE, 0, **keywords)
    return model.weight.detach()


def test_a_stream_is_what_is_trained_on():
    noted = Noted(Stream(SAMPLES, RECIPE))
    shown = weights(stream=noted)
    assert noted.asked == [0.0, 0.25, 0.5, 0.75]
    assert torch.equal(weights(), weights(stream=Stream(SAMPLES, RECIPE)))
    assert torch.equal(weights(), weights(stream=Around(Stream(SAMPLES, RECIPE))))
    assert not torch.equal(weights(), shown)


def test_batches_are_those_of_the_recipe():
    generators = [torch.Generator().manual_seed(3) for _ in range(2)]
    found = list(Stream(SAMPLES, RECIPE).batches(0.0, generators[0]))
    expected = RECIPE.batches(20, generators[1])
    assert [batch.y.tolist() for batch in found] == [SAMPLES.y[index].tolist() for index in expected]
