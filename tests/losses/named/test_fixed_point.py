"""Fixed losses by their names: names, hyper-parameters, overrides, and what is refused."""

import math
from collections import Counter

import pandas as pd
import pytest
import torch

from autobalance.common import InputError
from autobalance.common.density import lds_weights
from autobalance.losses import (
    CSL,
    Equalization,
    InfluenceBalanced,
    Loss,
    ParametricLoss,
    ReleasedCSL,
    ScheduledLoss,
)
from autobalance.losses.named import fixed_point, fixed_points, hyper_parameters

COUNTS = [500, 90, 30, 2]
EXACT = ["ce", "weighted", "cb", "focal", "cb-focal", "la", "balanced-softmax", "cdt", "vs", "ldam"]
BUILT = ["ldam-drw", "csl", "ib", "ib-cb", "ib-focal", "equalization"]
CELLS = ["group-weighted", "group-la", "group-vs", "group-dro"]
BINS = ["l1", "mse", "huber", "inv", "sqinv", "lds", "focal-r", "balanced-mse"]
LOGITS, TARGET = torch.randn(8, 4, generator=torch.Generator().manual_seed(0)), torch.arange(8) % 4
FEATURES = torch.rand(8, 5, generator=torch.Generator().manual_seed(1))


def test_the_names():
    assert fixed_points() == EXACT + BUILT
    assert fixed_points("groups") == CELLS
    assert fixed_points("regression") == BINS
    with pytest.raises(InputError, match="'ranking'"):
        fixed_points("ranking")


@pytest.mark.parametrize("name", EXACT)
def test_losses_without_a_state_or_schedule_are_members_of_the_family(name):
    assert type(fixed_point(name, COUNTS)) is ParametricLoss


@pytest.mark.parametrize("name", EXACT + BUILT)
@pytest.mark.parametrize("counts", [COUNTS, torch.tensor(COUNTS), torch.tensor(COUNTS, dtype=torch.float64)])
def test_every_name_trains_by_the_same_protocol(name, counts):
    loss = fixed_point(name, counts, class_names=list("abcd"))
    assert isinstance(loss, Loss) and loss.num_classes == 4
    logits = LOGITS.clone().requires_grad_()
    for epoch in range(10):
        loss.start_epoch(epoch / 10)
        more = {"features": FEATURES} if loss.needs_features else {}
        value = loss(logits, TARGET, group=None, **more)
        gradient = torch.autograd.grad(value, logits)[0]
        assert value.dim() == 0 and value.isfinite() and gradient.isfinite().all() and gradient.abs().sum() > 0
    assert loss.needs_features == (name == "csl" or name.startswith("ib"))


def test_the_defaults_are_the_documented_ones():
    assert {name: hyper_parameters(name) for name in EXACT + BUILT + CELLS + BINS} == {
        "ce": {},
        "weighted": {},
        "cb": {"beta": 0.9999},
        "focal": {"gamma": 2.0},
        "cb-focal": {"beta": 0.9999, "gamma": 1.0},
        "la": {"tau": 1.0},
        "balanced-softmax": {},
        "cdt": {"gamma": 0.2},
        "vs": {"gamma": 0.3, "tau": 1.0},
        "ldam": {"max_m": 0.5, "s": 30.0},
        "ldam-drw": {"max_m": 0.5, "s": 30.0, "beta": 0.9999, "drw_start": 0.8},
        "csl": {
            "variant": "paper",
            "base": "ce",
            "reward": 2.0,
            "strength": 1.0,
            "entropy_floor": None,
            "counts": None,
        },
        "ib": {"alpha": 1000.0, "epsilon": 1e-3, "start": 0.5},
        "ib-cb": {"beta": 0.9999, "alpha": 1000.0, "epsilon": 1e-3, "start": 0.5},
        "ib-focal": {"gamma": 1.0, "alpha": 1000.0, "epsilon": 1e-3, "start": 0.5},
        "equalization": {"threshold": None, "probability": 0.9},
        "group-weighted": {},
        "group-la": {"tau": 1.0},
        "group-vs": {"gamma": 0.3, "tau": 1.0},
        "group-dro": {"eta": 0.01, "adjustment": 0.0},
        "l1": {},
        "mse": {},
        "huber": {"threshold": 1.0},
        "inv": {"clip": (5.0, 1000.0)},
        "sqinv": {},
        "lds": {"kernel": "gaussian", "ks": 5, "sigma": 2.0, "reweight": "sqrt_inv", "clip": (5.0, 1000.0)},
        "focal-r": {"beta": 0.2, "gamma": 1.0},
        "balanced-mse": {"noise_sigma": 1.0},
    }


