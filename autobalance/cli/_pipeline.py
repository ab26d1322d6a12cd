"""One run from data to report: search a loss, retrain with it and with fixed ones, look at the test split once."""

from __future__ import annotations

import json
import math
import statistics
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from autobalance.bilevel import SEARCHED, Choice, SearchState, choose, member, metric_of, run
from autobalance.cli._augmented import save_found
from autobalance.cli._checkpoint import Checkpoint
from autobalance.cli._config import Options
from autobalance.cli._methods import Method, fixed_methods, searched_method
from autobalance.cli._progress import Display
from autobalance.cli._setup import Setup, set_up, smoothing_of
from autobalance.common import write_text
from autobalance.data import keep_or_check, stratum
from autobalance.losses import save_loss
from autobalance.report import choice_sentence, write_report
from autobalance.tasks import outputs, summarise_figures
from autobalance.training import peak_memory_mb, versions

#: A checkpoint is written when this much time has passed since the last, and at the end of whatever ends the search.
CHECKPOINT_SECONDS = 2.0


def search_and_compare(options: Options, directory: Path, resume: bool, display: Display) -> dict[str, Any]:
    """The whole run. Everything it writes goes to ``directory``, which exists.

    Returns:
        what ``result.json`` holds.
    """
    setup = set_up(options)
    kept = directory / "checkpoint.pt"
    progress = Checkpoint.load(kept) if resume and kept.exists() else Checkpoint()
    keep_or_check(setup.problem, directory / "data.json", resume)
    if not resume:
        write_text(directory / "config.yaml", options.to_yaml())
    problem, index = setup.problem, "classes" if setup.problem.bin_edges is None else "bins"
    index += f" in {problem.num_groups} groups" if problem.num_groups else ""
    display.say(
        f"{problem.name}: {len(problem.train)} training, {len(problem.validation)} validation and {len(problem.test)} "
        f"test samples, {problem.num_classes} {index} of {setup.counts.max()} to {setup.counts.min()} "
        f"samples; model {setup.task.model_name}"
    )
    state = _search(setup, progress, directory, display)
    lines = [json.dumps(record, allow_nan=False) for record in progress.history]
    write_text(directory / "history.jsonl", "\n".join(lines) + "\n")
    searched = searched_method(setup, state)
    provenance = _provenance(setup, state)
    _save(setup, searched, directory, provenance)
    choice = _choose(setup, searched, progress, directory, display)
    if choice is not None and choice.chosen != SEARCHED:
        _save_fixed(setup, choice, searched, directory, provenance)
    methods = [searched, *fixed_methods(setup, setup.options.baselines.split(","), searched)]
    _retrain(setup, methods, progress, directory, display)
    result = _result(setup, state, [method.name for method in methods], choice, progress)
    write_text(directory / "result.json", json.dumps(result, indent=2, allow_nan=False) + "\n")
    write_report(directory)
    return result


def _save(setup: Setup, searched: Method, directory: Path, provenance: dict[str, Any]) -> None:
    """Writes all that the search found."""
    save_loss(member(SEARCHED, searched.loss.cpu()), directory / "loss.json", provenance)
    if searched.policy is not None:
        save_found(searched.policy, setup.problem, setup.options.seed, directory, provenance)
    if (smoothing := smoothing_of(setup.options, setup.problem, searched.strength)) is not None:
        smoothing.save(directory / "fds.json")


def _save_fixed(setup: Setup, choice: Choice, searched: Method, directory: Path, provenance: dict[str, Any]) -> None:
    """Makes the fixed loss that was chosen the run's loss, and keeps the searched one beside it."""
    save_loss(member(SEARCHED, searched.loss), directory / "searched.json", provenance)
    (method,) = (m for m in fixed_methods(setup, setup.candidates, searched) if m.name == choice.chosen)
    kept = {**provenance, "chosen": choice.chosen, "recipe": asdict(method.recipe)}
    save_loss(member(method.name, method.loss.cpu()), directory / "loss.json", kept)
    if (smoothing := smoothing_of(setup.options, setup.problem, method.strength)) is not None:
        smoothing.save(directory / "fds.json")


