"""The fixed losses as they were published, and tuned; and general-purpose optimisers on the search's own parameters."""

from __future__ import annotations

import math
import warnings
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import optuna
import torch
from optuna.samplers import BaseSampler, CmaEsSampler, TPESampler
from torch import Tensor, nn

from autobalance.bilevel import LossSpace
from autobalance.losses import Loss
from autobalance.losses.named import Range, fixed_points, named_loss
from autobalance.tasks import outputs
from autobalance.training import Recipe
from experiments.suite._case import Case, Choice

#: What is tuned with the small budget: the losses that are used most.
COMMON = ("cb", "la", "cdt", "vs", "ldam-drw", "group-la", "group-vs", "group-dro", "lds", "focal-r", "balanced-mse")
#: Losses of which the best on the validation samples is the row ``best-of-six``: as many trainings as a tuned loss has.
SIX = ("ce", "weighted", "la", "cdt", "vs", "ldam-drw")
SIX_REGRESSION = ("l1", "sqinv", "inv", "lds", "focal-r", "balanced-mse")
SIX_GROUPS = ("ce", "ldam-drw", "group-weighted", "group-la", "group-vs", "group-dro")
#: The loss that a search starts from where there are no groups, by kind of task, if it is not la.
START = {"regression": "sqinv"}
#: How far TPE and CMA-ES move the search's raw numbers, of log w, l and log Δ along log n, either way: the exponent of
#: the weights by up to 0.75, the τ of logit adjustment by 1, the γ of CDT by 0.3. In the middle is the search's start.
RAW_BOX = {"w": 3.0, "l": 1.0, "delta": 3.0}
#: How far they move the recipe's rates, as factors either way: about as far as `TRUST` lets rounds.
RATE_BOX = {"lr": 2.0, "weight_decay": 10.0}
#: The first trial is the published value, two are drawn at random, then TPE follows a model.
TPE_STARTS = 3
#: The smallest population with which CMA-ES adapts anything: a generation, and the first of the next.
CMA_POPULATION = 4


def untuned(case: Case) -> list[Choice]:
    """Every fixed loss with the papers' hyper-parameters. Costs nothing."""
    return [
        Choice(name, partial(case.goal.fixed_loss, name), named_loss(name).head)
        for name in names_for(case)
        if name != "balanced-softmax"  # la with its default τ = 1
    ]


def names_for(case: Case) -> list[str]:
    """The fixed losses for the case; where there are groups, those without groups and those for them."""
    return [*fixed_points(case.kind), *(fixed_points("groups") if case.problem.num_groups else ())]


@dataclass
class Candidate:
    """What is tuned: a loss with hyper-parameters in ranges.

    Args:
        method: the row's name.
        make_loss: (counts, **hyper) -> the loss.
        ranges: of the hyper-parameters.
        first: what the first trial has.
        make_sampler: seed -> what proposes the others.
        head: of the model.
        make_recipe: (**hyper) -> the recipe; None: the case's.
        score: (case, model) -> what its trials are compared by, lower is better; None: `validation_score`.
    """

    method: str
    make_loss: Callable[..., Loss]
    ranges: Mapping[str, Range]
    first: Mapping[str, float]
    make_sampler: Callable[[int], BaseSampler]
    head: str = "linear"
    make_recipe: Callable[..., Recipe] | None = None
    score: Callable[[Case, nn.Module], float] | None = None

    def choice(self, hyper: Mapping[str, float], cost: float = 0.0, **about: Any) -> Choice:
        return Choice(
            self.method,
            lambda counts: self.make_loss(counts, **hyper),
            self.head,
            None if self.make_recipe is None else self.make_recipe(**hyper),
            cost,
            about={"hyper": dict(hyper), **about},
        )


def candidates(case: Case, names: list[str] | None) -> list[Candidate]:
    """The fixed losses that have something to tune, among ``names`` where they are given, and TPE and CMA-ES."""
    found = []
    for name in names_for(case):
        loss = named_loss(name)
        if not loss.ranges or (names is not None and name not in names):
            continue
        first = {key: loss.hyper_parameters[key] for key in loss.ranges}
        wide = {key: given.around(first[key]) for key, given in loss.ranges.items()}
        found.append(Candidate(f"{name}, tuned", partial(case.goal.fixed_loss, name), wide, first, _tpe, loss.head))
    free = ["w"] if case.kind == "regression" else ["w", "l", "delta"]
    return [*found, _on_raw(case, "TPE", _tpe, free), _on_raw(case, "CMA-ES", _cma_es, free)]


def rivals(case: Case, free: Sequence[str]) -> list[Candidate]:
    """TPE on what a search may change, comparing its trials by the figure and by the objective that the search follows.

    Args:
        case: what may be looked at.
        free: what the search has free, of the loss and of the recipe.
    """
    by_objective = _on_raw(case, "TPE, same parameters, by objective", _tpe, free)
    return [_on_raw(case, "TPE, same parameters", _tpe, free), replace(by_objective, score=objective_score)]


