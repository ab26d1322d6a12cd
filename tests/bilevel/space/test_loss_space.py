"""The search space: its start, gauge, ties, bounds and derivatives."""

import math

import pytest
import torch

from autobalance.bilevel import LossSpace
from autobalance.bilevel.space._loss import BOUNDS, UNITS
from autobalance.bilevel.space._ties import TIES, cluster_basis
from autobalance.common import InputError
from autobalance.data import Batch
from autobalance.losses.named import fixed_point

COUNTS = torch.tensor([200, 90, 90, 31, 7])
K = len(COUNTS)
EXACT = ("ce", "weighted", "cb", "focal", "cb-focal", "la", "cdt", "vs", "ldam")


def space(start="vs", free=("w", "l", "delta"), tie="class", **settings):
    return LossSpace(fixed_point(start, COUNTS, dtype=torch.float64, **settings), COUNTS, free, tie)


def some_raw(searched, scale=1.0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {
        name: scale * torch.randn(value.shape, generator=generator, dtype=torch.float64)
        for name, value in searched.init().items()
    }


def some_batch(seed=0, group=None):
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(11, K, generator=generator, dtype=torch.float64)
    return logits, Batch(torch.zeros(11, 1), torch.randint(K, (11,), generator=generator), group)


@pytest.mark.parametrize("tie", TIES)
@pytest.mark.parametrize("start", EXACT)
def test_at_zero_the_loss_is_the_start_up_to_the_gauge(start, tie):
    searched = space(start, tie=tie)
    first = searched.start
    found = searched.loss(searched.init())
    torch.testing.assert_close(found.l, first.l - first.l.mean())
    torch.testing.assert_close(found.w, first.w * COUNTS.sum() / (first.w * COUNTS).sum())
    for name in ("delta", "margin", "scale", "gamma"):
        assert torch.equal(getattr(found, name), getattr(first, name)), name
    logits, batch = some_batch()
    torch.testing.assert_close(found(logits, batch.y), first(logits, batch.y), rtol=1e-12, atol=0)


@pytest.mark.parametrize("tie", TIES)
@pytest.mark.parametrize("seed", range(3))
def test_w_has_mean_one_over_the_samples_and_l_mean_zero_wherever_the_search_goes(tie, seed):
    searched = space("vs", tie=tie, weight=[0.2, 1.0, 3.0, 1.0, 5.0])
    found = searched.loss(some_raw(searched, 4.0, seed))
    y = torch.repeat_interleave(torch.arange(K), COUNTS)
    assert found.w[y].mean().item() == pytest.approx(1, abs=1e-12)
    assert found.l.mean().item() == pytest.approx(0, abs=1e-12)


CELLS = torch.tensor([[150, 50], [10, 80], [60, 30], [30, 1], [3, 4]])


def group_space(start="ce", free=("w", "l", "delta"), tie="frequency"):
    of = {"cell_counts": CELLS} if start.startswith("group") else {"class_counts": COUNTS}
    return LossSpace(fixed_point(start, **of, dtype=torch.float64), CELLS, free, tie)


@pytest.mark.parametrize("tie", TIES)
@pytest.mark.parametrize("start", ("vs", "group-vs"))
def test_with_groups_l_has_mean_zero_in_each_group_and_w_mean_one_over_the_samples(tie, start):
    searched = group_space(start, tie=tie)
    raw = some_raw(searched, 3.0)
    assert {tuple(value.shape) for value in raw.values()} == {(1 if tie == "frequency" else K, 2)}
    found = searched.loss(raw)
    torch.testing.assert_close(found.l.mean(0), torch.zeros(2, dtype=torch.float64))
    samples = [(k, g) for k in range(K) for g in range(2) for _ in range(CELLS[k, g])]
    assert sum(found.w[cell].item() for cell in samples) / len(samples) == pytest.approx(1, abs=1e-12)
    for table in (found.w, found.l, found.delta):
        assert table.shape == (K, 2) and not torch.allclose(table[:, 0], table[:, 1])
    logits, batch = some_batch(group=torch.tensor([0, 1] * 5 + [0]))
    torch.testing.assert_close(
        searched.train_loss(raw, logits, batch), found(logits, batch.y, group=batch.group), rtol=1e-12, atol=0
    )


def test_with_groups_the_gauge_changes_no_gradient_of_the_model():
    """A constant for each group in l, and a factor for all cells in w, are what the gauge takes out."""
    logits, batch = some_batch(group=torch.tensor([0, 1] * 5 + [0]))
    found = group_space("group-vs").loss(some_raw(group_space("group-vs")))

    def slope(**changes):
        z = logits.clone().requires_grad_()
        return torch.autograd.grad(found.replace(**changes)(z, batch.y, group=batch.group), z)[0]

    same = slope(l=found.l + torch.tensor([5.0, -7.0]), w=3 * found.w)
    torch.testing.assert_close(same, slope(), rtol=1e-12, atol=1e-14)
    assert not torch.allclose(
        slope(w=found.w * torch.tensor([1.0, 3.0])), slope()
    )  # a factor for one group is no gauge


@pytest.mark.parametrize(
    "name, goal, exponent", [("l", "group-la", 1.0), ("delta", "group-vs", 0.3), ("w", "group-weighted", -1.0)]
)
def test_group_losses_are_points_of_the_space_that_is_tied_to_the_cell_frequency(name, goal, exponent):
    logs = CELLS.double().log()
    reach = (logs - logs.mean()).abs().max().item()
    a = BOUNDS[name] / reach * math.atanh(exponent * reach / BOUNDS[name]) / UNITS[name]
    found = getattr(group_space("ce", (name,)).loss({name: torch.full((1, 2), a, dtype=torch.float64)}), name)
    wanted = getattr(fixed_point(goal, cell_counts=CELLS, dtype=torch.float64), name)
    if name == "l":
        wanted = wanted - wanted.mean(0)
    else:
        found, wanted = found / found[0, 0], wanted / wanted[0, 0]
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)


