"""The objective that a text or a function stands for."""

from __future__ import annotations

import re
from dataclasses import replace

from autobalance.common import InputError, nearest
from autobalance.tasks.metrics import Context, Metric, families, metrics
from autobalance.tasks.objectives._blend import GROUPS_FROM, Blend, Part
from autobalance.tasks.objectives._constrained import Constrained, Constraint
from autobalance.tasks.objectives._expression import Bound, Call, parse
from autobalance.tasks.objectives._objective import Objective
from autobalance.tasks.objectives._own import OwnFunction, own

#: Behind an objective: the samples to come have as many of each class, whatever those at hand have.
EQUAL_SHARES = "at equal shares"


def objective_names(context: Context | None = None) -> tuple[str, ...]:
    """What can be an objective: of all classifications, or for samples of such a kind; what needs arguments is not
    among them, see `autobalance.tasks.metrics.families`."""
    return tuple(metric.name for metric in _known(context))


def make_objective(objective: str | OwnFunction | Objective, context: Context | None = None) -> Objective:
    """The objective that a text or a function stands for.

    Args:
        objective: the name of a metric, with its arguments or surrogate in brackets: ``f1(rare)``, ``deo(ce)``; a sum
            of them, ``0.5*balanced_error + 0.5*deo``; one of these with constraints, ``error subject to
            recall(rare)>=0.8 and recall(common)>=0.9``; ``package.module:function``; each with `EQUAL_SHARES` behind
            it for samples that count as if there were as many of each class; or a function of (output (B, ...),
            target (B,), group (B,) or None), or of the confusion matrix, that gives a scalar, see `Own`.
        context: of the samples; None: a classification, of which each batch tells the rest.

    Raises:
        InputError (a ValueError): an unknown name, class or surrogate, a text that cannot be read, a metric that does
            not fit the samples.
    """
    if isinstance(objective, Objective):
        return objective
    text = objective
    if isinstance(objective, str) and (there := re.search(rf"\s+{EQUAL_SHARES}\s*$", objective)):
        if context is None or context.bin_edges is not None:
            raise InputError(f"{objective}: `{EQUAL_SHARES}` is for classes that are known")
        objective, context = objective[: there.start()], replace(context, equal_shares=True)
    if (function := own(objective, context)) is not None:
        return function
    assert isinstance(objective, str) and isinstance(text, str)
    terms, bounds = parse(objective)
    main = Blend([Part(term.weight, _metric(term.call, context)) for term in terms], text, context)
    if not bounds:
        return main
    return Constrained(main, [_constraint(bound, context) for bound in bounds], text, context)


def _constraint(bound: Bound, context: Context | None) -> Constraint:
    metric = _metric(bound.call, context)
    upper, value = bound.sign == "<=", bound.value
    most = 1.0 if metric.score or context is None else float(context.num_classes)
    if metric.needs != "bins" and abs(value) > most:
        raise InputError(f"the constraint {bound.text} has the bound {value:g}: give a share, such as 0.8 for 80 %")
    if metric.score:
        upper, value = not upper, 1 - value
    return Constraint(Blend([Part(1.0, metric)], bound.text, context), upper, value, metric.score, bound.text)


def _known(context: Context | None) -> list[Metric]:
    known = [metric for metric in metrics(context) if metric.soft is not None]
    return [metric for metric in known if metric.needs != "bins"] if context is None else known


def _metric(call: Call, context: Context | None) -> Metric:
    numbers = context is not None and context.bin_edges is not None
    family = None if numbers else families().get(call.name)
    if family is not None:
        if context is None:
            raise InputError(f"{call.name}: the names of the classes are not known here")
        return family.make(call.arguments or (), context)
    known = {metric.name: metric for metric in _known(context)}
    metric = known.get(call.name)
    if metric is None:
        of_groups = {metric.name for metric in _known(None) if metric.needs == "groups"}
        if not numbers and call.name in of_groups:
            raise InputError(f"the objective {call.name} needs groups, and the samples have none: {GROUPS_FROM}")
        there = [*known, *([] if numbers else [family.usage for family in families().values()])]
        raise InputError(
            f"no objective is called {call.name!r}; {'for regression ' if numbers else ''}there are {', '.join(there)}"
            f"{nearest(call.name, there)}"
        )
    return metric if call.arguments is None else _with_surrogate(metric, call)


def _with_surrogate(metric: Metric, call: Call) -> Metric:
    text = ", ".join(call.arguments or ())
    if text not in metric.surrogates:
        there = f"only {' and '.join(metric.surrogates)}" if metric.surrogates else "it has none"
        raise InputError(f"{call.name}({text}): there is no surrogate {text!r}, {there}")
    return replace(metric, soft=metric.surrogates[text])
