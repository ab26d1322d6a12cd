"""Layers are as before, whatever happens in between."""

import pytest
from torch import nn

from autobalance.models import evaluating


def test_each_layer_has_its_own_mode_again():
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(), nn.BatchNorm1d(2)).train()
    model[2].eval()
    for failing in (False, True):
        with pytest.raises(KeyError) if failing else evaluating(model), evaluating(model):
            assert not any(layer.training for layer in model.modules())
            if failing:
                raise KeyError
        assert [layer.training for layer in (model, *model)] == [True, True, True, False]
