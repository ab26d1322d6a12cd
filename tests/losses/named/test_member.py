"""Losses made of a formula: over cells by hand and against their class-only kin, over bins with weights of mean one."""

import math

import pytest
import torch

from autobalance import fixed_point, lds_weights
from autobalance.losses import RegressionLoss, load_loss, save_loss

CELLS = [[400, 20], [30, 150], [8, 8]]
OF_CELLS = ("group-weighted", "group-la", "group-vs")
BINS = [40, 2, 0, 0, 9, 1]
OF_BINS = ["l1", "mse", "huber", "inv", "sqinv", "lds", "focal-r", "balanced-mse"]


def test_tables_by_hand():
    weighted, la, vs = (fixed_point(name, cell_counts=CELLS, dtype=torch.float64) for name in OF_CELLS)
    total, columns = 616, (438, 178)
    for k, row in enumerate(CELLS):
        for g, n in enumerate(row):
            assert weighted.w[k, g].item() == pytest.approx(total / (6 * n), rel=1e-12)
            assert la.l[k, g].item() == pytest.approx(math.log(n / columns[g]), rel=1e-12)
            assert vs.delta[k, g].item() == pytest.approx((n / 400) ** 0.3, rel=1e-12)
    assert torch.equal(vs.l, la.l)
    tilted = fixed_point("group-la", cell_counts=CELLS, tau=2.0, dtype=torch.float64)
    torch.testing.assert_close(tilted.l, 2 * la.l)


@pytest.mark.parametrize("name, kin", [("group-weighted", "weighted"), ("group-la", "la"), ("group-vs", "vs")])
def test_with_two_groups_alike_they_are_the_losses_without_groups(name, kin):
    counts = torch.tensor([90, 30, 6])
    grouped = fixed_point(name, cell_counts=torch.stack([counts, counts], 1), dtype=torch.float64)
    single = fixed_point(kin, 2 * counts, dtype=torch.float64)
    z, y = torch.randn(20, 3, dtype=torch.float64), torch.arange(20) % 3
    group = torch.arange(20) % 2
    torch.testing.assert_close(grouped(z, y, group=group), single(z, y))


@pytest.mark.parametrize("name", OF_CELLS)
def test_they_are_saved_and_loaded_with_their_names(name, tmp_path):
    names = {"class_names": ("a", "b", "c"), "group_names": ("left", "right")}
    loss = fixed_point(name, cell_counts=CELLS, **names)
    save_loss(loss, tmp_path / "loss.json")
    loaded = load_loss(tmp_path / "loss.json")
    assert (loaded.class_names, loaded.group_names) == (names["class_names"], names["group_names"])
    for table in ("w", "l", "delta"):
        assert torch.equal(getattr(loaded, table), getattr(loss, table))


@pytest.mark.parametrize("name", OF_BINS)
def test_each_is_a_member_with_weights_of_mean_one(name):
    loss = fixed_point(name, bin_counts=BINS, dtype=torch.float64)
    assert isinstance(loss, RegressionLoss) and loss.num_classes == 6 and loss.reduction == "batch_mean"
    counts = torch.tensor(BINS, dtype=torch.float64)
    assert (loss.w @ counts / counts.sum()).item() == pytest.approx(1)
    assert loss.bin_edges.tolist() == [0, 1, 2, 3, 4, 5, 6]


def test_the_weights():
    full = [0, 1, 4, 5]
    for name, formula, hyper in [
        ("inv", lambda n: 1 / min(max(n, 2), 30), {"clip": (2, 30)}),
        ("sqinv", lambda n: 1 / math.sqrt(n), {}),
    ]:
        w = fixed_point(name, bin_counts=BINS, dtype=torch.float64, **hyper).w
        expected = torch.tensor([formula(BINS[k]) for k in full], dtype=torch.float64)
        torch.testing.assert_close(w[full] / w[0], expected / expected[0], rtol=1e-12, atol=0)
    hyper = {"kernel": "laplace", "ks": 3, "sigma": 0.7, "reweight": "inverse"}
    w = fixed_point("lds", bin_counts=BINS, dtype=torch.float64, **hyper).w
    torch.testing.assert_close(w[full], lds_weights(BINS, **hyper)[full], rtol=1e-12, atol=0)


@pytest.mark.parametrize("name", ["inv", "sqinv", "lds"])
def test_an_empty_bin_has_the_weight_of_its_nearest_neighbour(name):
    w = fixed_point(name, bin_counts=BINS).w
    assert w[2] == w[1] and w[3] == w[4] and w[1] != w[4]