def test_with_groups_a_schedule_and_what_is_not_free_stay():
    start = fixed_point("ldam-drw", COUNTS, dtype=torch.float64)
    searched = LossSpace(start, CELLS, ("l",), group_names=("a", "b"))
    found = searched.loss(some_raw(searched))
    assert [stage.start for stage in found.stages] == [0.0, 0.8]
    late = found.at(1.0)
    assert late.l.shape == (K, 2) and late.w.shape == (K,) and late.group_names == ("a", "b")
    assert late.w @ COUNTS.double() / COUNTS.sum() == pytest.approx(1)


@pytest.mark.parametrize("name, goal", [("l", "la"), ("delta", "cdt"), ("w", "weighted")])
def test_named_losses_are_points_of_the_space_that_is_tied_to_the_frequency(name, goal):
    searched = space("ce", (name,), "frequency")
    # Each deviates by the exponent times log n; solve d(a) = exponent * log n for a, by hand.
    exponent = {"l": 1.0, "delta": 0.2, "w": -1.0}[name]
    logs = [math.log(n) for n in COUNTS.tolist()]
    reach = max(abs(value - sum(logs) / K) for value in logs)
    a = BOUNDS[name] / reach * math.atanh(exponent * reach / BOUNDS[name]) / UNITS[name]
    found = searched.loss({name: torch.tensor([a], dtype=torch.float64)})
    reference = fixed_point(goal, COUNTS, dtype=torch.float64)
    ours, theirs = getattr(found, name), getattr(reference, name)
    if name == "l":
        theirs = theirs - theirs.mean()
        torch.testing.assert_close(found.l.diff(), reference.l.diff(), rtol=1e-12, atol=1e-12)
    else:  # Δ up to a factor, the logits' common scale, which the space leaves at mean one in the logarithm
        ours, theirs = ours / ours[0], theirs / theirs[0]
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def test_ties_one_number_or_one_a_class():
    assert {name: len(a) for name, a in space(tie="frequency").init().items()} == {"w": 1, "l": 1, "delta": 1}
    assert {name: len(a) for name, a in space(tie="class").init().items()} == {"w": K, "l": K, "delta": K}
    moved = space("ce", ("l",), "class").loss({"l": torch.tensor([0, 0, 0, 0, 1.0], dtype=torch.float64)}).l
    assert moved[4] > 0.5 and torch.equal(moved[:4], moved[:1].expand(4))
    tied = space("ce", tie="frequency")
    assert torch.equal(*(tied.loss(some_raw(tied)).w[k] for k in (1, 2)))  # two classes of one size


@pytest.mark.parametrize("tie", TIES)
@pytest.mark.parametrize("sign", (-1, 1))
def test_no_raw_number_leaves_the_bounds(tie, sign):
    searched = space("la", tie=tie)
    raw = {name: torch.full_like(value, sign * 1e9) for name, value in searched.init().items()}
    raw = {name: value * torch.tensor([1, -1, 1, -1, 1])[: len(value)] for name, value in raw.items()}
    found = searched.loss(raw)
    start = searched.start.l - searched.start.l.mean()
    assert 0.99 * BOUNDS["l"] < (found.l - start).abs().max() <= 2 * BOUNDS["l"]
    assert (found.w.log().max() - found.w.log().min()) <= 2 * BOUNDS["w"] + 1e-9
    deviation = found.delta.log().abs().max().item()
    assert deviation == pytest.approx(BOUNDS["delta"], abs=1e-9)