def _choose(setup: Setup, searched: Method, progress: Checkpoint, directory: Path, display: Display) -> Choice | None:
    """The choice among the searched loss and the candidates; None where none is asked for."""
    options, pool, splits = setup.options, setup.pool, setup.splits
    if options.confidence == 0:
        return None
    methods = [searched, *fixed_methods(setup, setup.candidates, searched)]
    epochs, total = setup.recipe.epochs, len(methods) * len(splits)
    display.phase("choice", total * epochs, len(progress.held_out) * epochs, quiet_for=5.0)
    for fold, (rest, held) in enumerate(splits):
        for method in methods:
            if (key := f"{method.name}/{fold}") in progress.held_out:
                continue
            begun = time.perf_counter()
            done = len(progress.held_out) * epochs
            show = partial(_show_training, display, f"{method.name}, fold {fold + 1} of {len(splits)}", done)
            model = method.train(setup, pool.subset(rest), options.seed, show)
            progress.held_out[key] = outputs(model, pool.subset(held)).cpu()
            progress.choice_seconds += time.perf_counter() - begun
            progress.save(directory / "checkpoint.pt")
    begun = time.perf_counter()
    judged = pool.subset(torch.cat([held for _, held in splits])).to("cpu")
    choice = choose(
        {
            method.name: torch.cat([progress.held_out[f"{method.name}/{fold}"] for fold in range(len(splits))])
            for method in methods
        },
        options.start,
        judged.without_inputs(),
        stratum(judged, setup.problem.bin_edges),
        metric_of(setup.search.objective),
        options.confidence,
    )
    if not progress.trainings:  # a resumed run compares again what was compared and paid for before
        progress.choice_seconds += time.perf_counter() - begun
    display.say(choice_sentence(_chosen(setup, choice)))
    return choice


def _chosen(setup: Setup, choice: Choice) -> dict[str, Any]:
    """What ``result.json`` says of a choice."""
    options = setup.options
    return {
        **{name: getattr(options, name) for name in ("task", "objective")},
        **asdict(choice),
        "confidence_needed": options.confidence,
    }


def _search(setup: Setup, progress: Checkpoint, directory: Path, display: Display) -> SearchState:
    search, path = setup.search, directory / "checkpoint.pt"
    before, device = progress.search, setup.options.device
    state = search.init() if before is None else SearchState.from_dict(before, device)
    parts = search.parts
    display.phase(search.phase(state.epoch), search.epochs * parts, state.epoch * parts, quiet_for=5.0 * (parts > 1))
    search.on_part = lambda done: display.step(round(done * parts), "of a whole training, forwards and backwards")
    begun = saved = time.perf_counter()

    def on_epoch(now_at: SearchState, record: dict[str, Any]) -> None:
        nonlocal begun, saved, state
        now = time.perf_counter()
        progress.search_seconds += now - begun
        progress.history.append(record)
        state = now_at
        if now - saved > CHECKPOINT_SECONDS:
            progress.search = state.to_dict()
            progress.save(path)
            saved = time.perf_counter()
        display.step(
            state.epoch * parts,
            f"validation objective {_figure(record['objective'])}  {setup.goal.progress(record)}",
            name=record["phase"],
        )
        begun = time.perf_counter()

    try:
        run(search, state, on_epoch)
    finally:  # an interruption keeps every finished epoch, wherever it falls
        del progress.history[state.epoch :]
        progress.search = state.to_dict()
        progress.save(path)
    if state.skipped:
        display.say(f"{state.skipped} steps were skipped because a loss or a hypergradient was not finite")
    if search.stopped_early(state):
        display.say("the search stopped early, with its last good loss, after several such steps in a row; lower --lr")
    return state


def _figure(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.3f}"


