"""The layer whose output are the logits is found by what it does."""

import pytest
import torch
from torch import nn

from autobalance.common import InputError
from autobalance.models import inputs_of, make_model, output_layer


def test_the_last_layer_is_found_and_what_it_is_given():
    model = make_model("mlp", (5,), 3)
    x = torch.randn(4, 5)
    layer = output_layer(model, x)
    assert layer is model.head
    with inputs_of(layer) as seen:
        model(x)
    model(x)
    assert len(seen) == 1
    torch.testing.assert_close(layer(seen[0]), model(x))


def test_a_layer_whose_output_is_changed_is_none():
    with pytest.raises(InputError, match="let it end with one"):
        output_layer(nn.Sequential(nn.Linear(3, 2), nn.Softmax(1)), torch.randn(2, 3))
