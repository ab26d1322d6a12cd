"""Label-distribution smoothing against the released code's numbers and a plain loop; bins of float targets."""

import json
import math
from pathlib import Path

import pytest
import torch

import autobalance
from autobalance.common import InputError
from autobalance.common.density import (
    KERNELS,
    REWEIGHTS,
    bin_index,
    fill_empty,
    kernel_window,
    make_bin_edges,
    smooth_density,
)

GOLDEN = json.loads((Path(__file__).parents[1] / "data" / "golden" / "regression.json").read_text())["lds"]
COUNTS = [3, 0, 0, 12, 1, 2000, 7]


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda c: f"{c['kernel']}-{c['ks']}-{c['reweight']}")
def test_weights_equal_the_released_ones(case):
    settings = {name: case[name] for name in ("kernel", "ks", "sigma", "reweight")}
    weights = autobalance.lds_weights(GOLDEN["bin_counts"], **settings)
    assert weights.dtype == torch.float64
    for k, count in enumerate(GOLDEN["bin_counts"]):
        expected = case["weight_by_bin"].get(str(k), 0.0)
        assert (count == 0) == (expected == 0)
        assert weights[k].item() == pytest.approx(expected, rel=1e-6, abs=1e-12)
    expected = torch.tensor(case["smoothed"], dtype=torch.float64)
    torch.testing.assert_close(smooth_density(GOLDEN["bin_counts"], **settings), expected, rtol=0, atol=1e-7)
    window = torch.tensor(case["kernel_window"], dtype=torch.float64)
    torch.testing.assert_close(kernel_window(case["kernel"], case["ks"], case["sigma"]), window, rtol=0, atol=1e-7)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("reweight", REWEIGHTS)
@pytest.mark.parametrize("ks, sigma", [(1, 0.3), (3, 0.8), (7, 1.7), (21, 2.0)])
def test_weights_are_those_of_a_loop_over_the_bins(kernel, reweight, ks, sigma):
    window = kernel_window(kernel, ks, sigma).tolist()
    clip = (2.0, 100.0)
    values = [math.sqrt(n) if reweight == "sqrt_inv" else min(max(n, 2.0), 100.0) for n in COUNTS]
    weights = []
    for k, n in enumerate(COUNTS):
        near = sum(window[j] * values[k + j - ks // 2] for j in range(ks) if 0 <= k + j - ks // 2 < len(COUNTS))
        weights.append(1 / near if n else 0.0)
    mean = sum(w * n for w, n in zip(weights, COUNTS, strict=True)) / sum(COUNTS)
    found = autobalance.lds_weights(COUNTS, kernel, ks, sigma, reweight, clip)
    assert found.tolist() == pytest.approx([w / mean for w in weights], rel=1e-12)


def test_the_gaussian_window_is_scipys():
    from scipy.ndimage import gaussian_filter1d

    for ks, sigma in [(5, 2.0), (9, 1.0), (3, 5.0), (1, 2.0), (31, 2.5)]:
        impulse = torch.zeros(ks, dtype=torch.float64)
        impulse[ks // 2] = 1
        expected = torch.from_numpy(gaussian_filter1d(impulse.numpy(), sigma))
        torch.testing.assert_close(kernel_window("gaussian", ks, sigma), expected / expected.max(), rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"bin_counts": [0, 0]}, "not all 0"),
        ({"bin_counts": [1, -1]}, "at least 0"),
        ({"bin_counts": [1.0, float("nan")]}, "at least 0"),
        ({"bin_counts": [[1, 2]]}, "one count"),
        ({"kernel": "box"}, "'box'.*gaussian, triang, laplace"),
        ({"ks": 4}, "ks is 4"),
        ({"ks": -1}, "ks is -1"),
        ({"sigma": 0}, "sigma is 0"),
        ({"reweight": "inv"}, "'inv'.*sqrt_inv, inverse"),
        ({"reweight": "inverse", "clip": (0, 5)}, "clip"),
    ],
)
def test_what_is_refused(arguments, words):
    with pytest.raises(InputError, match=words):
        autobalance.lds_weights(**{"bin_counts": COUNTS, **arguments})


def test_whole_numbers_get_a_bin_each():
    edges = make_bin_edges([3.0, 9.0, 5.0, 4.0])
    assert edges.tolist() == [2.5, 3.5, 4.5, 5.5, 6.5, 7.5, 8.5, 9.5]
    assert bin_index(torch.tensor([3.0, 9.0, 5.0]), edges).tolist() == [0, 6, 2]


@pytest.mark.parametrize("number, expected", [(4, 5), (100, 10), (101, 11), (10_000, 50)])
def test_other_targets_get_about_the_root_of_their_number(number, expected):
    edges = make_bin_edges(torch.linspace(-1, 2.5, number))
    assert len(edges) == expected + 1 and edges[0] == -1 and edges[-1] == 2.5
    torch.testing.assert_close(edges.diff(), torch.full_like(edges.diff(), 3.5 / expected))


def test_whole_numbers_over_a_wide_span_do_not_get_a_bin_each():
    assert len(make_bin_edges([0.0, 199.0])) == 201
    assert len(make_bin_edges([0.0, 200.0])) == 6


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64])
def test_bins_hold_their_lower_edge_and_targets_beyond_the_ends_go_to_the_outer_bins(dtype):
    edges = torch.tensor([0.0, 1.0, 3.0, 4.0], dtype=torch.float64)
    targets = torch.tensor([[-9, 0], [1, 2], [3, 4], [5, 0]]).to(dtype)
    assert bin_index(targets, edges).tolist() == [[0, 0], [1, 1], [2, 2], [2, 0]]
    assert bin_index(torch.tensor([0.999, 2.999]), edges).tolist() == [0, 1]


@pytest.mark.parametrize("targets, bins", [([1.0, 1.0], None), ([1.0, float("inf")], None), ([1.0, 2.0], 1), ([], 3)])
def test_targets_that_cannot_be_binned(targets, bins):
    with pytest.raises(InputError):
        make_bin_edges(targets, bins)


def test_empty_bins_take_the_value_of_the_nearest_full_one():
    values, counts = torch.tensor([1.0, 0, 0, 0, 5, 6, 0]), torch.tensor([1, 0, 0, 0, 2, 1, 0])
    assert fill_empty(values, counts).tolist() == [1, 1, 1, 5, 5, 6, 6]