def _retrain(setup: Setup, methods: list[Method], progress: Checkpoint, directory: Path, display: Display) -> None:
    """Trains every method from scratch on all that is not for the test, for every seed, and tests it once."""
    options, samples = setup.options, setup.problem.final_training
    grid = [(method, seed) for seed in range(options.seed, options.seed + options.seeds) for method in methods]
    epochs = setup.recipe.epochs
    finished = sum(f"{method.name}/{seed}" in progress.trainings for method, seed in grid)
    display.phase("retrain", len(grid) * epochs, finished * epochs, quiet_for=5.0)
    for method, seed in grid:
        key = f"{method.name}/{seed}"
        if key in progress.trainings:
            continue
        begun = time.perf_counter()
        show = partial(_show_training, display, f"{method.name}, seed {seed}", finished * epochs)
        model = method.train(setup, samples, seed, show)
        seconds = time.perf_counter() - begun
        progress.trainings[key] = {**_tested(setup, model), "seconds": seconds}
        progress.save(directory / "checkpoint.pt")
        finished += 1


def _tested(setup: Setup, model: nn.Module) -> dict[str, Any]:
    """All figures of a model on the test split, and the metric of the run's objective."""
    test = setup.problem.test
    output = outputs(model, test)
    value = metric_of(setup.search.objective)(output, test.without_inputs())
    return {**setup.goal.test(output, test, setup.counts), "objective": value if math.isfinite(value) else None}


def _show_training(display: Display, what: str, done: int, epoch: int, loss: float) -> None:
    display.step(done + epoch, f"{what}  training loss {loss:.3f}")


def _result(
    setup: Setup, state: SearchState, methods: list[str], choice: Choice | None, progress: Checkpoint
) -> dict[str, Any]:
    options, problem = setup.options, setup.problem
    seeds = list(range(options.seed, options.seed + options.seeds))
    train_seconds = statistics.median(
        progress.trainings[f"{method}/{seed}"]["seconds"] for method in methods for seed in seeds
    )
    return {
        "data": problem.name,
        "task": options.task,
        "objective": options.objective,
        "model": setup.task.model_name,
        "seed": options.seed,
        "seeds": seeds,
        **setup.goal.facts(setup.counts),
        "num_train": len(problem.train),
        "num_validation": len(problem.validation),
        "num_test": len(problem.test),
        "test": {method: _summary([progress.trainings[f"{method}/{seed}"] for seed in seeds]) for method in methods},
        "search": {
            **{name: getattr(options, name) for name in ("start", "tie", "hypergradient", "epochs")},
            "unroll": setup.search.engine.steps,
            "free": options.free.split(","),
            **({} if setup.search.augmentation is None else setup.search.augmentation.describe()),
            "rates": {name: getattr(setup.search.found_recipe(state.best), name) for name in setup.search.rates},
            "fds_layer": options.fds_layer,
            "fds_strength": setup.search.found_strength(state.best),
            "outer_steps": state.outer_steps,
            "skipped_steps": state.skipped,
            "stopped_early": setup.search.stopped_early(state),
            "folds": options.folds,
            "rounds": options.rounds,
        },
        **({"chosen": SEARCHED, "margin": None, "confidence": None} if choice is None else _chosen(setup, choice)),
        "cost": {
            "search_seconds": progress.search_seconds,
            "train_seconds": train_seconds,
            "ratio": progress.search_seconds / train_seconds,
            "choice_seconds": progress.choice_seconds,
            "total_ratio": (progress.search_seconds + progress.choice_seconds) / train_seconds,
            "peak_memory_mb": peak_memory_mb(options.device),
        },
        "versions": versions(),
    }


def _summary(trainings: list[dict[str, Any]]) -> dict[str, Any]:
    """Figures of a method over its seeds."""
    return summarise_figures([{k: v for k, v in training.items() if k != "seconds"} for training in trainings])


def _provenance(setup: Setup, state: SearchState) -> dict[str, Any]:
    options, facts = setup.options, setup.goal.facts(setup.counts)
    return {
        "data": setup.problem.name,
        **{name: facts[name] for name in ("class_counts", "cell_counts") if name in facts},
        "model": setup.task.model_name,
        **{name: getattr(options, name) for name in ("objective", "start", "free", "tie", "hypergradient")},
        "unroll": setup.search.engine.steps,
        "recipe": asdict(setup.search.found_recipe(state.best)),
        "seed": options.seed,
        "versions": versions(),
    }
