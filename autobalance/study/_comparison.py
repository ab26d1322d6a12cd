"""Methods under one protocol: tune each with one budget, then train and test it with several seeds."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from autobalance.data import stratified_folds
from autobalance.losses.named import Range
from autobalance.study._cell import Cell, Desk, Result
from autobalance.study._judge import Conditions
from autobalance.study._method import Method
from autobalance.study._proposals import Sampled, seeded_tpe
from autobalance.study._training import Hyper
from autobalance.study._tuning import Trial, best, tune

#: What is tuned of the recipe.
RECIPE = {"lr": Range(0.01, 0.3, "log"), "weight_decay": Range(1e-5, 2e-2, "log")}
#: Trials before TPE follows a model.
STARTS = 5

#: Opens what all methods share; a frozen record can be sent to other processes.
Open = Callable[[], Conditions]


@dataclass(frozen=True)
class Budget:
    """What each method may spend on tuning.

    Args:
        trainings: for all trials of a method; 0: nothing is tuned.
        folds: a trial trains once for each; 1: it trains once, and the validation samples judge it.
        recipe: whether learning rate and weight decay are tuned too.
        seed: of the trainings, of what is tried and of the folds.
    """

    trainings: int = 0
    folds: int = 1
    recipe: bool = False
    seed: int = 0

    def ranges(self, method: Method) -> dict[str, Range]:
        """What is tuned of a method: of the recipe what it does not decide for itself."""
        of_recipe = {name: its for name, its in RECIPE.items() if name not in method.own} if self.recipe else {}
        return {**method.ranges, **of_recipe}

    def cost(self, method: Method) -> int:
        """Of a trial, in trainings. A search has a use of its own for the validation samples, and no folds."""
        return self.folds if method.prepare is None else method.cost + 1

    def trials(self, method: Method) -> int:
        """How many a method gets. A search is a trial, so it has one at least, and one where nothing is tuned."""
        if not (self.trainings and self.ranges(method)):
            return 0 if method.prepare is None else 1
        return max(1, self.trainings // self.cost(method))


@dataclass(frozen=True)
class Comparison:
    """The cells of a comparison.

    Args:
        open: the problem, the models and the recipe.
        methods: the rows.
        seeds: of the tested trainings.
        budget: of tuning.
        decides: plain JSON values: all that decides the results beside the methods' names.
    """

    open: Open
    methods: Sequence[Method]
    seeds: Sequence[int]
    budget: Budget
    decides: Any

    def tune_key(self, method: Method) -> str:
        return f"tuned/{method.name}"

    def run_key(self, method: Method, seed: int) -> str:
        return f"runs/{method.name}-{seed}"

    def cells(self) -> list[Cell]:
        """A cell for the tuning of each method that is tuned, then one for each seed and method."""
        budget, decides = self.budget, {"all": self.decides}
        tuned = [method for method in self.methods if budget.trials(method)]
        tunings = [
            Cell(
                self.tune_key(method),
                TuneMethod(self.open, method, budget),
                {**decides, "tune": method.name},
                weight=budget.trials(method) * budget.cost(method),
            )
            for method in tuned
        ]
        runs = [
            Cell(
                self.run_key(method, seed),
                TestMethod(self.open, method, seed),
                {**decides, "run": method.name, "seed": seed},
                needs=(self.tune_key(method),) if method in tuned else (),
            )
            for seed in self.seeds
            for method in self.methods
        ]
        return [*tunings, *runs]


@dataclass(frozen=True)
class TuneMethod:
    """Chooses a method's hyper-parameters on validation samples or folds; test samples are not there."""

    open: Open
    method: Method
    budget: Budget

    def __call__(self, desk: Desk) -> Result:
        conditions, method, budget = self.open(), self.method, self.budget
        conditions = replace(conditions, setting=conditions.setting.without_test())
        recipe, trials, cost = conditions.recipe, budget.trials(method), budget.cost(method)
        first = {**method.hyper, "lr": recipe.lr, "weight_decay": recipe.weight_decay}
        proposals = Sampled(budget.ranges(method), first, seeded_tpe(method.name, budget.seed, STARTS))
        parts = self._parts(conditions)

        def attempt(number: int, asked: Sequence[Hyper]) -> Sequence[Trial]:
            text = f"{method.name}, trial {number + 1} of {trials}"
            desk.tell(number * cost, text)
            begun = time.perf_counter()
            rates = {name: value for name, value in asked[0].items() if name in RECIPE and budget.recipe}
            hyper = {**method.hyper, **{name: value for name, value in asked[0].items() if name not in rates}}
            under = replace(conditions, recipe=replace(recipe, **rates))
            ready, found = method.at(hyper).prepared(under.setting, under.recipe, budget.seed)

            def show(epoch: int, loss: float) -> None:
                desk.tell(number * cost, f"{text}, epoch {epoch}/{recipe.epochs}")

            figures = under.train_and_judge(ready, parts, budget.seed, show)
            shown = {f"validation_{name}": figures[name] for name in (conditions.task.main, conditions.task.tie)}
            trial = {"hyper": hyper, "recipe": rates, **shown, "diverged": figures["diverged"]}
            seconds = time.perf_counter() - begun
            return [{"score": conditions.score(figures), "found": found, "record": {**trial, "seconds": seconds}}]

        (tried,) = tune([proposals], trials, attempt, desk)
        chosen, records = best(tried), [trial["record"] for trial in tried]
        return {
            **{name: chosen["record"][name] for name in ("hyper", "recipe")},
            "found": chosen["found"],
            "seconds": sum(record["seconds"] for record in records),
            "trials": records,
            "tuned": list(budget.ranges(method)),
            "trainings": trials * cost,
            "recipe_of_first_trial": asdict(recipe),
        }

    def _parts(self, conditions: Conditions) -> list[Any]:
        """What a trial trains on, and what judges it."""
        problem, folds = conditions.setting.problem, self.budget.folds
        if folds == 1 or self.method.prepare is not None:
            return [(problem.train, problem.validation)]
        pool = conditions.setting.pool
        return [
            (pool.subset(rest), pool.subset(held)) for rest, held in stratified_folds(problem, folds, self.budget.seed)
        ]


@dataclass(frozen=True)
class TestMethod:
    """Trains a method on all that is not for the test, with what tuning chose, and tests it once."""

    __test__ = False  # no test of pytest's

    open: Open
    method: Method
    seed: int

    def __call__(self, desk: Desk) -> Result:
        conditions, method = self.open(), self.method
        for tuned in desk.inputs.values():
            conditions = replace(conditions, recipe=replace(conditions.recipe, **tuned["recipe"]))
            method = method.at(tuned["hyper"])
            method = method if tuned["found"] is None else method.found(tuned["found"])
        problem, epochs = conditions.setting.problem, conditions.recipe.epochs

        def show(epoch: int, loss: float) -> None:
            desk.tell(epoch / epochs, f"{method.name}, seed {self.seed}, epoch {epoch}/{epochs}")

        parts = [(problem.final_training, problem.test)]
        return {
            "method": method.name,
            "seed": self.seed,
            **conditions.train_and_judge(method, parts, self.seed, show),
        }