def _on_raw(case: Case, method: str, make_sampler: Callable[[int], BaseSampler], free: Sequence[str]) -> Candidate:
    """A candidate of the numbers that a search with these free parameters moves, from where it starts."""
    start = START.get(case.kind, "la") if not case.problem.num_groups else "group-la"
    rates = [name for name in free if name in RATE_BOX]
    counts, of_loss = case.goal.counts(case.problem.train), [name for name in free if name not in RATE_BOX]
    sizes = {name: value.shape for name, value in _space(case, start, of_loss, counts).init().items()}
    names = {name: [f"{name}{i}" for i in range(shape.numel())] for name, shape in sizes.items()}
    ranges = {key: Range(-RAW_BOX[name], RAW_BOX[name]) for name, keys in names.items() for key in keys}
    ranges |= {name: Range(-math.log(RATE_BOX[name]), math.log(RATE_BOX[name])) for name in rates}
    first = dict.fromkeys(ranges, 0.0)

    def make_loss(counts: Tensor, **hyper: float) -> Loss:
        raw = {name: torch.tensor([hyper[key] for key in keys]).reshape(sizes[name]) for name, keys in names.items()}
        return _space(case, start, of_loss, counts).loss(raw)

    def make_recipe(**hyper: float) -> Recipe:
        return replace(case.recipe, **{name: getattr(case.recipe, name) * math.exp(hyper[name]) for name in rates})

    return Candidate(method, make_loss, ranges, first, make_sampler, make_recipe=make_recipe if rates else None)


def _space(case: Case, start: str, free: Sequence[str], counts: Tensor) -> LossSpace:
    return LossSpace(case.goal.fixed_loss(start, counts), counts, free)


def tuned(case: Case, names: list[str] | None, budget: int) -> list[Choice]:
    """Each fixed loss with the best hyper-parameters of ``budget`` trials, and the best of six losses untuned.

    Args:
        case: what may be looked at.
        names: the fixed losses to tune; None: all.
        budget: trials, each the training of one model on the training samples.
    """
    six = SIX_REGRESSION if case.kind == "regression" else SIX_GROUPS if case.problem.num_groups else SIX
    of_six = [Choice(name, partial(case.goal.fixed_loss, name), named_loss(name).head) for name in six]
    scores = [validation_score(case, model) for model in case.train(of_six, case.problem.train)]
    best = min(range(len(six)), key=scores.__getitem__)
    about = {"chosen": six[best], "trials": dict(zip(six, scores, strict=True))}
    chosen = Choice("best-of-six", of_six[best].loss, of_six[best].head, cost=len(six), about=about)
    return [*best_of_trials(case, candidates(case, names), budget), chosen]


def best_of_trials(case: Case, every: Sequence[Candidate], budget: int) -> list[Choice]:
    """Each candidate's best of ``budget`` trials, by the validation samples. A trial trains one model."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    studies = [optuna.create_study(sampler=c.make_sampler(_seed(case, c.method))) for c in every]
    records: list[list[dict[str, Any]]] = [[] for _ in every]
    for c, study in zip(every, studies, strict=True):
        study.enqueue_trial({k: v for key in c.ranges for k, v in c.ranges[key].as_trial(key, c.first[key]).items()})
    for number in range(budget):
        trials = [study.ask() for study in studies]
        hypers: list[dict[str, float]] = []
        for c, trial in zip(every, trials, strict=True):
            proposed = {key: given.suggest(trial, key) for key, given in c.ranges.items()}
            hypers.append(dict(c.first) if number == 0 else proposed)  # exactly, not as 1 - (1 - beta)
        models = case.train([c.choice(hyper) for c, hyper in zip(every, hypers, strict=True)], case.problem.train)
        for c, study, trial, hyper, model, record in zip(every, studies, trials, hypers, models, records, strict=True):
            score = (c.score or validation_score)(case, model)
            study.tell(trial, score)
            record.append({"hyper": hyper, "score": score})
    found = []
    for c, record in zip(every, records, strict=True):
        best_trial = min(record, key=lambda trial: trial["score"])
        found.append(c.choice(best_trial["hyper"], cost=budget, trials=record))
    return found


def objective_score(case: Case, model: nn.Module) -> float:
    """The objective that a search follows by default, on the validation samples; 1e6 where it is not finite."""
    samples, objective = case.problem.validation, case.goal.objective(case.goal.defaults.objective)
    value = float(objective(outputs(model, samples), samples.without_inputs()))
    return value if math.isfinite(value) else 1e6


def validation_score(case: Case, model: nn.Module) -> float:
    """The figure on the validation samples; for classes, the balanced cross-entropy decides between equal errors."""
    tested = case.judge(model, case.problem.validation)
    if case.kind == "regression":
        return case.figure(tested)
    ce = tested["balanced_ce"]
    return case.figure(tested) + 1e-4 * (ce / (1 + ce))


def _tpe(seed: int) -> BaseSampler:
    return TPESampler(seed=seed, n_startup_trials=TPE_STARTS)


def _cma_es(seed: int) -> BaseSampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return CmaEsSampler(seed=seed, popsize=CMA_POPULATION, n_startup_trials=0)


def _seed(case: Case, method: str) -> int:
    return zlib.crc32(f"{case.name} {case.seed} {method}".encode())