def test_parameters_by_a_plain_loop():
    searched = space("vs", tie="class")
    raw = some_raw(searched, 2.0)
    deviation = {
        name: [BOUNDS[name] * math.tanh(UNITS[name] * a / BOUNDS[name]) for a in raw[name].tolist()] for name in raw
    }
    n = COUNTS.tolist()
    w = [math.exp(d) for d in deviation["w"]]
    mean = sum(n[k] * w[k] for k in range(K)) / sum(n)
    l = [math.log(n[k] / sum(n)) + deviation["l"][k] for k in range(K)]  # noqa: E741
    found = searched.loss(raw)
    assert found.w.tolist() == pytest.approx([value / mean for value in w], rel=1e-12)
    assert found.l.tolist() == pytest.approx([value - sum(l) / K for value in l], rel=1e-12)
    delta = [(n[k] / max(n)) ** 0.3 * math.exp(deviation["delta"][k]) for k in range(K)]
    assert found.delta.tolist() == pytest.approx(delta, rel=1e-12)


@pytest.mark.parametrize("tie", TIES)
@pytest.mark.parametrize("reduction", ("mean", "batch_mean"))
def test_the_derivative_in_the_searched_numbers_is_that_of_finite_differences(tie, reduction):
    searched = space("vs", tie=tie, reduction=reduction)
    logits, batch = some_batch()
    raw = some_raw(searched)
    names = list(raw)

    def value(*numbers):
        return searched.train_loss(dict(zip(names, numbers, strict=True)), logits, batch)

    assert torch.autograd.gradcheck(value, [raw[name].requires_grad_() for name in names], rtol=1e-6, atol=1e-8)
    gradients = torch.autograd.grad(value(*raw.values()), list(raw.values()))
    assert all(gradient.abs().max() > 1e-4 for gradient in gradients)


@pytest.mark.parametrize("reduction", ("mean", "batch_mean", "sum"))
def test_the_loss_of_its_own_has_the_value_that_was_trained_with(reduction):
    searched = space("cb-focal", free=("l", "w"), reduction=reduction)
    raw, (logits, batch) = some_raw(searched), some_batch()
    trained = searched.train_loss(raw, logits, batch)
    assert searched.loss(raw)(logits, batch.y).item() == pytest.approx(trained.item(), rel=1e-14)
    assert not searched.loss({name: value.requires_grad_() for name, value in raw.items()}).l.requires_grad


def test_what_is_not_free_stays():
    searched = space("vs", ("l",))
    found = searched.loss(some_raw(searched))
    assert torch.equal(found.delta, searched.start.delta) and torch.equal(found.w, searched.start.w)
    assert set(searched.init()) == {"l"}


def test_classes_of_one_size_have_no_frequency_to_follow():
    start = fixed_point("ce", [9, 9, 9])
    with pytest.raises(InputError, match="set `tie` to class"):
        LossSpace(start, torch.tensor([9, 9, 9]), ("l", "w"), "frequency")
    assert LossSpace(start, torch.tensor([9, 9, 9]), ("l", "w"), "class").init()["l"].shape == (3,)


def test_a_start_with_a_schedule_keeps_it_and_is_adjusted_in_all_its_stages():
    start = fixed_point("ldam-drw", COUNTS, dtype=torch.float64)
    searched = LossSpace(start, COUNTS, ("l", "w"), "class")
    raw, (logits, batch) = some_raw(searched), some_batch()
    still, moved = searched.loss(searched.init()), searched.loss(raw)
    assert [stage.start for stage in moved.stages] == [0.0, 0.8]
    for progress in (0.0, 0.79, 0.8, 1.0):
        first = start.at(progress)(logits, batch.y)
        torch.testing.assert_close(still.at(progress)(logits, batch.y), first, rtol=1e-12, atol=0)
        trained = searched.train_loss(raw, logits, batch, progress)
        torch.testing.assert_close(moved.at(progress)(logits, batch.y), trained, rtol=1e-12, atol=0)
        assert abs(trained - first) > 1e-3


