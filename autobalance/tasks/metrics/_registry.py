"""The metrics by name, in the order in which they were registered."""

from __future__ import annotations

from autobalance.common import InputError
from autobalance.tasks.metrics._metric import Context, Metric

_METRICS: dict[str, Metric] = {}


def register(metric: Metric) -> Metric:
    """Makes a metric known by its name: as an objective, in tests of models, reports and studies.

    Returns:
        the metric.

    Raises:
        InputError: a metric has its name or its key already.
    """
    if metric.name in _METRICS or any(metric.key == other.key for other in _METRICS.values()):
        raise InputError(f"a metric called {metric.name} is registered already; choose another name and key, or "
                         "unregister it first")  # fmt: skip
    _METRICS[metric.name] = metric
    return metric


def unregister(name: str) -> None:
    """Forgets a metric.

    Raises:
        InputError: no metric is called so.
    """
    del _METRICS[metric_named(name).name]


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
    raise InputError(f"no metric is called {name!r}; there are {', '.join(_METRICS)}")


def metrics(context: Context | None = None) -> tuple[Metric, ...]:
    """All metrics, or those that can be asked of samples of such a kind."""
    return tuple(metric for metric in _METRICS.values() if context is None or metric.fits(context))