@pytest.mark.parametrize("name", EXACT + BUILT)
def test_weight_overrides_w_where_the_loss_has_weights(name):
    weight = torch.tensor([0.5, 1.0, 2.0, 0.25])
    loss = fixed_point(name, COUNTS, weight=weight)
    late = loss.at(1.0)
    assert torch.equal(late.w, weight)
    if isinstance(loss, ScheduledLoss):
        assert torch.equal(loss.at(0.0).w, torch.ones(4))


@pytest.mark.parametrize("name", EXACT + BUILT)
def test_reduction_and_dtype_reach_every_loss(name):
    for reduction in ("mean", "batch_mean", "sum", "none"):
        loss = fixed_point(name, COUNTS, reduction=reduction, dtype=torch.float64)
        assert {stage.loss.reduction for stage in loss.stages} == {loss.reduction} == {reduction}
        assert {b.dtype for b in loss.buffers() if b.is_floating_point()} == {torch.float64}
    assert fixed_point(name, COUNTS).reduction == ("batch_mean" if name.startswith("ib") else "mean")
    with pytest.raises(ValueError, match="'average'"):
        fixed_point(name, COUNTS, reduction="average")


def test_what_is_built():
    loss = fixed_point("ldam-drw", COUNTS, drw_start=0.6)
    assert [stage.start for stage in loss.stages] == [0.0, 0.6]
    assert isinstance(fixed_point("ib", COUNTS).at(1.0), InfluenceBalanced)
    assert isinstance(fixed_point("equalization", COUNTS), Equalization)
    assert type(fixed_point("csl", COUNTS)) is CSL
    assert type(fixed_point("csl", COUNTS, variant="released")) is ReleasedCSL
    assert fixed_point("csl", COUNTS, entropy_floor=0.0).csl_floor == 0
    assert fixed_point("csl", COUNTS, counts="training").counts == "training"


def test_the_rare_classes_of_equalization():
    assert fixed_point("equalization", COUNTS).rare.tolist() == [False, False, True, True]  # shares below 0.5 / 4
    assert fixed_point("equalization", COUNTS, threshold=0.01).rare.tolist() == [False, False, False, True]


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("ldamm", {}, "no fixed loss is called 'ldamm'; there are ce, weighted"),
        ("la", {"gamma": 1.0}, "la has no hyper-parameter 'gamma'; it has tau"),
        ("ce", {"tau": 1.0}, "ce has no hyper-parameter 'tau'; it has none"),
        ("ldam-drw", {"common": {}}, "no hyper-parameter 'common'"),
        ("la", {"class_counts": [3, 0, 1]}, "at least 1"),
        ("la", {"class_counts": [3, float("nan"), 1]}, "at least 1"),
        ("la", {"class_counts": [[3, 1]]}, "one count of at least 1 a class"),
        ("cb", {"beta": 1.0}, r"beta is 1\.0"),
        ("ib-cb", {"beta": -0.1}, r"beta is -0\.1"),
        ("csl", {"variant": "mine"}, "no variant 'mine'"),
        ("csl", {"base": "mine"}, "no fixed loss is called 'mine'"),
        ("csl", {"base": ParametricLoss(4), "reduction": "sum"}, "reduction has no effect"),
        ("csl", {"variant": "released", "entropy_floor": 0.1}, "entropy_floor has no effect"),
        ("csl", {"variant": "released", "counts": "training"}, "counts has no effect"),
    ],
)
def test_input_errors(name, settings, message):
    with pytest.raises(InputError, match=message):
        fixed_point(name, **{"class_counts": COUNTS, **settings})


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("la", {"tau": float("nan")}, "l is not finite"),
        ("focal", {"gamma": -1.0}, "gamma is -1"),
        ("ldam", {"s": 0.0}, "scale is 0"),
        ("ldam-drw", {"drw_start": 1.0}, "one after the other"),
        ("ib", {"start": 1.5}, "one after the other"),
        ("equalization", {"probability": 2.0}, "probability is 2"),
        ("vs", {"weight": [1.0, 1.0]}, r"w has shape \(2,\)"),
        ("ib", {"weight": [1.0, 1.0]}, r"w has shape \(2,\)"),
        ("la", {"class_names": ["a"]}, "1 class names for 4 classes"),
    ],
)
def test_values_that_no_loss_can_have(name, settings, message):
    with pytest.raises(ValueError, match=message):
        fixed_point(name, COUNTS, **settings)


