"""One run from data to report: search for a loss, choose, train with it and with fixed ones, test each once."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autobalance.bilevel import (
    SEARCHED,
    CheckedPlan,
    Choice,
    Found,
    arms,
    chosen_arm,
    finished,
    member,
    run,
    select,
    stopped_early,
)
from autobalance.cli._checkpoint import Checkpoint
from autobalance.cli._config import Options
from autobalance.cli._found_files import save_augmentation_found
from autobalance.cli._kept_model import KeptModel
from autobalance.cli._length import confirm_length
from autobalance.cli._plan import baselines_of, checked_plan
from autobalance.cli._progress import Display
from autobalance.cli._reading import reading_lines
from autobalance.cli._result import chosen_facts, provenance, result_of
from autobalance.cli._tested_arms import InCheckpoint, compare_arms
from autobalance.cli._words import as_flags
from autobalance.common import write_text
from autobalance.data import keep_or_check, repeated_samples
from autobalance.losses import save_loss
from autobalance.study.report import choice_sentence, unmet_sentence, write_report
from autobalance.tasks.objectives import Blend
from autobalance.training import advice

#: A checkpoint is written when this much time has passed since the last one, and whenever the search ends.
CHECKPOINT_SECONDS = 2.0
#: What a search without a budget costs, with its choice, in whole trainings.
SEARCH = 4.0
#: Without a terminal, the progress of short steps is printed this often.
QUIET_SECONDS = 5.0


@dataclass
class Run:
    """A run, and how far it has come.

    Args:
        options: what was asked for.
        checked: the plan that they make, ready to run.
        directory: where everything is written; it exists.
        display: shows the progress.
        progress: what is done.
    """

    options: Options
    checked: CheckedPlan
    directory: Path
    display: Display
    progress: Checkpoint = field(default_factory=Checkpoint)

    def save(self) -> None:
        self.progress.save(self.directory / "checkpoint.pt")

    def save_search(self, state: Any) -> None:
        """Keeps the state that the search is in, and its history."""
        self.progress.search = state.to_dict()
        self.save()
        lines = [json.dumps(record, allow_nan=False) + "\n" for record in self.progress.history]
        write_text(self.directory / "history.jsonl", "".join(lines))


def _trainings(options: Options, checked: CheckedPlan) -> float:
    """About how many whole trainings a run costs: those of the search and its choice, then those with each loss."""
    search = 3.0 * options.rounds if options.rounds else getattr(checked.plan.strategy, "budget", SEARCH)
    return search + options.seeds * (1 + len(baselines_of(options, checked.bench.task.defaults.baselines)))


def search_and_compare(options: Options, directory: Path, resume: bool, display: Display) -> dict[str, Any]:
    """The whole run.

    Args:
        options: what is asked for.
        directory: where everything is written; it exists.
        resume: whether to continue the run in it.
        display: shows the progress.

    Returns:
        the content of ``result.json``.
    """
    this = Run(options, checked_plan(options), directory, display)
    identity = _identity(options)
    if not resume:
        confirm_length(this.checked.setting, this.checked.recipe, _trainings(options, this.checked), options.yes)
    checkpoint = Checkpoint.latest(directory / "checkpoint.pt", identity, display.say) if resume else None
    this.progress = checkpoint or Checkpoint(run=identity)
    keep_or_check(this.checked.setting.problem, directory / "data.json", resume, options.data)
    if not resume:
        write_text(directory / "config.yaml", options.to_yaml())
    display.say(_opening(this.checked))
    problem = this.checked.setting.problem
    repeats = repeated_samples(problem)
    for line in reading_lines(problem, repeats):
        display.say(line)
    if warning := _warning(this.checked):
        display.say(warning)
    state = _search(this)
    found = this.checked.search.found(state)
    _save_searched(this, found, None)
    choice = _choose(this, state)
    facts = chosen_facts(this.checked, choice, this.progress.history)
    for sentence in filter(None, (choice_sentence(facts), unmet_sentence(facts))):
        display.say(sentence)
    _save_chosen(this, found, SEARCHED if choice is None else choice.chosen)
    compared = arms(this.checked, found, baselines_of(options, this.checked.task.defaults.baselines))
    seeds = range(options.seed, options.seed + options.seeds)
    kept = KeptModel(this.checked, chosen_arm(this.checked, found, choice), options.seed, directory)
    compare_arms(this.checked, compared, seeds, InCheckpoint(this.progress, this.save), display, kept)
    kept.complete(display)
    facts |= {"repeats": repeats} if repeats else {}
    result = result_of(options, this.checked, state, [arm.name for arm in compared], facts, this.progress)
    write_text(directory / "result.json", json.dumps(result, indent=2, allow_nan=False) + "\n")
    write_report(directory)
    return result


def _identity(options: Options) -> str:
    """What tells a run's checkpoint apart from another's: a digest of the options that decide the results."""
    return hashlib.sha256(json.dumps(options.identity(), sort_keys=True).encode()).hexdigest()


def _opening(checked: CheckedPlan) -> str:
    problem = checked.setting.problem
    index = "classes" if problem.bin_edges is None else "bins"
    index += f" in {problem.num_groups} groups" if problem.num_groups else ""
    return (
        f"{problem.name}: {len(problem.train)} training, {len(problem.validation)} validation and {len(problem.test)} "
        f"test samples, {problem.num_classes} {index} of {checked.counts.max()} to {checked.counts.min()} "
        f"samples; model {checked.setting.model_name}"
    )


def _warning(checked: CheckedPlan) -> str:
    """A word about an objective that asks for no right answers; empty for others."""
    objective = checked.bench.objective
    name, text = checked.task.won_by_one_class(objective), objective.text
    if name is None:
        return ""
    advice = f'"error + {text}"'
    if isinstance(objective, Blend) and len(objective.parts) == 1:
        bound = ">=0.8" if objective.parts[0].metric.score else "<=0.1"
        advice += f' or "error subject to {text}{bound}"'
    return f"warning: a model that always predicts {name} is perfect by {text}; ask for right answers too, as {advice}"


def _search(this: Run) -> Any:
    """Runs the search from where it stands, and returns its last state."""
    search, progress, display = this.checked.search, this.progress, this.display
    device = this.checked.setting.device
    state = search.init() if progress.search is None else search.state.from_dict(progress.search, device)
    parts = search.parts
    display.phase(search.phase(state), search.length * parts, state.done * parts, quiet_for=QUIET_SECONDS * (parts > 1))
    begun = saved = time.perf_counter()
    shown = ""

    def on_step(now_at: Any, record: dict[str, Any]) -> None:
        nonlocal begun, saved, state, shown
        now = time.perf_counter()
        progress.search_seconds += now - begun
        progress.history.append(record)
        state = now_at
        if now - saved > CHECKPOINT_SECONDS:
            this.save_search(state)
            saved = time.perf_counter()
        if "objective" in record:  # the figures of held-out samples, which not every epoch takes
            objective = "not finite" if record["objective"] is None else f"{record['objective']:.3f}"
            shown = f"validation objective {objective}  {this.checked.task.progress(record)}"
        display.step(state.done * parts, shown, name=record["phase"])
        begun = time.perf_counter()

    def on_share(done: float) -> None:
        display.step(round(done * parts), "of one training, forwards and backwards")

    try:
        run(search, state, on_step, on_share if parts > 1 else None)
    finally:  # an interruption keeps every finished step, wherever it falls
        del progress.history[state.done :]
        this.save_search(state)
    if state.skipped:
        display.say(f"{state.skipped} steps were skipped because a loss or a hypergradient was not finite")
    if stopped_early(state):
        checked = this.checked
        help = as_flags(advice(checked.recipe, checked.setting.problem.train), vars(this.options))
        display.say(f"the search stopped early after several such steps in a row and keeps its last good loss; {help}")
    assert finished(search, state)
    return state


def _save_searched(this: Run, found: Found, chosen: str | None) -> None:
    """Writes everything that the search found; its loss to ``searched.json``, which says what was chosen.

    Args:
        this: the run.
        found: what the search found.
        chosen: what goes to ``loss.json``; None as long as that is not known.
    """
    searched = this.checked.found_arm(found)
    told = provenance(this.options, this.checked, searched)
    save_loss(found.loss.cpu(), this.directory / "searched.json", {**told, "chosen": chosen})
    if found.policy is not None:
        problem, seed = this.checked.setting.problem, this.options.seed
        save_augmentation_found(found.policy, problem, seed, this.directory, told)
    if searched.smoothing is not None:
        searched.smoothing.save(this.directory / "fds.json")


def _save_chosen(this: Run, found: Found, chosen: str) -> None:
    """Writes ``loss.json``, the loss to use, which says so. A searched loss that was not chosen stays beside it."""
    kept = this.directory / "searched.json"
    told = {**provenance(this.options, this.checked, this.checked.found_arm(found)), "chosen": chosen}
    if chosen == SEARCHED:
        save_loss(found.loss, this.directory / "loss.json", told)
        kept.unlink()
        return
    save_loss(found.loss, kept, told)
    arm = next(arm for arm in arms(this.checked, found, this.checked.candidates) if arm.name == chosen)
    told = {**provenance(this.options, this.checked, arm), "chosen": chosen}
    save_loss(member(arm.name, arm.loss.cpu()), this.directory / "loss.json", told)
    if arm.smoothing is not None:
        arm.smoothing.save(this.directory / "fds.json")


def _choose(this: Run, state: Any) -> Choice | None:
    """The choice among the searched loss and the candidates; None where none is asked for."""
    checked, progress, display = this.checked, this.progress, this.display
    if not checked.plan.confidence:
        return None
    epochs, number = checked.recipe.epochs, len(arms(checked, checked.search.found(state), checked.candidates))
    if checked.search.choice(state) is None:
        done = len(progress.held_out)
        display.phase("choice", number * len(checked.splits) * epochs, done * epochs, QUIET_SECONDS)
    begun = time.perf_counter()

    def spent() -> None:
        nonlocal begun
        progress.choice_seconds += time.perf_counter() - begun
        begun = time.perf_counter()

    def on_training(what: str, done: int, epoch: int, loss: float) -> None:
        display.step(done * epochs + epoch, f"{what}  training loss {loss:.3f}")

    def on_trained() -> None:
        spent()
        this.save()

    choice = select(checked, state, progress.held_out, progress.diverged, on_training, on_trained)
    assert choice is not None
    if not progress.trainings:  # a resumed run repeats a comparison whose time was counted before
        spent()
    return choice
