"""How predictions treat groups, through fairlearn's `MetricFrame`: needs ``pip install 'autobalance[fair]'``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from autobalance.common import InputError

if TYPE_CHECKING:
    from fairlearn.metrics import MetricFrame


@dataclass(frozen=True)
class FairnessReport:
    """What fairlearn says of predictions. All figures in percent, differences in points.

    Args:
        by_group: error of each group; ``by_group.by_group`` is the table, ``.overall`` the error of all.
        by_cell: error of each class in each group, the classes as control feature.
        demographic_parity: the largest over the classes of the largest difference between two groups in how often the
            class is predicted; for two classes fairlearn's ``demographic_parity_difference``.
        equalised_odds: the largest over the classes of fairlearn's ``equalized_odds_difference`` of the class against
            all others; for two classes its own.
        worst_cell: class, group and error of the cell with the largest error.
    """

    by_group: MetricFrame
    by_cell: MetricFrame
    demographic_parity: float
    equalised_odds: float
    worst_cell: tuple[str, str, float]


def fairness_report(
    predictions: Tensor | Sequence[int],
    target: Tensor | Sequence[int],
    group: Tensor | Sequence[int],
    class_names: Sequence[str],
    group_names: Sequence[str],
) -> FairnessReport:
    """Compares predicted classes with targets, group by group.

    Args:
        predictions, target: 0..K-1, (N,).
        group: 0..G-1, (N,).
        class_names, group_names: K and G names.

    Raises:
        InputError: fairlearn is not installed.
    """
    metrics = _metrics()
    found, y, g = (np.asarray(values.cpu() if isinstance(values, Tensor) else values) for values in
                   (predictions, target, group))  # fmt: skip
    groups, classes = np.array(list(group_names))[g], np.array(list(class_names))[y]

    def error(y_true: Any, y_pred: Any) -> float:
        return 100 * float(np.mean(np.asarray(y_true) != np.asarray(y_pred)))

    of_class = [{"y_true": y == k, "y_pred": found == k, "sensitive_features": groups} for k in range(len(class_names))]
    by_cell = metrics.MetricFrame(
        metrics=error, y_true=y, y_pred=found, sensitive_features=groups, control_features=classes
    )
    worst = by_cell.by_group.dropna()
    class_name, group_name = worst.idxmax()
    return FairnessReport(
        by_group=metrics.MetricFrame(metrics=error, y_true=y, y_pred=found, sensitive_features=groups),
        by_cell=by_cell,
        demographic_parity=100 * max(metrics.demographic_parity_difference(**one) for one in of_class),
        equalised_odds=100 * max(metrics.equalized_odds_difference(**one) for one in of_class),
        worst_cell=(str(class_name), str(group_name), float(worst.max())),
    )


def _metrics() -> Any:
    try:
        from fairlearn import metrics
    except ImportError as error:
        raise InputError("a report on fairness needs fairlearn: pip install 'autobalance[fair]'") from error
    return metrics
