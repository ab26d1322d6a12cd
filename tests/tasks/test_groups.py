"""The figures of groups against fairlearn and a plain loop."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from fairlearn.metrics import MetricFrame, equalized_odds_difference
from sklearn.metrics import zero_one_loss

from autobalance.common import InputError
from autobalance.data import Problem, Samples
from autobalance.tasks import GroupClassification, task_of


def draw(classes, groups, seed=0, size=300):
    generator = torch.Generator().manual_seed(seed)
    return (torch.randint(high, (size,), generator=generator) for high in (classes, classes, groups))


def figures_of(predictions, y, group, classes, groups):
    samples = Samples(torch.zeros(len(y), 1), y, group)
    names = tuple("abcdef"[:classes]), tuple("pqrst"[:groups])
    problem = Problem("made up", samples, samples, samples, names[0], group_names=names[1])
    task = task_of(problem, (30, 10))
    assert isinstance(task, GroupClassification) and task.metrics[0].key == "group_balanced_error"
    return task.test(F.one_hot(predictions, classes).float(), samples, task.counts(samples))


@pytest.mark.parametrize("classes, groups", [(2, 2), (4, 3)])
def test_errors_by_group_and_cell_are_those_of_fairlearn(classes, groups):
    predictions, y, group = draw(classes, groups)
    found = figures_of(predictions, y, group, classes, groups)
    by_group = MetricFrame(
        metrics=zero_one_loss, y_true=y.numpy(), y_pred=predictions.numpy(), sensitive_features=group.numpy()
    ).by_group
    assert found["group_error"] == pytest.approx((100 * by_group).tolist())
    by_cell = MetricFrame(
        metrics=zero_one_loss,
        y_true=y.numpy(),
        y_pred=predictions.numpy(),
        sensitive_features=group.numpy(),
        control_features=y.numpy(),
    )
    cells = 100 * by_cell.by_group.to_numpy().reshape(classes, groups)
    np.testing.assert_allclose(found["cell_error"], cells)
    assert found["worst_group_error"] == pytest.approx(cells.max())
    assert found["group_balanced_error"] == pytest.approx(cells.mean())
    assert found["deo"] == pytest.approx(100 * by_cell.difference(method="between_groups").sum())
    rows = np.bincount(y.numpy() * groups + group.numpy(), minlength=classes * groups)
    few = [error for error, n in zip(cells.flatten(), rows, strict=True) if 10 <= n <= 30]
    assert found["shots"]["medium"]["number"] == len(few)
    assert found["shots"]["medium"]["error"] == (pytest.approx(np.mean(few)) if few else None)


def test_of_two_classes_deo_holds_equalised_odds_between_its_halves():
    predictions, y, group = draw(2, 2, 1)
    found = figures_of(predictions, y, group, 2, 2)["deo"]
    odds = 100 * equalized_odds_difference(y.numpy(), predictions.numpy(), sensitive_features=group.numpy())
    assert found / 2 <= odds <= found  # the larger of the two differences of which deo is the sum


def test_cells_without_samples_are_left_out():
    y, group = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 0, 0, 2])
    found = figures_of(torch.tensor([0, 1, 1, 0]), y, group, 2, 3)
    assert found["cell_error"] == [[50.0, None, None], [0.0, None, 100.0]]
    assert found["group_error"] == [pytest.approx(100 / 3), None, 100.0]
    assert [found[name] for name in ("worst_group_error", "deo", "group_balanced_error")] == [100.0, 100.0, 50.0]


def test_one_group_is_none():
    samples = Samples(torch.zeros(2, 1), torch.tensor([0, 1]), torch.tensor([0, 0]))
    with pytest.raises(InputError, match="all samples are in one group"):
        task_of(Problem("made up", samples, samples, samples, ("a", "b"), group_names=("p",)))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("deo", "b"),
        ("demographic_parity", "b"),
        ("equalised_odds", "b"),
        ("recall(a)", "a"),
        ("coverage(c)", "b"),  # the most frequent class that is not c
        ("deo + demographic_parity", "b"),
        ("deo subject to worst_class<=1", "b"),
        ("error + deo", None),
        ("error", None),
        ("deo subject to error<=0.2", None),
        ("error subject to deo<=0.1", None),
        ("recall(a) + recall(b)", None),
    ],
)
def test_an_objective_that_one_class_wins_is_known(text, name):
    _, y, group = draw(3, 2)
    y[:120] = 1
    samples = Samples(torch.zeros(len(y), 1), y, group)
    task = task_of(Problem("made up", samples, samples, samples, tuple("abc"), group_names=("p", "q")))
    objective = task.objective(text)
    assert task.won_by_one_class(objective) == name
    if name is not None:
        always = F.one_hot(torch.full_like(y, "abc".index(name)), 3).double()
        assert objective.metric(always, samples.without_inputs()) == pytest.approx(0, abs=1e-9)


def test_ones_own_function_and_numbers_are_left_alone():
    _, y, group = draw(3, 2)
    samples = Samples(torch.zeros(len(y), 1), y, group)
    task = task_of(Problem("made up", samples, samples, samples, tuple("abc"), group_names=("p", "q")))
    assert task.won_by_one_class(task.objective(lambda logits, target, group: 0 * logits.sum())) is None
    numbers = Samples(samples.x, y.double())
    of_numbers = Problem("made up", numbers, numbers, numbers, ("0", "1"), bin_edges=(-1.0, 1.0, 4.0))
    task = task_of(of_numbers)
    assert task.won_by_one_class(task.objective("mae")) is None
