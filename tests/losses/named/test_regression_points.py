"""The named regression losses: their weights, bins and defaults."""

import math

import pytest
import torch

from autobalance import fixed_point, fixed_points, lds_weights
from autobalance.common import InputError
from autobalance.losses import ParametricLoss, RegressionLoss
from autobalance.losses.named import hyper_parameters

COUNTS = [40, 2, 0, 0, 9, 1]
NAMES = ["l1", "mse", "huber", "inv", "sqinv", "lds", "focal-r", "balanced-mse"]


def test_the_names_and_their_defaults():
    assert fixed_points("regression") == NAMES and not set(NAMES) & set(fixed_points())
    assert {name: hyper_parameters(name) for name in NAMES} == {
        "l1": {},
        "mse": {},
        "huber": {"threshold": 1.0},
        "inv": {"clip": (5.0, 1000.0)},
        "sqinv": {},
        "lds": {"kernel": "gaussian", "ks": 5, "sigma": 2.0, "reweight": "sqrt_inv", "clip": (5.0, 1000.0)},
        "focal-r": {"beta": 0.2, "gamma": 1.0},
        "balanced-mse": {"noise_sigma": 1.0},
    }
    with pytest.raises(InputError, match="'ranking'"):
        fixed_points("ranking")


@pytest.mark.parametrize("name", NAMES)
def test_each_is_a_point_with_weights_of_mean_one(name):
    loss = fixed_point(name, bin_counts=COUNTS, dtype=torch.float64)
    assert isinstance(loss, RegressionLoss) and loss.num_classes == 6 and loss.reduction == "batch_mean"
    counts = torch.tensor(COUNTS, dtype=torch.float64)
    assert (loss.w @ counts / counts.sum()).item() == pytest.approx(1)
    assert loss.bin_edges.tolist() == [0, 1, 2, 3, 4, 5, 6]


def test_the_weights():
    full = [0, 1, 4, 5]
    for name, formula, hyper in [
        ("inv", lambda n: 1 / min(max(n, 2), 30), {"clip": (2, 30)}),
        ("sqinv", lambda n: 1 / math.sqrt(n), {}),
    ]:
        w = fixed_point(name, bin_counts=COUNTS, dtype=torch.float64, **hyper).w
        expected = torch.tensor([formula(COUNTS[k]) for k in full], dtype=torch.float64)
        torch.testing.assert_close(w[full] / w[0], expected / expected[0], rtol=1e-12, atol=0)
    hyper = {"kernel": "laplace", "ks": 3, "sigma": 0.7, "reweight": "inverse"}
    w = fixed_point("lds", bin_counts=COUNTS, dtype=torch.float64, **hyper).w
    torch.testing.assert_close(w[full], lds_weights(COUNTS, **hyper)[full], rtol=1e-12, atol=0)


@pytest.mark.parametrize("name", ["inv", "sqinv", "lds"])
def test_an_empty_bin_has_the_weight_of_its_nearest_neighbour(name):
    w = fixed_point(name, bin_counts=COUNTS).w
    assert w[2] == w[1] and w[3] == w[4] and w[1] != w[4]


def test_targets_give_counts_and_bins():
    targets = [3.0, 3.0, 5.0, 3.0, 4.0, 3.0]
    loss = fixed_point("sqinv", targets=targets, error="mse", scale=2.0, dtype=torch.float64)
    assert loss.bin_edges.tolist() == [2.5, 3.5, 4.5, 5.5]
    assert (loss.w / loss.w[1]).tolist() == pytest.approx([0.5, 1, 1])
    value = loss(torch.tensor([4.0]), torch.tensor([3.0]))
    assert value.item() == pytest.approx(loss.w[0].item() / 4)
    other = fixed_point("sqinv", targets=targets, bin_edges=[2.0, 4.0, 6.0])
    assert (other.w[0] / other.w[1]).item() == pytest.approx(math.sqrt(2 / 4))


def test_weight_overrides_w():
    assert fixed_point("inv", bin_counts=[1, 2], weight=[3.0, 4.0]).w.tolist() == [3, 4]


def test_ordered_classes_take_lds_weights():
    loss = fixed_point("lds", [50, 3, 9], ks=3, class_names=["a", "b", "c"])
    assert isinstance(loss, ParametricLoss) and loss.class_names == ("a", "b", "c")
    torch.testing.assert_close(loss.w.double(), lds_weights([50, 3, 9], ks=3), rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    "name, arguments, words",
    [
        ("inv", {}, "either bin_counts= or targets="),
        ("inv", {"bin_counts": [1, 2], "targets": [1.0]}, "either bin_counts= or targets="),
        ("inv", {"class_counts": [1, 2]}, "regression loss"),
        ("inv", {"bin_counts": [1, 2], "class_names": ["a", "b"]}, "no classes"),
        ("inv", {"bin_counts": [1, 2], "tau": 1.0}, "no hyper-parameter 'tau'; it has clip"),
        ("inv", {"bin_counts": [1, 2], "bin_edges": [0, 1]}, "three finite"),
        ("inv", {"bin_counts": [1, 2], "bin_edges": [0, 1, 2, 3]}, "2 bin_counts need 3 bin_edges"),
        ("inv", {"bin_counts": [1, -2]}, "at least 0"),
        ("inv", {"bin_counts": [1, 2], "clip": (3, 1)}, "clip"),
        ("inv", {"bin_counts": [1, 2], "error": "balanced-mse"}, "choose l1, mse or huber"),
        ("mse", {"bin_counts": [1, 2], "error": "l1"}, "error has no effect on a loss whose error is mse"),
        ("la", {}, "la needs class_counts"),
        ("la", {"class_counts": [1, 2], "bin_counts": [1, 2]}, "no hyper-parameter 'bin_counts'"),
    ],
)
def test_what_is_refused(name, arguments, words):
    with pytest.raises(InputError, match=words):
        fixed_point(name, **arguments)
