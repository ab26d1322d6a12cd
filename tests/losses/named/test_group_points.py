"""The fixed losses for groups, by hand and against their class-only kin."""

import math

import pytest
import torch

from autobalance.common import InputError
from autobalance.losses import load_loss, save_loss
from autobalance.losses.named import fixed_point, fixed_points, hyper_parameters

CELLS = [[400, 20], [30, 150], [8, 8]]
EXACT = ("group-weighted", "group-la", "group-vs")


def test_names_and_hyper_parameters():
    assert fixed_points("groups") == [*EXACT, "group-dro"]
    assert not set(fixed_points()) & set(fixed_points("groups"))
    assert hyper_parameters("group-vs") == {"gamma": 0.3, "tau": 1.0}
    assert hyper_parameters("group-dro") == {"eta": 0.01, "adjustment": 0.0}


def test_tables_by_hand():
    weighted, la, vs = (fixed_point(name, cell_counts=CELLS, dtype=torch.float64) for name in EXACT)
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


@pytest.mark.parametrize("name", EXACT)
def test_they_are_saved_and_loaded_with_their_names(name, tmp_path):
    names = {"class_names": ("a", "b", "c"), "group_names": ("left", "right")}
    loss = fixed_point(name, cell_counts=CELLS, **names)
    save_loss(loss, tmp_path / "loss.json")
    loaded = load_loss(tmp_path / "loss.json")
    assert (loaded.class_names, loaded.group_names) == (names["class_names"], names["group_names"])
    for table in ("w", "l", "delta"):
        assert torch.equal(getattr(loaded, table), getattr(loss, table))


def test_what_has_no_effect_is_refused():
    with pytest.raises(InputError, match="la has no groups: give it class_counts alone"):
        fixed_point("la", [3, 4], cell_counts=[[1, 2], [2, 2]])
    with pytest.raises(InputError, match="group-la needs cell_counts"):
        fixed_point("group-la", [3, 4])
    with pytest.raises(InputError, match="class 'dog' of group 'night' has 0 training samples"):
        fixed_point("group-la", cell_counts=[[1, 2], [2, 0]], class_names=("cat", "dog"), group_names=("day", "night"))
