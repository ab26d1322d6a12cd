"""Scores of one class against all others: F1 and F_β, recall, precision, specificity; and how often it is predicted."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from autobalance.tasks.metrics._confusion import Confusion, of_confusion, ratio
from autobalance.tasks.metrics._family import MetricFamily, check_arguments, class_of, group_of, number_of
from autobalance.tasks.metrics._metric import Context, Metric
from autobalance.tasks.metrics._registry import register_family


def _score(title: str, score: Callable[[Confusion], Tensor]) -> Metric:
    """One less a score."""
    return Metric(
        "objective",
        f"1 - {title}",
        f"1 - {title}: one less the class's score.",
        score=True,
        reported=False,
        **of_confusion(lambda matrix: 1 - score(matrix)),
    )


def f1(given: Sequence[str], context: Context) -> Metric:
    """2 hits / (samples + predictions) of a class."""
    check_arguments(given, 1, 1, "f1(CLASS)")
    k = class_of(given[0], context, f"f1({given[0]})")
    return _score(f"F1 of {given[0]}", lambda matrix: matrix.f()[k])


def fbeta(given: Sequence[str], context: Context) -> Metric:
    """(1 + β²) hits / (β² samples + predictions) of a class: recall counts β times as much as precision."""
    check_arguments(given, 2, 2, "fbeta(CLASS, BETA)")
    asked = f"fbeta({', '.join(given)})"
    k, beta = class_of(given[0], context, asked), number_of(given[1], asked)
    return _score(f"F{beta:g} of {given[0]}", lambda matrix: matrix.f(beta)[k])


def recall(given: Sequence[str], context: Context) -> Metric:
    """Hits over samples of a class, in all groups or in one."""
    check_arguments(given, 1, 2, "recall(CLASS) or recall(CLASS, GROUP)")
    asked = f"recall({', '.join(given)})"
    k = class_of(given[0], context, asked)
    if len(given) == 1:
        return _score(f"recall of {given[0]}", lambda matrix: matrix.recall(k))
    g = group_of(given[1], context, asked)
    return _score(f"recall of {', '.join(given)}", lambda matrix: ratio(matrix.right[k, g], matrix.cells[k, g]))


def precision(given: Sequence[str], context: Context) -> Metric:
    """Hits over predictions of a class."""
    check_arguments(given, 1, 1, "precision(CLASS)")
    k = class_of(given[0], context, f"precision({given[0]})")
    return _score(f"precision of {given[0]}", lambda matrix: matrix.precision(k))


def specificity(given: Sequence[str], context: Context) -> Metric:
    """The share of the other classes' samples that are not predicted as the class."""
    check_arguments(given, 1, 1, "specificity(CLASS)")
    k = class_of(given[0], context, f"specificity({given[0]})")

    def score(matrix: Confusion) -> Tensor:
        return 1 - ratio(matrix.predicted[k] - matrix.hits[k], 1 - matrix.shares[k])

    return _score(f"specificity of {given[0]}", score)


def coverage(given: Sequence[str], context: Context) -> Metric:
    """How often a class is predicted."""
    check_arguments(given, 1, 1, "coverage(CLASS)")
    k = class_of(given[0], context, f"coverage({given[0]})")
    return Metric(
        "objective",
        f"coverage of {given[0]}",
        f"Coverage of {given[0]}: the share of the predictions that are {given[0]}.",
        reported=False,
        **of_confusion(lambda matrix: matrix.predicted[k]),
    )


register_family(MetricFamily("f1", "CLASS", f1, "F1 of a class."))
register_family(MetricFamily("fbeta", "CLASS, BETA", fbeta, "F of a class with recall BETA times as important."))
register_family(MetricFamily("recall", "CLASS", recall, "Recall of a class, or of a class in a group."))
register_family(MetricFamily("precision", "CLASS", precision, "Precision of a class."))
register_family(MetricFamily("specificity", "CLASS", specificity, "Recall of all other classes together."))
register_family(MetricFamily("coverage", "CLASS", coverage, "How often a class is predicted."))
