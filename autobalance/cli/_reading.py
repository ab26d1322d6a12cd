"""How the data were read, and what is odd about them: for the terminal, before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping

from autobalance.cli._words import as_flags
from autobalance.data import Problem, alike_names
from autobalance.study.report import repeat_sentences


def reading_lines(problem: Problem, repeats: Mapping[str, Mapping[str, int]]) -> list[str]:
    """What to print.

    Args:
        problem: the data.
        repeats: what `repeated_samples` found in them.
    """
    told = [] if problem.encoder is None else [as_flags(line, {"text"}) for line in problem.encoder.describe()]
    warnings = list(problem.notes)
    for alike in alike_names((*problem.class_names, *(problem.group_names or ()))):
        names = " and ".join(repr(name) for name in alike)
        warnings.append(f"{names} differ in case or spaces alone; are they one? Then write them alike in the data")
    return [*told, *(f"warning: {warning}" for warning in (*warnings, *repeat_sentences(repeats)))]
