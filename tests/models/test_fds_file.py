"""The file of a searched smoothing: what is written is read, what is torn is refused."""

import json

import pytest
import torch
from torch import nn

from autobalance import load_fds
from autobalance.common import InputError
from autobalance.models import Calibrated, Smoothing

SMOOTHING = Smoothing("0", (0.0, 1.0, 2.0, 3.0), 0.25, "triang", 3, 1.0, 0.8)
X = torch.randn(8, 2)


def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1))


def test_another_model_has_another_layer(tmp_path):
    Smoothing("last", SMOOTHING.bin_edges).save(tmp_path / "fds.json")
    with pytest.raises(InputError, match=r"no layer 'last': it has input, 0, 1, 2; name .* `layer`"):
        load_fds(tmp_path / "fds.json", model(), X[:1])
    loaded = load_fds(tmp_path / "fds.json", model(), X[:1], layer="2")
    assert loaded.place == "2" and loaded.layer.feature_dim == 1


def test_what_is_saved_is_loaded(tmp_path):
    SMOOTHING.save(tmp_path / "fds.json")
    loaded = load_fds(tmp_path / "fds.json", model(), X[:1])
    assert isinstance(loaded, Calibrated) and loaded.place == "0"
    layer, expected = loaded.layer, SMOOTHING.calibrate(model(), X).layer
    assert layer.strength == 0.25 and layer.num_bins == 3 and layer.feature_dim == 4 and layer.momentum == 0.8
    assert layer.settings == "triang, ks=3, sigma=1.0" == expected.settings
    assert torch.equal(loaded.eval()(X), model()(X))


@pytest.mark.parametrize(
    "change, words",
    [
        ({"version": 2}, "version 2 is not the version 1"),
        ({"more": 1}, r"unknown keys \['more'\]"),
        ({"strength": None}, "strength is None"),
        ({"ks": 3.5}, "ks is 3.5"),
        ({"strength": 1.5}, "strength is 1.5"),
        ({"kernel": "box"}, "no kernel is called 'box'"),
        ({"bin_edges": [0, 2, 1]}, "ascending"),
        ({"bin_edges": [0, "1", 2]}, "bin_edges holds '1'"),
        ({"layer": "9"}, "no layer '9'"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path, change, words):
    path = tmp_path / "fds.json"
    SMOOTHING.save(path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(InputError, match=words):
        load_fds(path, model(), X)


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "torn.json").write_text('{"format": "autobal')
    with pytest.raises(InputError, match="not a complete JSON file"):
        load_fds(tmp_path / "torn.json", model(), X)
    with pytest.raises(FileNotFoundError):
        load_fds(tmp_path / "none.json", model(), X)
