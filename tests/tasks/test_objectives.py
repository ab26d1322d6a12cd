"""Validation objectives against plain loops and finite differences, and their true metrics."""

import math
import statistics

import pytest
import torch
import torch.nn.functional as F

from autobalance.common import InputError
from autobalance.data import Batch
from autobalance.tasks.metrics import SURROGATES, TEMPERATURE, Context, balanced_weights
from autobalance.tasks.objectives import make_objective, objective_names

NAMES = objective_names()

Y = torch.tensor([0, 0, 0, 0, 2, 2, 3])  # class 1 is absent
GROUP = torch.tensor([0, 1, 1, 2, 0, 2, 1])  # class 2 is absent in group 1, class 3 in groups 0 and 2


def logits(seed=0):
    return torch.randn(len(Y), 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def batch(y=Y, group=GROUP):
    return Batch(torch.zeros(len(y), 1), y, group)


def cross_entropy(z, y):
    return [math.log(sum(math.exp(v) for v in row)) - row[k] for row, k in zip(z.tolist(), y.tolist(), strict=True)]


def cells(losses):
    """The mean loss of each cell that has samples, by (class, group)."""
    found = {}
    for loss, k, g in zip(losses, Y.tolist(), GROUP.tolist(), strict=True):
        found.setdefault((k, g), []).append(loss)
    return {cell: sum(values) / len(values) for cell, values in found.items()}


def differences(means):
    """The largest less the smallest mean of each class's groups, summed over the classes."""
    by_class = [[value for (k, _), value in means.items() if k == wanted] for wanted in (0, 2, 3)]
    return sum(max(values) - min(values) for values in by_class)


def test_balanced_error_is_the_mean_over_the_classes_of_their_mean_cross_entropy():
    z = logits()
    losses = cross_entropy(z, Y)
    means = [sum(losses[:4]) / 4, sum(losses[4:6]) / 2, losses[6]]
    assert make_objective("balanced_error")(z, batch()).item() == pytest.approx(sum(means) / 3, rel=1e-13)


def test_error_is_the_mean_over_the_samples():
    z = logits()
    assert make_objective("error")(z, batch()).item() == pytest.approx(sum(cross_entropy(z, Y)) / len(Y), rel=1e-13)


def test_objectives_of_groups_by_a_plain_loop_over_the_cells():
    z = logits()
    means = cells(cross_entropy(z, Y))
    assert make_objective("group_balanced_error")(z, batch()).item() == pytest.approx(sum(means.values()) / len(means))
    soft = sum(math.exp(value / TEMPERATURE) for value in means.values()) / len(means)
    assert make_objective("worst_group")(z, batch()).item() == pytest.approx(TEMPERATURE * math.log(soft))
    smooth = cells([1 - math.exp(-loss) for loss in cross_entropy(z, Y)])
    assert make_objective("deo")(z, batch()).item() == pytest.approx(differences(smooth))
    assert make_objective("deo(ce)")(z, batch()).item() == pytest.approx(differences(means))


def test_for_two_classes_and_groups_deo_is_that_of_autobalance_equation_4_1():
    y, group = torch.tensor([1, 1, 1, 0, 0, 0, 0]), torch.tensor([0, 0, 1, 0, 1, 1, 1])
    z = logits()[:, :2]
    loss = F.cross_entropy(z, y, reduction="none")
    plus = loss[(y == 1) & (group == 0)].mean() - loss[(y == 1) & (group == 1)].mean()
    minus = loss[(y == 0) & (group == 0)].mean() - loss[(y == 0) & (group == 1)].mean()
    assert make_objective("deo(ce)")(z, batch(y, group)).item() == pytest.approx((plus.abs() + minus.abs()).item())


def test_the_soft_maximum_lies_between_the_mean_and_the_largest_cell():
    z = 3 * logits(1)
    means = cells(cross_entropy(z, Y)).values()
    assert sum(means) / len(means) < make_objective("worst_group")(z, batch()).item() < max(means)


def test_a_sum_is_the_sum_and_surrogates_can_be_chosen():
    z = logits()
    parts = {text: make_objective(text)(z, batch()).item() for text in ("balanced_error", "deo", "error(smooth)")}
    blend = make_objective("0.25*balanced_error + 2e-1 * deo+error(smooth)")
    wanted = 0.25 * parts["balanced_error"] + 0.2 * parts["deo"] + parts["error(smooth)"]
    assert blend(z, batch()).item() == pytest.approx(wanted)
    p = torch.softmax(z, 1)[torch.arange(len(Y)), Y]
    assert parts["error(smooth)"] == pytest.approx((1 - p).mean().item())


@pytest.mark.parametrize("seed", range(3))
def test_the_true_metrics_are_those_of_the_predictions(seed):
    z = logits(seed)
    found = {name: make_objective(name).metric(z, batch()) for name in NAMES}
    wrong = [100.0 * (row.index(max(row)) != k) for row, k in zip(z.tolist(), Y.tolist(), strict=True)]
    by_class = [sum(wrong[:4]) / 4, sum(wrong[4:6]) / 2, wrong[6]]
    by_cell = cells(wrong)
    wanted = {
        "balanced_error": sum(by_class) / 3,
        "error": sum(wrong) / len(Y),
        "group_balanced_error": sum(by_cell.values()) / len(by_cell),
        "worst_group": max(by_cell.values()),
        "deo": differences(by_cell),
    }
    assert {name: found[name] for name in wanted} == pytest.approx(wanted)
    blend = make_objective("0.5*error(smooth) + 3*deo")
    assert blend.metric(z, batch()) == pytest.approx(0.5 * wanted["error"] + 3 * wanted["deo"])


def test_the_smooth_surrogate_becomes_the_metric_as_the_logits_grow():
    z = logits(2)
    for name in ("error", "group_balanced_error", "deo"):
        objective = make_objective(f"{name}(smooth)")
        assert 100 * objective(1e4 * z, batch()).item() == pytest.approx(objective.metric(z, batch()))


def test_balanced_weights_sum_to_one_and_give_every_class_the_same():
    weights = balanced_weights(Y, 4, logits())
    assert weights.dtype == torch.float64
    assert weights.tolist() == pytest.approx([1 / 12] * 4 + [1 / 6] * 2 + [1 / 3])


@pytest.mark.parametrize("surrogate", SURROGATES)
@pytest.mark.parametrize(
    "name", ("balanced_error", "error", "worst_class", "group_balanced_error", "worst_group", "deo")
)
def test_first_and_second_derivatives_are_those_of_finite_differences(name, surrogate):
    objective, z = make_objective(f"{name}({surrogate})"), logits().requires_grad_()
    assert torch.autograd.gradcheck(lambda value: objective(value, batch()), z)
    assert torch.autograd.gradgradcheck(lambda value: objective(value, batch()), z)


def test_a_function_of_ones_own_is_given_logits_target_and_group(tmp_path, monkeypatch):
    def mine(z, y, group):
        return F.cross_entropy(z, y, reduction="sum") + (0 if group is None else group.sum())

    z = logits()
    expected = sum(cross_entropy(z, Y))
    assert make_objective(mine)(z, batch(group=None)).item() == pytest.approx(expected)
    assert make_objective(mine)(z, batch()).item() == pytest.approx(expected + 7)
    (tmp_path / "my_goals.py").write_text("def first(z, y, group):\n    return (z[:, 0] - y).square().mean()\n")
    monkeypatch.chdir(tmp_path)
    assert make_objective("my_goals:first")(z, batch()).item() == pytest.approx((z[:, 0] - Y).square().mean().item())


@pytest.mark.parametrize(
    "function, words",
    [
        (lambda z, y, group: z, r"gives shape \(7, 4\)"),
        (lambda z, y, group: 1.0, "gives a float"),
        (lambda z, y, group: z.argmax(1).double().mean(), "has no derivative"),
    ],
)
def test_functions_that_cannot_be_followed_are_refused(function, words):
    with pytest.raises(InputError, match=words):
        make_objective(function)(logits().requires_grad_(), batch())


@pytest.mark.parametrize(
    "function, words",
    [
        (
            lambda z, y, group: F.cross_entropy(z, y) + z[group == 1].mean(),
            "is nan .* and group is None",
        ),
        (lambda z, y, group: z[group + 1].mean(), r"group being None here, at test_objectives.py, line \d+: TypeError"),
        (lambda z, y: F.cross_entropy(z, y), "fails on .logits, target, group.*takes 2 positional arguments but 3"),
    ],
)
def test_functions_that_fail_are_told_in_one_line(function, words):
    with pytest.raises(InputError, match=words) as found:
        make_objective(function).try_on(logits().requires_grad_(), batch(group=None))
    assert "\n" not in str(found.value)


@pytest.mark.parametrize(
    "text, words",
    [
        ("accuracy", "no objective is called 'accuracy'; there are balanced_error, error, worst_class, macro_f1"),
        ("deo + accuracy", "no objective is called 'accuracy'"),
        ("deo(hinge)", "no surrogate 'hinge', only ce and smooth"),
        ("0.5 * ", "cannot be read at '0.5 \\*'"),
        ("deo - error", "cannot be read at '- error'"),
        ("deo +", "cannot be read at its end"),
        ("", "cannot be read at its end"),
        ("-1*deo", "the factor '-1'"),
        ("0*deo", "the factor '0'"),
        ("1e999*deo", "the factor '1e999'"),
        ("1..2*deo", "the factor '1..2'"),
        ("deo(__import__('os'))", "cannot be read"),
        ("nowhere_at_all:objective", "'nowhere_at_all' of nowhere_at_all:objective cannot be imported"),
        ("math:no", "'math' has no function 'no'"),
    ],
)
def test_texts_that_are_refused(text, words):
    with pytest.raises(InputError, match=words):
        make_objective(text)


@pytest.mark.parametrize("name", ("group_balanced_error", "worst_group", "error + 0.1*deo"))
def test_objectives_of_groups_need_groups(name):
    with pytest.raises(InputError, match="needs groups, and the samples have none: give `group`"):
        make_objective(name)(logits(), batch(group=None))


EDGES = torch.tensor([0.0, 1.0, 2.0, 3.0, 4.0], dtype=torch.float64)
NUMBERS = Context(4, bin_edges=EDGES, scale=2.0, counts=torch.tensor([101, 100, 20, 19]))
TARGET = [0.5, 0.2, 1.5, 1.1, 2.5, 3.5, 9.0, -1.0]
BINS = [0, 0, 1, 1, 2, 3, 3, 0]


@pytest.mark.parametrize("name", objective_names(NUMBERS))
def test_objectives_of_numbers_are_the_metrics_and_can_be_differentiated(name):
    target = torch.tensor(TARGET, dtype=torch.float64)
    prediction = torch.tensor([0.0, 0.5, 1.5, 2.1, 0.5, 3.0, 5.0, 1.0], dtype=torch.float64) + 0.01
    objective, numbers = make_objective(name, NUMBERS), Batch(torch.empty(8, 0), target)

    def value(f):
        return objective(f[:, None], numbers)

    errors = [abs(f - y) for f, y in zip(prediction.tolist(), TARGET, strict=True)]
    of_bins = [statistics.fmean(e for e, b in zip(errors, BINS, strict=True) if b == k) for k in range(4)]
    expected = {
        "balanced_mae": statistics.fmean(of_bins),
        "mae": statistics.fmean(errors),
        "mse": statistics.fmean(e * e for e in errors),
        "gm": statistics.geometric_mean(errors),
        "worst_bin": max(of_bins),
        "few_shot_mae": of_bins[3],
    }[name]
    soft = {
        "gm": statistics.geometric_mean(math.hypot(e, 0.01 * 2) for e in errors),
        "worst_bin": 0.2 * math.log(statistics.fmean(math.exp(e / 0.2) for e in of_bins)),
    }.get(name, expected)
    assert value(prediction).item() == pytest.approx(soft, rel=1e-12)
    assert objective.metric(prediction[:, None], numbers) == pytest.approx(expected, rel=1e-12)
    assert torch.autograd.gradcheck(value, prediction.requires_grad_())


def test_objectives_of_numbers_by_other_names():
    def own(prediction, target, group):
        assert group is None
        return (prediction * target).sum()

    numbers = Batch(torch.zeros(2, 1), torch.tensor([1.0, 2.0]))
    assert make_objective(own, NUMBERS)(torch.tensor([3.0, 4.0]), numbers).item() == 11
    f, y = torch.tensor([3.0, 4.0]), numbers.y
    blend = make_objective("0.5*mae + mse", NUMBERS)
    assert blend(f, numbers).item() == pytest.approx((0.5 * (f - y).abs().mean() + ((f - y) ** 2).mean()).item())
    with pytest.raises(
        InputError, match="'error'; for regression there are balanced_mae, mae, mse, gm, worst_bin, few_shot_mae"
    ):
        make_objective("error", NUMBERS)
    with pytest.raises(InputError, match="'pearson'; for regression there are"):
        make_objective("pearson", NUMBERS)


def test_groups_are_asked_for_where_there_are_none():
    with pytest.raises(InputError, match="the objective deo needs groups, and the samples have none: give `group`"):
        make_objective("error + deo", Context(3))


def test_few_shot_samples_are_asked_for_where_there_are_none():
    many = Context(4, bin_edges=EDGES, counts=torch.full((4,), 20))
    numbers = Batch(torch.empty(0), torch.tensor(TARGET))
    objective = make_objective("few_shot_mae", many)
    with pytest.raises(
        InputError, match="no sample is in a bin of fewer than 20 training samples, the second of `shots`"
    ):
        objective(torch.zeros(8), numbers)
    assert math.isnan(objective.metric(torch.zeros(8), numbers))


def test_the_worst_bin_can_be_less_soft():
    objective, numbers = make_objective("worst_bin", NUMBERS), Batch(torch.empty(0), torch.tensor(TARGET))
    f = torch.zeros(8)
    exact = objective.metric(f, numbers)
    assert objective.soft_confusion(f, numbers, 1.0, 1e-4).item() == pytest.approx(exact, rel=1e-3)
    assert objective(f, numbers).item() < objective.soft_confusion(f, numbers, 1.0, 0.01).item() < exact


def test_a_function_of_ones_own_of_the_confusion_matrix():
    def second_kind(rates, shares):
        assert rates.shape == (4, 4) and shares.shape == (4,)
        return rates[0, 2] + shares[0]

    def whole(confusion):
        return confusion[0, 2]

    z = logits()
    p = torch.softmax(z, 1)
    plain = batch(group=None)
    objective = make_objective(second_kind, Context(4))
    assert objective(z, plain).item() == pytest.approx(p[:4, 2].mean().item() + 4 / 7)
    assert objective.metric(z, plain) == pytest.approx((z[:4].argmax(1) == 2).double().mean().item() + 4 / 7)
    assert make_objective(whole)(z, plain).item() == pytest.approx(p[:4, 2].sum().item() / 7)
    assert torch.autograd.gradcheck(lambda value: objective.soft_confusion(value, plain, 0.5), z.requires_grad_())
    of_groups = make_objective(lambda confusion: confusion[0, 2, 1])
    assert of_groups(z, batch()).item() == pytest.approx(p[1:3, 2].sum().item() / 7)
    with pytest.raises(InputError, match=r"fails on .rates, shares. at test_objectives.py, line \d+: Assertion"):
        make_objective(second_kind, Context(4, 3)).try_on(z, batch())
    with pytest.raises(InputError, match="is one of a confusion matrix, which numbers do not have"):
        make_objective(whole, NUMBERS)