def test_unknown_names_have_no_hyper_parameters():
    with pytest.raises(InputError, match="no fixed loss is called 'x'"):
        hyper_parameters("x")


def test_counts_by_class_are_taken_in_the_order_of_the_classes():
    labels = pd.Series([2] * 5 + [0] * 40 + [1] * 9)
    expected = fixed_point("la", [40, 9, 5])
    for counts in ({2: 5, 0: 40, 1: 9}, Counter(labels.tolist()), labels.value_counts(), pd.Series([40, 9, 5])):
        assert torch.equal(fixed_point("la", counts).l, expected.l)
    named = fixed_point("la", {"cat": 9, "ant": 40, "bee": 5}, class_names=["ant", "cat", "bee"])
    assert torch.equal(named.l, expected.l)
    with pytest.raises(
        InputError, match="class_counts has no class 0, but cat, ant: number the classes from 0, or say"
    ):
        fixed_point("la", {"cat": 9, "ant": 40})
    with pytest.raises(InputError, match="class_counts has no class 1, but 0, 2"):
        fixed_point("la", {0: 9, 2: 40})


def test_losses_for_groups_need_the_counts_of_cells_and_others_do_not():
    with pytest.raises(InputError, match="la has no groups: give it class_counts alone"):
        fixed_point("la", [3, 4], cell_counts=[[1, 2], [2, 2]])
    with pytest.raises(InputError, match="group-la needs cell_counts"):
        fixed_point("group-la", [3, 4])
    with pytest.raises(InputError, match="class 'dog' of group 'night' has 0 training samples"):
        fixed_point("group-la", cell_counts=[[1, 2], [2, 0]], class_names=("cat", "dog"), group_names=("day", "night"))
    with pytest.raises(InputError, match="weight has no effect on group-dro"):
        fixed_point("group-dro", cell_counts=[[1, 2], [2, 2]], weight=[[1.0, 2.0], [3.0, 4.0]])


def test_targets_give_counts_and_bins():
    targets = [3.0, 3.0, 5.0, 3.0, 4.0, 3.0]
    loss = fixed_point("sqinv", targets=targets, error="mse", scale=2.0, dtype=torch.float64)
    assert loss.bin_edges.tolist() == [2.5, 3.5, 4.5, 5.5]
    assert (loss.w / loss.w[1]).tolist() == pytest.approx([0.5, 1, 1])
    value = loss(torch.tensor([4.0]), torch.tensor([3.0]))
    assert value.item() == pytest.approx(loss.w[0].item() / 4)
    other = fixed_point("sqinv", targets=targets, bin_edges=[2.0, 4.0, 6.0])
    assert (other.w[0] / other.w[1]).item() == pytest.approx(math.sqrt(2 / 4))


def test_weight_overrides_the_w_of_bins():
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
        ("inv", {"bin_counts": [1, 2], "group_names": ["a", "b"]}, "no classes or groups"),
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
def test_regression_losses_need_bins_or_targets_and_others_do_not(name, arguments, words):
    with pytest.raises(InputError, match=words):
        fixed_point(name, **arguments)
