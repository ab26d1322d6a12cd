"""What ``result.json`` says about a run, and what a loss file says about its origin."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from autobalance.bilevel import SEARCHED, CheckedPlan, Choice, State, stopped_early
from autobalance.cli._checkpoint import Checkpoint
from autobalance.cli._config import Options
from autobalance.cli._sampling import sampling_facts
from autobalance.cli._tested_arms import DIVERGED
from autobalance.hypergradients import RECIPE_PARAMETERS
from autobalance.study.report import verdict
from autobalance.tasks import summarise_figures
from autobalance.training import BESIDE, Arm, beside, peak_memory_mb, versions

#: What a test keeps beside its figures.
_ASIDE = ("seconds", "resampled", DIVERGED)


def result_of(
    options: Options,
    checked: CheckedPlan,
    state: State,
    methods: Sequence[str],
    facts: dict[str, Any],
    progress: Checkpoint,
) -> dict[str, Any]:
    """The content of ``result.json``.

    Args:
        options, checked: what was asked for.
        state: of the search, at its end.
        methods: what was trained and tested.
        facts: see `chosen_facts`.
        progress: the tests and the time they took.
    """
    plan, problem, task = checked.plan, checked.setting.problem, checked.task
    seeds = list(range(options.seed, options.seed + options.seeds))
    tests = {method: [progress.trainings[f"{method}/{seed}"] for seed in seeds] for method in methods}
    everything = [test for of_method in tests.values() for test in of_method]
    whole = [test for test in everything if DIVERGED not in test] or everything
    train_seconds = statistics.median(test["seconds"] for test in whole)
    result = {
        "data": problem.name,
        "task": options.task,
        "objective": _said(plan.objective),
        "model": checked.setting.model_name,
        "seed": options.seed,
        "seeds": seeds,
        **task.facts(checked.counts),
        "num_train": len(problem.train),
        "num_validation": len(problem.validation),
        "num_test": len(problem.test),
        "test": {
            method: summarise_figures([{k: v for k, v in test.items() if k not in _ASIDE} for test in of_method])
            for method, of_method in tests.items()
        },
        "search": _search_facts(options, checked, state),
        **facts,
        "cost": {
            "search_seconds": progress.search_seconds,
            "train_seconds": train_seconds,
            "ratio": progress.search_seconds / train_seconds,
            "choice_seconds": progress.choice_seconds,
            "total_ratio": (progress.search_seconds + progress.choice_seconds) / train_seconds,
            "peak_memory_mb": peak_memory_mb(options.device),
        },
        "versions": versions(),
        "recipe": asdict(checked.recipe),
        "options": {name: value for name, value in options.identity().items() if value not in (None, False)},
    }
    if problem.encoder is not None and (columns := problem.encoder.columns_read()):
        result["columns"] = [column._asdict() for column in columns]
    if problem.notes:
        result["notes"] = list(problem.notes)
    if diverged := _diverged(tests, seeds, progress):
        result["diverged"] = diverged
    drawn = {name: of_method[0]["resampled"] for name, of_method in tests.items() if "resampled" in of_method[0]}
    if len(drawn) == len(tests):
        result["sampling"] = sampling_facts(checked, drawn)
    return {**result, "verdict": asdict(verdict(result))}


def _diverged(
    tests: Mapping[str, Sequence[Mapping[str, Any]]], seeds: Sequence[int], progress: Checkpoint
) -> dict[str, dict[str, str]]:
    """Why trainings count as a constant prediction, in each phase where some do."""
    found = {
        "search": {record["start"]: record[DIVERGED] for record in progress.history if DIVERGED in record},
        "choice": progress.diverged,
        "retrain": {
            f"{method}/{seed}": test[DIVERGED]
            for method, of_method in tests.items()
            for seed, test in zip(seeds, of_method, strict=True)
            if DIVERGED in test
        },
    }
    return {phase: dict(reasons) for phase, reasons in found.items() if reasons}


def _search_facts(options: Options, checked: CheckedPlan, state: State) -> dict[str, Any]:
    plan, space, found = checked.plan, checked.search.trainee.space, checked.search.found(state)
    return {
        "start": plan.start_name,
        "tie": plan.tie,
        "strategy": options.strategy,
        "budget": options.budget,
        "hypergradient": options.hypergradient,
        "epochs": checked.recipe.epochs,
        "unroll": checked.search.unroll,
        "free": list(plan.free or ()),
        **({} if space.augmentation is None else space.augmentation.describe()),
        "rates": {
            name: rate
            for name in RECIPE_PARAMETERS
            if (rate := getattr(found.recipe, name)) != getattr(checked.recipe, name)
        },
        "fds_layer": plan.fds_layer,
        "fds_strength": found.strength,
        "outer_steps": state.outer_steps,
        "skipped_steps": state.skipped,
        "stopped_early": stopped_early(state),
        "folds": plan.folds,
        "rounds": options.rounds,
    }


def chosen_facts(checked: CheckedPlan, choice: Choice | None, history: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What ``result.json`` says about the choice, and how the constraints stand on held-out samples: of each candidate,
    or where no choice was asked for of the searched loss, as the search's last record has it."""
    plan = checked.plan
    told: dict[str, Any] = {
        "task": "classification" if checked.setting.problem.bin_edges is None else "regression",
        "objective": _said(plan.objective),
    }
    if choice is None:
        told |= {"chosen": SEARCHED, "margin": None, "confidence": None}
        held: Any = {SEARCHED: history[-1]["constraints"]} if "constraints" in history[-1] else {}
    else:
        told |= {**asdict(choice), "confidence_needed": plan.confidence}
        held = told.pop("constraints")
    if held:
        met = all(one["violation"] == 0 for one in held[told["chosen"]].values())
        told |= {"constraints": held, "constraints_met": met}
    return told


def provenance(options: Options, checked: CheckedPlan, arm: Arm) -> dict[str, Any]:
    """Where the loss of a training comes from, and what belongs to it, for its file."""
    plan, facts = checked.plan, checked.task.facts(checked.counts)
    return {
        "data": checked.setting.problem.name,
        **{name: facts[name] for name in ("class_counts", "cell_counts") if name in facts},
        "model": checked.setting.model_name,
        "objective": _said(plan.objective),
        "start": plan.start_name,
        "free": list(plan.free or ()),
        "tie": plan.tie,
        "hypergradient": options.hypergradient,
        "unroll": checked.search.unroll,
        "recipe": asdict(arm.recipe),
        BESIDE: beside(arm, checked.recipe),
        "seed": options.seed,
        "versions": versions(),
    }


def _said(objective: Any) -> str:
    return objective if isinstance(objective, str) else getattr(objective, "__name__", type(objective).__name__)
