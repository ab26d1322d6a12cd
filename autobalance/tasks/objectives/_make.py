"""The objective that a text or a function stands for."""

from __future__ import annotations

from dataclasses import replace

from autobalance.common import InputError
from autobalance.tasks.metrics import Context, Metric, metrics
from autobalance.tasks.objectives._blend import GROUPS_FROM, Blend, Part
from autobalance.tasks.objectives._expression import Term, parse_sum
from autobalance.tasks.objectives._own import Own, OwnFunction, own


def objective_names(context: Context | None = None) -> tuple[str, ...]:
    """What can be an objective: of all classifications, or for samples of such a kind."""
    return tuple(metric.name for metric in _known(context))


def make_objective(objective: str | OwnFunction | Blend | Own, context: Context | None = None) -> Blend | Own:
    """The objective that a text or a function stands for.

    Args:
        objective: the name of a metric, with its surrogate in brackets where it shall not be the default one:
            ``deo(ce)``; a sum of them, ``0.5*balanced_error + 0.5*deo``; ``package.module:function``; or a function of
            (output (B, ...), target (B,), group (B,) or None) that gives a scalar.
        context: of the samples; None: a classification, of which each batch tells the rest.

    Raises:
        InputError (a ValueError): an unknown name or surrogate, a text that cannot be read, a metric that does not fit
            the samples.
    """
    if isinstance(objective, Blend | Own):
        return objective
    if (function := own(objective)) is not None:
        return function
    assert isinstance(objective, str)
    return Blend([Part(term.weight, _metric(term, context)) for term in parse_sum(objective)], objective, context)


def _known(context: Context | None) -> list[Metric]:
    known = [metric for metric in metrics(context) if metric.soft is not None]
    return [metric for metric in known if metric.needs != "bins"] if context is None else known


def _metric(term: Term, context: Context | None) -> Metric:
    known = {metric.name: metric for metric in _known(context)}
    metric = known.get(term.name)
    if metric is None:
        of_groups = {metric.name for metric in _known(None) if metric.needs == "groups"}
        if context is not None and context.bin_edges is None and term.name in of_groups:
            raise InputError(f"the objective {term.name} needs groups, and the samples have none: {GROUPS_FROM}")
        of_numbers = "for regression " if context is not None and context.bin_edges is not None else ""
        raise InputError(f"no objective is called {term.name!r}; {of_numbers}there are {', '.join(known)}")
    if term.option is None:
        return metric
    if term.option not in metric.surrogates:
        there = f"only {' and '.join(metric.surrogates)}" if metric.surrogates else "none at all"
        raise InputError(f"{term.name}({term.option}): there is no surrogate {term.option!r}, {there}")
    return replace(metric, soft=metric.surrogates[term.option])
