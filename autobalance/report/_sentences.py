"""What a run chose and found, in sentences."""

from __future__ import annotations

from typing import Any

from autobalance.common import significant
from autobalance.report._ranking import as_float
from autobalance.report._words import words


def chosen(result: dict[str, Any]) -> str | None:
    """The method that the run chose and handed out; None where no choice was made."""
    return None if result.get("confidence") is None else str(result["chosen"])


def choice_sentence(result: dict[str, Any]) -> str:
    """What the run chose on held-out samples and how sure that is; empty where no choice was made."""
    if result.get("confidence") is None:
        return ""
    objective, unit = str(result.get("objective", "")), ""
    if ":" not in objective and result.get("task") != "regression":
        unit = " points"
    margin, low, high = (significant(value, 2) for value in (result["margin"], *result["interval"]))
    needed = f", needed {result['confidence_needed']:g}" if "confidence_needed" in result else ""
    measured = f" of {objective.replace('_', ' ') if ':' not in objective else objective}" if objective else ""
    beside = (
        f"confidence {result['confidence']:.3g}{needed}; margin {margin}{unit}{measured}, "
        f"95\u00a0% interval from {low} to {high}"
    )
    if result["chosen"] == "searched":
        return f"Chosen: the searched loss. On held-out samples it beats {words(result['best_fixed'])} ({beside})."
    return (
        f"Chosen: {words(result['chosen'])}, a fixed loss. On held-out samples the searched loss does not beat it "
        f"with enough confidence ({beside})."
    )


def found_recipe(result: dict[str, Any]) -> str:
    """The recipe parameters that were found; empty where none was searched."""
    found = (result.get("search") or {}).get("rates") or {}
    return ", ".join(f"{name.replace('_', ' ')} {value:.2g}" for name, value in found.items())


def constraint_sentences(result: dict[str, Any]) -> list[str]:
    """For each constraint of the objective, its value for every method on the test samples, and who meets it."""
    test = result.get("test") or {}
    found: dict[str, list[str]] = {}
    for method, entry in test.items():
        for text, figures in (entry.get("constraints") or {}).items():
            met = as_float(figures.get("violation")) <= 0
            said = f"{words(method)} {significant(as_float(figures.get('value')), 3)}{' (met)' if met else ''}"
            found.setdefault(text, []).append(said)
    return [f"Constraint {text}, mean over the seeds: {', '.join(said)}." for text, said in found.items()]
