"""The cells of the ablation: a learning rate chosen for each kind of method and seed, then each method with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from autobalance.cli import OpenConditions, ProblemOptions
from autobalance.study import Cell, Conditions, Desk, Hyper, Listed, Result, Trial, best, tune
from experiments.regression._methods import method_of
from experiments.regression._plan import Parts, Plan


def run_key(name: str, seed: int) -> str:
    """Of the cell of a method and a seed; the name may have any signs."""
    return f"runs/{name.replace('/', '-')}-{seed}"


def cells_of(plan: Plan, options: ProblemOptions, objective: str, rates: tuple[float, ...]) -> list[Cell]:
    """A cell for each method and seed, behind one that chooses the learning rate of its kind where there is a choice.

    Args:
        plan: the methods.
        options: of the problem; seeds S, S + 1, ... each draw their own split, weights and order.
        objective: what searched weights make small, and what the rate is chosen by.
        rates: to choose from; none: the options' own.
    """
    found: dict[str, Cell] = {}
    identity = {name: value for name, value in options.identity().items() if name not in ("plan", "seeds")}
    for seed in range(options.seed, options.seed + options.seeds):
        its = replace(options, seed=seed)
        choices: dict[Parts, str] = {}
        for name, parts in plan.methods.items():
            needs: tuple[str, ...] = ()
            if rates:
                kind = parts.kind
                key = choices.setdefault(kind, run_key(name, seed).replace("runs/", "rates/"))
                decides = {"all": identity, "kind": vars(kind), "seed": seed}
                found.setdefault(key, Cell(key, ChooseRate(its, kind, objective, rates), decides, weight=len(rates)))
                needs = (key,)
            decides = {"all": identity, "method": vars(parts), "seed": seed}
            key = run_key(name, seed)
            found[key] = Cell(key, TestParts(its, name, parts, objective), decides, needs)
    return list(found.values())


@dataclass(frozen=True)
class ChooseRate:
    """Chooses the learning rate on the validation samples, after trainings on the training samples."""

    options: ProblemOptions
    kind: Parts
    objective: str
    rates: tuple[float, ...]

    def __call__(self, desk: Desk) -> Result:
        conditions = OpenConditions(self.options)()
        setting, seed = conditions.setting.without_test(), self.options.seed
        problem, method = setting.problem, method_of("kind", self.kind, self.objective)

        def attempt(number: int, asked: Sequence[Hyper]) -> list[Trial]:
            under = Conditions(setting, replace(conditions.recipe, **asked[0]), conditions.shots)
            ready, _ = method.prepared(setting, under.recipe, seed)
            figures = under.train_and_judge(ready, [(problem.train, problem.validation)], seed)
            return [{"score": None if figures["diverged"] else figures[self.objective]}]

        (trials,) = tune([Listed([{"lr": rate} for rate in self.rates])], len(self.rates), attempt, desk)
        known = {f"{trial['values']['lr']:g}": trial["score"] for trial in trials if trial["score"] is not None}
        return {"lr": best(trials)["values"]["lr"], "validation": known}


@dataclass(frozen=True)
class TestParts:
    """Trains a method in parts on all that is not for the test, and tests it once."""

    __test__ = False  # no test of pytest's

    options: ProblemOptions
    name: str
    parts: Parts
    objective: str

    def __call__(self, desk: Desk) -> Result:
        conditions, seed = OpenConditions(self.options)(), self.options.seed
        desk.tell(0, f"{self.name}, seed {seed}")
        own: Result = {"lr": conditions.recipe.lr, "validation": {}}
        chosen = next(iter(desk.inputs.values()), own)
        conditions = replace(conditions, recipe=replace(conditions.recipe, lr=chosen["lr"]))
        method = method_of(self.name, self.parts, self.objective)
        ready, _ = method.prepared(conditions.setting, conditions.recipe, seed)
        problem = conditions.setting.problem
        tested = conditions.train_and_judge(ready, [(problem.final_training, problem.test)], seed)
        return {**tested, **chosen}
