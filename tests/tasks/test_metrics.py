"""True metrics against scikit-learn, and predictions that leave the model as it was."""

import math

import pytest
import torch
from sklearn.metrics import accuracy_score, balanced_accuracy_score, recall_score
from torch import nn

from autobalance.data import Samples
from autobalance.tasks import classification_metrics, evaluate, predict


@pytest.mark.filterwarnings("ignore:y_pred contains classes")  # a class that no sample has is predicted
@pytest.mark.parametrize("absent", ([], [1], [0, 4]))
@pytest.mark.parametrize("seed", range(3))
def test_errors_are_scikit_learns_with_and_without_absent_classes(absent, seed):
    generator = torch.Generator().manual_seed(seed)
    target = torch.randint(5, (83,), generator=generator)
    for k in absent:
        target[target == k] = 2
    guess = torch.where(torch.rand(83, generator=generator) < 0.5, target, torch.randint(5, (83,), generator=generator))
    found = classification_metrics(guess, target, 5)
    assert found.balanced_error == pytest.approx(100 * (1 - balanced_accuracy_score(target, guess)), abs=1e-10)
    assert found.error == pytest.approx(100 * (1 - accuracy_score(target, guess)), abs=1e-10)
    recall = recall_score(target, guess, labels=list(range(5)), average=None, zero_division=math.nan)
    assert found.class_error == pytest.approx((100 * (1 - recall)).tolist(), abs=1e-10, nan_ok=True)
    assert [k for k in range(5) if math.isnan(found.class_error[k])] == absent


def test_nothing_and_everything_wrong():
    y = torch.tensor([0, 0, 1])
    assert vars(classification_metrics(y, y, 2)) == {"balanced_error": 0, "error": 0, "class_error": [0, 0]}
    assert vars(classification_metrics(1 - y, y, 2)) == {"balanced_error": 100, "error": 100, "class_error": [100, 100]}


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
    assert evaluate(model, samples, 2).error == 0
    assert model.training is training and model.norm.training is False
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert model(x.requires_grad_()).requires_grad
