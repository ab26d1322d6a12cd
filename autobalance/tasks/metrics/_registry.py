"""The metrics by name, in the order in which they were registered."""

from __future__ import annotations

from autobalance.common import InputError, nearest
from autobalance.tasks.metrics._family import MetricFamily
from autobalance.tasks.metrics._metric import Context, Metric

_METRICS: dict[str, Metric] = {}
_FAMILIES: dict[str, MetricFamily] = {}


def register(metric: Metric) -> Metric:
    """Makes a metric known by its name: as an objective, in tests of models, reports and studies.

    Returns:
        the metric.

    Raises:
        InputError: a metric has its name or its key already.
    """
    if metric.name in (*_METRICS, *_FAMILIES) or any(metric.key == other.key for other in _METRICS.values()):
        raise InputError(f"a metric called {metric.name} is registered already; choose another name and key, or "
                         "unregister it first")  # fmt: skip
    _METRICS[metric.name] = metric
    return metric


def register_family(family: MetricFamily) -> MetricFamily:
    """Makes a metric with arguments known by its name, as an objective and in constraints.

    Returns:
        the family.

    Raises:
        InputError: a metric has its name already.
    """
    if family.name in (*_METRICS, *_FAMILIES):
        raise InputError(f"a metric called {family.name} is registered already; choose another name, or unregister it "
                         "first")  # fmt: skip
    _FAMILIES[family.name] = family
    return family


def unregister(name: str) -> None:
    """Forgets a metric, or a metric with arguments.

    Raises:
        InputError: no metric is called so.
    """
    if name in _FAMILIES:
        del _FAMILIES[name]
    else:
        del _METRICS[metric_named(name).name]


def families() -> dict[str, MetricFamily]:
    """The metrics with arguments, all of classifications, by name."""
    return dict(_FAMILIES)


def metric_named(name: str) -> Metric:
    """The metric of a name; its key will do too.

    Raises:
        InputError: no metric is called so.
    """
    if name in _METRICS:
        return _METRICS[name]
    for metric in _METRICS.values():
        if metric.key == name:
            return metric
    raise InputError(f"no metric is called {name!r}; there are {', '.join(_METRICS)}{nearest(name, _METRICS)}")


def metrics(context: Context | None = None) -> tuple[Metric, ...]:
    """All metrics, or those that can be asked of samples of such a kind."""
    return tuple(metric for metric in _METRICS.values() if context is None or metric.fits(context))
