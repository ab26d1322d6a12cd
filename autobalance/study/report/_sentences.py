"""What a run chose and found, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autobalance.common import significant
from autobalance.study.report._ranking import as_float
from autobalance.study.report._words import words


def chosen(result: dict[str, Any]) -> str | None:
    """The method that the run chose and handed out; None where no choice was made."""
    return None if result.get("confidence") is None else str(result["chosen"])


def choice_sentence(result: dict[str, Any]) -> str:
    """What the run chose on held-out samples and how sure that is; empty where no choice was made."""
    if result.get("confidence") is None:
        return ""
    objective, unit = str(result.get("objective", "")).split(" subject to ")[0], ""
    if ":" not in objective and result.get("task") != "regression":
        unit = " points"
    margin, low, high = (significant(value, 2) for value in (result["margin"], *result["interval"]))
    needed = f", needed {result['confidence_needed']:g}" if "confidence_needed" in result else ""
    measured = f" of {objective.replace('_', ' ') if ':' not in objective else objective}" if objective else ""
    fixed, taken = result["best_fixed"], result["chosen"]
    beside = f"margin {margin}{unit}{measured}, 95\u00a0% interval from {low} to {high}"
    if (met := _met(result, "searched")) != _met(result, fixed):
        constraints = "meets the constraints" if met else "does not meet the constraints"
        other = f"{words(fixed)} {'does not' if met else 'does'}"
        loss = "the searched loss" if taken == "searched" else f"{words(taken)}, a fixed loss"
        return f"Chosen: {loss}. On held-out samples the searched loss {constraints}, {other} ({beside})."
    beside = f"confidence {result['confidence']:.3g}{needed}; {beside}"
    if taken == "searched":
        return f"Chosen: the searched loss. On held-out samples it beats {words(fixed)} ({beside})."
    return (
        f"Chosen: {words(taken)}, a fixed loss. On held-out samples the searched loss does not beat it "
        f"with enough confidence ({beside})."
    )


def _met(result: dict[str, Any], name: str) -> bool:
    """Whether a candidate meets all constraints on held-out samples."""
    constraints = (result.get("constraints") or {}).get(name) or {}
    return all(as_float(one.get("violation")) <= 0 for one in constraints.values())


def unmet_sentence(result: dict[str, Any]) -> str:
    """Which constraints the loss to use does not meet on held-out samples, and how near it comes; empty where it meets
    all of them."""
    taken, told = result.get("chosen"), []
    if taken is None or _met(result, taken):
        return ""
    for text, own in result["constraints"][taken].items():
        if as_float(own["violation"]) > 0:
            told.append(f"{text} was asked, {significant(as_float(own['value']), 3)} is reached{_nearer(result, text)}")
    return (
        f"No loss that was tried meets the constraints on held-out samples: {'; '.join(told)}. Ask for less, or try "
        "more samples or another model."
    )


def _nearer(result: dict[str, Any], text: str) -> str:
    """Which other candidate comes nearest to a bound, where one comes nearer than the chosen one."""
    candidates = {name: of[text] for name, of in result["constraints"].items()}
    name = min(candidates, key=lambda each: as_float(candidates[each]["violation"]))
    if candidates[name]["violation"] >= candidates[result["chosen"]]["violation"]:
        return ""
    return f" (with {words(name)} {significant(as_float(candidates[name]['value']), 3)})"


def diverged_sentences(result: dict[str, Any]) -> list[str]:
    """Which trainings count as a constant prediction and why; empty where none does."""
    told = []
    for phase, reasons in (result.get("diverged") or {}).items():
        part = {"choice": "fold", "retrain": "seed"}.get(phase, "")
        for why in dict.fromkeys(reasons.values()):
            numbers: dict[str, list[str]] = {}
            for name, _, number in (key.partition("/") for key, reason in reasons.items() if reason == why):
                numbers.setdefault(words(name), []).extend([number] if number else [])
            names = [f"{name} ({part} {', '.join(each)})" if each else name for name, each in numbers.items()]
            told.append(
                f"Diverged in the {phase}, and counts as a constant prediction: {'; '.join(names)}. "
                f"{why[0].upper()}{why.replace('`', '')[1:]}."
            )
    return told


def repeat_sentences(repeats: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Which samples that judge a model have the inputs of one that it is trained on; empty where none does.

    Args:
        repeats: what `repeated_samples` found.
    """
    told = []
    for part, found in repeats.items():
        number, other = found["samples"], found["other_target"]
        have = "sample has" if number == 1 else "samples have"
        more = f" ({other} with another target)" if other else ""
        told.append(
            f"{number} {part} {have} the inputs of a sample that is trained on{more}: if they are copies, the figures "
            "of that part flatter every loss; remove them from the data"
        )
    return told


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
