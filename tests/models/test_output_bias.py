"""The bias of a model's output: which one it is, and how it is started elsewhere."""

import pytest
import torch
from torch import nn

from autobalance.common import InputError
from autobalance.models import make_model, output_bias, start_at, started_at

X = torch.randn(2, 5, generator=torch.Generator().manual_seed(0))


class TwoHeads(nn.Module):
    """The bias of the output is neither the last parameter nor the only one of its size."""

    def __init__(self):
        super().__init__()
        self.out = nn.Linear(4, 3)
        self.body = nn.Sequential(nn.Linear(5, 3), nn.ReLU(), nn.Dropout(), nn.Linear(3, 4))

    def forward(self, x):
        return self.out(self.body(x))


def test_it_is_found_by_what_it_does_and_nothing_changes():
    model = TwoHeads()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert output_bias(model, X) == (model.out, "bias")
    assert model.training and all(torch.equal(before[name], value) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    "model",
    [
        nn.Linear(5, 3, bias=False),
        nn.Sequential(nn.Linear(5, 3), nn.ReLU()),
        nn.Sequential(nn.Linear(5, 3), nn.Linear(3, 3, bias=False)),
    ],
)
def test_some_models_have_none(model):
    assert output_bias(model, X) is None
    with pytest.raises(InputError, match="has none"):
        start_at(model, X, torch.ones(3))


def test_reference_models_have_one():
    model = make_model("mlp", (5,), 3)
    assert output_bias(model, X) == (model.head, "bias")


def test_it_is_started_elsewhere():
    model = TwoHeads().eval()
    before, b = model(X), torch.tensor([1.0, -2.0, 0.5])
    start_at(model, X, b)
    torch.testing.assert_close(model(X), before + b)
    start_at(model, X, None)
    torch.testing.assert_close(model(X), before + b)


def test_decay_pulls_it_to_where_it_started():
    model, b = TwoHeads(), torch.tensor([1.0, -2.0, 0.5])
    names = set(model.state_dict())
    with started_at(model, X, b):
        decay = torch.optim.SGD(model.parameters(), lr=0.5, weight_decay=1.0)
        for _ in range(40):
            decay.zero_grad()
            (0 * model(X).sum()).backward()
            decay.step()
    torch.testing.assert_close(model.out.bias.detach(), b)
    assert set(model.state_dict()) == names and isinstance(model.out.bias, nn.Parameter)
