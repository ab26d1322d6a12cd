"""What the methods of a run are ranked by. Plain Python; no plots, no page."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import torch

from autobalance.common import InputError, decimals
from autobalance.tasks.metrics import Context, Metric, metric_named
from autobalance.tasks.objectives import Blend, Constrained, Objective, make_objective


def as_float(value: Any) -> float:
    """A number as float; NaN for None or what is no number."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan


@dataclass(frozen=True)
class Ranking:
    """What the methods are ranked by, and the figure that is shown beside it, both with the decimals to print.

    Args:
        main, beside: the two metrics, with their keys in ``test.<method>``.
        words: the first within a sentence about test samples, without article.
    """

    main: Metric
    beside: Metric
    words: str

    @property
    def index(self) -> str:
        """What a figure by class is indexed by: ``class`` or ``bin``."""
        return "bin" if self.main.needs == "bins" else "class"


def ranking(result: dict[str, Any]) -> Ranking:
    """Methods are ranked by the metric that was the objective.

    An objective that is a sum, has constraints or is the user's own function is a metric of its own here, whose figure
    each method has under ``objective``. A result that has neither is ranked by the usual metric.
    """
    main, beside = _usual(result)
    made = _objective(result)
    if isinstance(made, Blend) and len(made.parts) == 1 and made.parts[0].weight == 1:
        metric = made.parts[0].metric
        if _has(result, metric.key):
            return _ranking(result, metric, beside if metric is main else main)
    if not _has(result, "objective"):
        return _ranking(result, main, beside)
    own = _own(result, made, main)
    if isinstance(made, Constrained) and _has(result, "main_objective"):
        main = _main(made, main)
    article = "the " if isinstance(made, Constrained) else ""
    return _ranking(result, own, main, f"test value of {article}{own.title}")


def _ranking(result: dict[str, Any], main: Metric, beside: Metric, words: str | None = None) -> Ranking:
    main, beside = (replace(metric, digits=digits(result, metric)) for metric in (main, beside))
    return Ranking(main, beside, words or _in_words(main))


def _in_words(metric: Metric) -> str:
    if metric.needs == "bins":
        return f"test {metric.title}"
    if metric.title.endswith("error"):
        return f"{metric.title.removesuffix('error')}test error"
    return f"{metric.title} on test"


def digits(result: dict[str, Any], metric: Metric) -> int:
    """Decimals of a figure: the metric's own, or what shows four significant digits in the unit of the target."""
    if metric.digits is not None:
        return metric.digits
    test = result.get("test")
    values = [as_float(entry.get(metric.key)) for entry in test.values()] if isinstance(test, dict) else []
    return decimals(max((value for value in values if math.isfinite(value)), default=0.0), 4)


def _usual(result: dict[str, Any]) -> tuple[Metric, Metric]:
    """What methods are ranked by where the result says nothing else, and what stands beside it."""
    if result.get("task") == "regression":
        return metric_named("balanced_mae"), metric_named("mae")
    return metric_named("balanced_error"), metric_named("error")


def _own(result: dict[str, Any], made: Objective | None, usual: Metric) -> Metric:
    """The objective's own value as a metric."""
    text = str(result.get("objective"))
    what, title = "your own objective" if made is None else "the objective", text
    if isinstance(made, Constrained):
        what += ", plus ten times the amount by which its constraints are violated"
        title = "objective with penalties"
    percent = made is not None and usual.needs != "bins"
    return Metric(
        "objective",
        title,
        f"{text}: {what}, on the test samples. {usual.meaning}",
        usual.exact,
        needs=usual.needs,
        unit=" %" if percent else "",
        step=" points" if percent else "",
        digits=2 if percent else None,
    )


def _main(made: Constrained, usual: Metric) -> Metric:
    """What is made small within constraints, as a metric."""
    parts = made.main.parts
    if len(parts) == 1 and parts[0].weight == 1:
        return replace(parts[0].metric, key="main_objective")
    text = made.text.split(" subject to ")[0]
    return replace(usual, key="main_objective", title=text, meaning=f"{text}: what is made small.")


def _objective(result: dict[str, Any]) -> Objective | None:
    """The objective as the search had it; None for the user's own function and for what cannot be read any more."""
    text, regression = str(result.get("objective")), result.get("task") == "regression"
    names, groups = (tuple(map(str, result.get(f"{name}_names") or ())) for name in ("class", "group"))
    context = Context(
        len(names),
        max(1, len(groups)),  # so that metrics of groups can be read
        names,
        groups,
        bin_edges=torch.tensor(result.get("bin_edges") or [0.0, 1.0], dtype=torch.float64) if regression else None,
    )
    try:
        return None if ":" in text else make_objective(text, context)
    except InputError:
        return None


def _has(result: dict[str, Any], key: str) -> bool:
    """Whether every method has this figure."""
    test = result.get("test") or {}
    return bool(test) and all(math.isfinite(as_float(entry.get(key))) for entry in test.values())
