"""The metrics of groups against fairlearn and a plain loop."""

import numpy as np
import pytest
import torch
from fairlearn.metrics import MetricFrame, equalized_odds_difference
from sklearn.metrics import zero_one_loss

from autobalance.tasks import group_metrics


def draw(classes, groups, seed=0, size=300):
    generator = torch.Generator().manual_seed(seed)
    return (torch.randint(high, (size,), generator=generator) for high in (classes, classes, groups))


@pytest.mark.parametrize("classes, groups", [(2, 2), (4, 3)])
def test_errors_by_group_and_cell_are_those_of_fairlearn(classes, groups):
    predictions, y, group = draw(classes, groups)
    found = group_metrics(predictions, y, group, classes, groups)
    by_group = MetricFrame(
        metrics=zero_one_loss, y_true=y.numpy(), y_pred=predictions.numpy(), sensitive_features=group.numpy()
    ).by_group
    assert found.group_error == pytest.approx((100 * by_group).tolist())
    by_cell = MetricFrame(
        metrics=zero_one_loss,
        y_true=y.numpy(),
        y_pred=predictions.numpy(),
        sensitive_features=group.numpy(),
        control_features=y.numpy(),
    )
    cells = 100 * by_cell.by_group.to_numpy().reshape(classes, groups)
    np.testing.assert_allclose(found.cell_error, cells)
    assert found.worst_group_error == pytest.approx(cells.max())
    assert found.group_balanced_error == pytest.approx(cells.mean())
    assert found.deo == pytest.approx(100 * by_cell.difference(method="between_groups").sum())


def test_of_two_classes_deo_holds_equalised_odds_between_its_halves():
    predictions, y, group = draw(2, 2, 1)
    found = group_metrics(predictions, y, group, 2, 2).deo
    odds = 100 * equalized_odds_difference(y.numpy(), predictions.numpy(), sensitive_features=group.numpy())
    assert found / 2 <= odds <= found  # the larger of the two differences of which deo is the sum


def test_cells_without_samples_are_left_out():
    y, group = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 0, 0, 2])
    found = group_metrics(torch.tensor([0, 1, 1, 0]), y, group, 2, 3)
    assert found.cell_error == [[50.0, None, None], [0.0, None, 100.0]]
    assert found.group_error == [pytest.approx(100 / 3), None, 100.0]
    assert (found.worst_group_error, found.deo, found.group_balanced_error) == (100.0, 100.0, 50.0)
