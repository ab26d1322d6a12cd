"""How sure a run with one seed is: the bootstrap of its test samples, the same draws for every method."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autobalance.bilevel import SEARCHED, CheckedPlan
from autobalance.data import Batch, resamplings, stratum

#: Resamplings, and numbers that all of them may look at, so that large test sets have fewer.
DRAWS, FEWEST, MOST_NUMBERS = 400, 50, 2 * 10**9


def resampled(checked: CheckedPlan, output: Tensor) -> dict[str, Tensor]:
    """What the bootstrap needs of one model's test outputs, (N, ...).

    Returns:
        ``objective``, the exact metric of each draw, (D,); ``errors``, of each sample, (N,): 100 where its class is not
        predicted, or the distance of the prediction.
    """
    test = checked.setting.problem.test
    batch, edges = test.without_inputs(), checked.setting.problem.bin_edges
    objective = checked.bench.objective
    seen, figures = objective.looked_at(output), []
    draws = max(FEWEST, min(DRAWS, MOST_NUMBERS // max(1, seen.numel())))
    for index in resamplings(stratum(test, edges), 0, draws):
        at = index.to(output.device)
        group = None if batch.group is None else batch.group[at]
        figures.append(objective.metric(seen[at], Batch(batch.x, batch.y[at], group)))
    wrong = (output.flatten() - batch.y).abs() if edges is not None else 100.0 * (output.argmax(1) != batch.y)
    return {"objective": torch.tensor(figures, dtype=torch.float64), "errors": wrong.double().cpu()}


def sampling_facts(checked: CheckedPlan, by_method: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Any]:
    """What ``result.json`` says of the chance in the test samples.

    Args:
        checked: the plan.
        by_method: what `resampled` gave for each method.

    Returns:
        ``draws``; and of each fixed loss, the searched loss's figure less its own: ``low`` and ``high``, 2.5 and 97.5 %
        quantiles for the objective; ``better``, the share of the draws in which the searched loss is better, a tie
        counting half; ``standard_error`` for the error of each class, bin or cell (classes before groups), None where
        there are fewer than two samples.
    """
    test, own, against = checked.setting.problem.test, by_method[SEARCHED], {}
    place, number = _places(checked)
    for name, other in by_method.items():
        if name == SEARCHED:
            continue
        margin = (own["objective"] - other["objective"]).numpy()
        low, high = np.quantile(margin, (0.025, 0.975))
        paired = (own["errors"] - other["errors"]).numpy()
        against[name] = {
            "low": _known(low),
            "high": _known(high),
            "better": _known(np.mean(margin < 0) + 0.5 * np.mean(margin == 0)),
            "standard_error": [_standard_error(paired[place == k]) for k in range(number)],
        }
    return {"draws": len(own["objective"]), "samples": len(test), "against": against}


def _places(checked: CheckedPlan) -> tuple[np.ndarray, int]:
    """The class, bin or cell (classes before groups) of each test sample, (N,), and how many of them there are."""
    problem = checked.setting.problem
    groups = max(1, problem.num_groups)
    if problem.bin_edges is not None or problem.test.group is None:
        return stratum(problem.test, problem.bin_edges), problem.num_classes
    return (problem.test.y * groups + problem.test.group).cpu().numpy(), problem.num_classes * groups


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _standard_error(values: np.ndarray) -> float | None:
    """Of the mean of some values."""
    return None if len(values) < 2 else float(values.std(ddof=1) / math.sqrt(len(values)))