def test_late_parameters_deviate_from_their_time_on():
    searched = LossSpace(fixed_point("la", COUNTS, dtype=torch.float64), COUNTS, ("l", "w"), "class", ("w",), 0.6)
    found = searched.loss(some_raw(searched))
    early, late = found.at(0.59), found.at(0.6)
    assert [stage.start for stage in found.stages] == [0.0, 0.6]
    assert torch.equal(early.w, torch.ones(K, dtype=torch.float64)) and (late.w - 1).abs().max() > 0.1
    assert torch.equal(early.l, late.l) and not torch.equal(early.l, searched.start.l)


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"free": ("beta",)}, "'beta' cannot be searched; free parameters are any of w, l, delta, margin, scale"),
        ({"tie": "group"}, "tied by 'group'; choose one of frequency, class"),
        ({"late": ("w",), "free": ("l",)}, "'w' is late but not free"),
        ({"late": ("w",), "late_start": 1.0}, "late_start is 1.0"),
        ({"start": fixed_point("csl", COUNTS, variant="released")}, "cannot start from ReleasedCSL.*a point of the"),
        ({"free": ("csl_reward",)}, "'csl_reward' has no effect on the loss to start from"),
        ({"free": ("equalization",), "class_counts": torch.full((K,), 9), "tie": "class"}, "no class has less than"),
        ({"start": fixed_point("ce", [3, 3])}, "has 2 classes"),
        ({"class_counts": torch.tensor([3, 3, 0, 1, 1])}, r"\[3, 3, 0, 1, 1\]"),
        ({"class_counts": torch.ones(K, 2) - torch.eye(K, 2)}, "class 0 of group 0 has 0 training samples"),
        ({"class_counts": torch.ones(K, 2)}, "all classes of all groups have the same number"),
        ({"start": fixed_point("group-la", cell_counts=CELLS)}, "has 2 groups, the samples have none"),
        ({"start": fixed_point("group-la", cell_counts=CELLS), "class_counts": torch.ones(K, 3)}, "the samples have 3"),
        ({"start": fixed_point("group-dro", cell_counts=CELLS), "class_counts": CELLS}, "cannot start from GroupDRO"),
    ],
)
def test_spaces_that_cannot_be(arguments, words):
    with pytest.raises(InputError, match=words):
        LossSpace(**{"start": fixed_point("ce", COUNTS), "class_counts": COUNTS, **arguments})


def test_clusters_of_classes_deviate_as_one():
    counts = torch.tensor([5, 100, 40, 9, 60])
    basis = cluster_basis(counts.double(), 3)
    assert basis.tolist() == [[0, 1], [1, 0], [1, 0], [0, 1], [1, 0]]
    assert cluster_basis(counts.double(), 2).sum(0).tolist() == [2, 2, 1]
    space = LossSpace(fixed_point("la", counts), counts, ("delta",), "cluster:3")
    raw = {"delta": torch.tensor([0.5, -1.0])}
    found = space.parameters(raw)["delta"]
    assert found[1] == found[2] == found[4] > 1 > found[0] == found[3]
    assert cluster_basis(torch.ones(4, 3), 2).shape == (4, 2, 3)
    for wrong in ("cluster:0", "cluster:5", "cluster:x", "clusters"):
        with pytest.raises(InputError, match="cannot be tied"):
            LossSpace(fixed_point("la", counts), counts, ("l",), wrong)


def test_the_published_form_is_a_sigmoid_of_a_number_a_cluster():
    start = fixed_point("la", COUNTS, dtype=torch.float64)
    searched = LossSpace(start, COUNTS, ("l", "delta"), "cluster:2", form="published")
    raw = searched.init()
    assert {name: value.tolist() for name, value in raw.items()} == {"l": [0.0] * 3, "delta": [1.0] * 3}
    first = searched.loss(raw)
    torch.testing.assert_close(first.delta, torch.full((K,), 1 / (1 + math.exp(-1.0)), dtype=torch.float64))
    raw = {"l": torch.tensor([0.5, -1.0, 40.0]).double(), "delta": torch.tensor([-2.0, 0.3, 4.0]).double()}
    found = searched.loss(raw)
    clusters = [0, 0, 1, 1, 2]  # of two classes each, by frequency
    expected = start.l + raw["l"][clusters]
    torch.testing.assert_close(found.l, expected - expected.mean())
    torch.testing.assert_close(found.delta, 1 / (1 + (-raw["delta"][clusters]).exp()))


@pytest.mark.parametrize(
    ("start", "free", "tie", "words"),
    [
        ("ce", ("w", "l"), "class", "has no 'w': free l, delta or both"),
        ("ce", ("l",), "frequency", "set `tie` to class or cluster:C"),
        ("cdt", ("delta",), "class", "start from ce or la"),
    ],
)
def test_what_the_published_form_does_not_have(start, free, tie, words):
    with pytest.raises(InputError, match=words):
        LossSpace(fixed_point(start, COUNTS), COUNTS, free, tie, form="published")
