"""Predictions that leave the model as it was."""

import pytest
import torch
from torch import nn

from autobalance.data import Samples
from autobalance.tasks import outputs, predict


class Noisy(nn.Module):
    """Wrong wherever it is in training mode."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(2)

    def forward(self, x):
        return -self.norm(x) if self.training else x


@pytest.mark.parametrize("training", (True, False))
def test_predictions_are_made_in_evaluation_mode_and_the_modes_come_back(training):
    model = Noisy().train(training)
    model.norm.eval()  # frozen, as a user may have it
    x = torch.randn(7, 2, generator=torch.Generator().manual_seed(0))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    samples = Samples(x, x.argmax(1))
    assert torch.equal(predict(model, samples, batch_size=3), x.argmax(1))
    assert torch.equal(outputs(model, samples, batch_size=3), x)
    assert model.training is training and model.norm.training is False
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert model(x.requires_grad_()).requires_grad
