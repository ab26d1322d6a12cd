"""The grid of work: tune each method, then train and test it with each seed. Any number of workers go through it."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import TrialState

from autobalance.cli._setting import open_setting, recipe_of
from autobalance.data import stratified_folds
from autobalance.tasks import task_of
from autobalance.training import Recipe, Setting
from experiments.json_files import read_json, write_json
from experiments.judge import train_and_judge
from experiments.methods import Job, Method, parse_methods
from experiments.options import CompareOptions
from experiments.tuning import number_of_trials, trial_cost, tune, without_test
from experiments.work_queue import WorkQueue
from experiments.yardsticks import YARDSTICKS, Yardstick, yardstick_name

#: Seconds between looks at the queue where others have taken all that is left.
POLL = 0.3

#: Called with a line about what is being done, often.
Show = Callable[[str], None]


@dataclass(frozen=True)
class Grid:
    """All pieces of work of a comparison, and what doing one of them needs.

    Args:
        options: what was asked for.
        methods: the rows.
        task: data and model.
        recipe: of every training, unless it is tuned.
        storage: of trials and queue.
        queue: who does what.
        directory: where finished runs are written, one file each.
    """

    options: CompareOptions
    methods: list[Method]
    task: Setting
    recipe: Recipe
    storage: BaseStorage
    queue: WorkQueue
    directory: Path

    @property
    def yardstick(self) -> Yardstick:
        return YARDSTICKS[yardstick_name(self.task.problem)]()

    @property
    def shots(self) -> tuple[int, int]:
        return self.options.many, self.options.few

    def trials(self, method: Method) -> int:
        options = self.options
        return number_of_trials(method, options.tune, options.tune_recipe, options.tune_folds)

    def cost(self, method: Method) -> int:
        """Trainings of a trial."""
        return trial_cost(method, self.options.tune_folds)

    @property
    def seeds(self) -> list[int]:
        return [(self.options.seed + number) % 2**32 for number in range(self.options.seeds)]

    def pieces(self) -> list[str]:
        """``tune/METHOD`` of each that is tuned, then ``run/METHOD/SEED``."""
        tunings = [f"tune/{method.name}" for method in self.methods if self.trials(method)]
        return tunings + [f"run/{method.name}/{seed}" for seed in self.seeds for method in self.methods]

    def trainings(self) -> int:
        """How many trainings there are in all, those of the trials included."""
        return sum(self.trials(method) * self.cost(method) + len(self.seeds) for method in self.methods)

    def trainings_done(self, done: dict[str, Any]) -> int:
        """How many of them are finished, given the results of the finished pieces."""
        tuning = sum(
            self.cost(method) * (self.trials(method) if f"tune/{method.name}" in done else self._trials_done(method))
            for method in self.methods
            if self.trials(method)
        )
        return tuning + sum(piece.startswith("run/") for piece in done)

    def _trials_done(self, method: Method) -> int:
        try:
            study = optuna.load_study(study_name=self.study(method), storage=self.storage)
        except KeyError:
            return 0
        return len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)))

    def study(self, method: Method) -> str:
        return f"{grid_name(self.options)}/{method.name}"

    def work(self, show: Show) -> dict[str, Any]:
        """Does pieces until all are done, by this worker or others.

        Returns:
            the result of every piece.
        """
        pieces = self.pieces()
        self.queue.add(pieces)
        while True:
            done = self.queue.results()
            if len(missing := [piece for piece in pieces if piece not in done]) == 0:
                return done
            claimed = self.queue.claim([piece for piece in missing if self._is_ready(piece, done)])
            if claimed is None:
                _stop_without_parent()
                time.sleep(POLL)
                continue
            piece, number = claimed

            def alive(text: str, number: int = number) -> None:
                _stop_without_parent()
                self.queue.beat(number)
                show(text)

            try:
                result = self.do(piece, done, alive)
            except BaseException:
                self.queue.release(number)
                raise
            self.queue.finish(number, result)

    def _is_ready(self, piece: str, done: dict[str, Any]) -> bool:
        kind, name, *_ = piece.split("/")
        return kind == "tune" or f"tune/{name}" in done or not self.trials(self._method(name))

    def _method(self, name: str) -> Method:
        return next(method for method in self.methods if method.name == name)

    def do(self, piece: str, done: dict[str, Any], show: Show) -> dict[str, Any]:
        """The result of a piece: from its file where it was finished before, else by doing it."""
        path = self.path(piece)
        kept = read_json(path)
        if kept is not None:
            return kept
        kind, name, *seed = piece.split("/")
        method = self._method(name)
        if kind == "tune":
            result = self._tune(method, show)
        else:
            result = self._run(method, int(seed[0]), done.get(f"tune/{name}"), show)
        write_json(path, result)
        return result

    def path(self, piece: str) -> Path:
        """``tuned/METHOD.json`` or ``runs/METHOD-SEED.json``."""
        kind, name, *seed = piece.split("/")
        return self.directory / ("tuned" if kind == "tune" else "runs") / ("-".join([name, *seed]) + ".json")

    def _tune(self, method: Method, show: Show) -> dict[str, Any]:
        return tune(
            method,
            without_test(self.task),
            self.recipe,
            trials=self.trials(method),
            tune_recipe=self.options.tune_recipe,
            folds=self.options.tune_folds,
            seed=self.options.seed,
            storage=self.storage,
            name=self.study(method),
            yardstick=self.yardstick,
            shots=self.shots,
            on_trial=lambda trials, epoch, text: show(f"{text}, epoch {epoch}/{self.recipe.epochs}"),
        )

    def _run(self, method: Method, seed: int, tuned: dict[str, Any] | None, show: Show) -> dict[str, Any]:
        problem = self.task.problem
        hyper = method.defaults if tuned is None else tuned["hyper"]
        recipe = self.recipe if tuned is None else replace(self.recipe, **tuned["recipe"])

        def on_epoch(epoch: int, loss: float) -> None:
            show(f"{method.name}, seed {seed}, epoch {epoch}/{recipe.epochs}")

        job = Job(self.task, problem.final_training, recipe, seed, hyper, on_epoch)
        outcome = train_and_judge(method, [(job, problem.test)], self.yardstick, self.shots)
        return {"method": method.name, "seed": seed, **outcome.to_dict()}


def open_grid(options: CompareOptions, directory: Path, storage: BaseStorage) -> Grid:
    """Loads the data and checks every method against them, before anything takes time.

    Raises:
        InputError: what is wrong and what helps.
    """
    task = open_setting(options)
    methods = parse_methods(options, task.problem.num_groups > 0)
    for method in methods:
        method.check(task)
    if options.tune_folds > 1:
        stratified_folds(task.problem, options.tune_folds, options.seed)
    queue = WorkQueue(storage, f"{grid_name(options)}/queue")
    recipe = recipe_of(options, task_of(task.problem).defaults.lr)
    return Grid(options, methods, task, recipe, storage, queue, directory)


def grid_name(options: CompareOptions) -> str:
    """The same for the same options, wherever the results are kept; the loss file's content counts, not its name."""
    identity = options.identity()
    if options.searched is not None:
        identity["searched"] = Path(options.searched).read_text(encoding="utf-8")
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    return f"autobalance-compare-{digest[:16]}"


def _stop_without_parent() -> None:
    """Ends a worker whose command was killed."""
    parent = multiprocessing.parent_process()
    if parent is not None and not parent.is_alive():
        raise KeyboardInterrupt
