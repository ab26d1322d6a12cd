"""The fixed losses as they were published, and tuned; and general-purpose optimisers on the search's own parameters."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from autobalance.bilevel import LossSpace
from autobalance.losses import Loss
from autobalance.losses.named import Range, named_loss, named_losses
from autobalance.study import (
    Desk,
    Hyper,
    Method,
    Sampled,
    Training,
    Trial,
    best,
    cma_es,
    named_method,
    tpe,
    tune,
)
from autobalance.training import Recipe
from experiments.suite._case import Case, Choice

#: What is tuned with the small budget: the losses that are used most.
COMMON = ("cb", "la", "cdt", "vs", "ldam-drw", "group-la", "group-vs", "group-dro", "lds", "focal-r", "balanced-mse")
#: Losses of which the best on the validation samples is the row ``best-of-six``: as many trainings as a tuned loss has.
SIX = ("ce", "weighted", "la", "cdt", "vs", "ldam-drw")
SIX_REGRESSION = ("l1", "sqinv", "inv", "lds", "focal-r", "balanced-mse")
SIX_GROUPS = ("ce", "ldam-drw", "group-weighted", "group-la", "group-vs", "group-dro")
#: How far TPE and CMA-ES move the search's raw numbers, of log w, l and log Δ along log n, either way: the exponent of
#: the weights by up to 0.75, the τ of logit adjustment by 1, the γ of CDT by 0.3. In the middle is the search's start.
RAW_BOX = {"w": 3.0, "l": 1.0, "delta": 3.0}
#: How far they move the recipe's rates, as factors either way: about as far as a search in whole trainings does.
RATE_BOX = {"lr": 2.0, "weight_decay": 10.0}
#: The first trial is the published value, two are drawn at random, then TPE follows a model.
TPE_STARTS = 3
#: The smallest population with which CMA-ES adapts anything: a generation, and the first of the next.
CMA_POPULATION = 4


def untuned(case: Case) -> list[Choice]:
    """Every fixed loss with the papers' hyper-parameters. Costs nothing."""
    names = [name for name in names_for(case) if name != "balanced-softmax"]  # la with its default τ = 1
    return [Choice(named_method(name, case.kind)) for name in names]


def names_for(case: Case) -> list[str]:
    """The fixed losses for the case; where there are groups, those without groups and those for them."""
    names = list(named_losses("bins" if case.kind == "regression" else "classes"))
    return [*names, *(named_losses("cells") if case.problem.num_groups else ())]


@dataclass(frozen=True)
class Candidate:
    """What is tuned.

    Args:
        method: with the values of the first trial.
        sampler: ``tpe`` or ``cma-es``: what proposes the others.
        score: (case, model) -> what its trials are compared by, lower is better.
    """

    method: Method
    sampler: str = "tpe"
    score: Callable[[Case, nn.Module | None], float] = Case.validation_score

    def proposals(self, case: Case) -> Sampled:
        seed = zlib.crc32(f"{case.name} {case.seed} {self.method.name}".encode())
        sampler = tpe(seed, TPE_STARTS) if self.sampler == "tpe" else cma_es(seed, CMA_POPULATION)
        return Sampled(self.method.ranges, self.method.hyper, sampler)


def candidates(case: Case, names: Sequence[str] | None) -> list[Candidate]:
    """The fixed losses that have something to tune, among ``names`` where they are given, and TPE and CMA-ES."""
    found = []
    for name in names_for(case):
        if (loss := named_loss(name)).ranges and (names is None or name in names):
            published = {key: loss.hyper_parameters[key] for key in loss.ranges}
            found.append(Candidate(replace(named_method(name, case.kind).at(published), name=f"{name}, tuned")))
    free = ["w"] if case.kind == "regression" else ["w", "l", "delta"]
    return [*found, Candidate(on_raw(case, "TPE", free)), Candidate(on_raw(case, "CMA-ES", free), "cma-es")]


def rivals(case: Case, free: Sequence[str]) -> list[Candidate]:
    """TPE on what a search may change, comparing its trials by the figure and by the objective that the search follows.

    Args:
        case: what may be looked at.
        free: what the search has free, of the loss and of the recipe.
    """
    by_objective = on_raw(case, "TPE, same parameters, by objective", free)
    return [
        Candidate(on_raw(case, "TPE, same parameters", free)),
        Candidate(by_objective, score=Case.objective_score),
    ]


@dataclass(frozen=True)
class RawLoss:
    """The loss of the numbers that a search moves, around the fixed loss that it starts from.

    Args:
        start: the fixed loss.
        free: what is free of the loss.
        places: by parameter the names of its numbers among the hyper-parameters.
    """

    start: str
    free: tuple[str, ...]
    places: dict[str, list[str]]

    def space(self, training: Training) -> LossSpace:
        counts = training.counts
        equal = bool((counts == counts.flatten()[0]).all())  # then nothing follows their frequency
        return LossSpace(
            training.task.fixed_loss(self.start, counts), counts, self.free, "class" if equal else "frequency"
        )

    def __call__(self, training: Training) -> Loss:
        space = self.space(training)
        shapes = {name: value.shape for name, value in space.init().items()}
        raw: dict[str, Tensor] = {
            name: torch.tensor([training.hyper[key] for key in keys]).reshape(shapes[name])
            for name, keys in self.places.items()
        }
        return space.loss(raw)


@dataclass(frozen=True)
class RawRates:
    """A recipe whose rates are multiplied by the exponentials of hyper-parameters."""

    rates: tuple[str, ...]

    def __call__(self, recipe: Recipe, hyper: Hyper) -> Recipe:
        return replace(recipe, **{name: getattr(recipe, name) * math.exp(hyper[name]) for name in self.rates})


def on_raw(case: Case, name: str, free: Sequence[str]) -> Method:
    """The method of the numbers that a search with these free parameters moves, from where it starts."""
    start, setting = case.conditions.task.defaults.start, case.conditions.setting
    rates = tuple(each for each in free if each in RATE_BOX)
    of_loss = tuple(each for each in free if each not in RATE_BOX)
    empty = Method(name, RawLoss(start, of_loss, {})).training(setting, case.problem.train, 0, case.conditions.recipe)
    sizes = {key: value.numel() for key, value in RawLoss(start, of_loss, {}).space(empty).init().items()}
    places = {key: [f"{key}{i}" for i in range(size)] for key, size in sizes.items()}
    ranges = {place: Range(-RAW_BOX[key], RAW_BOX[key]) for key, its in places.items() for place in its}
    ranges |= {each: Range(-math.log(RATE_BOX[each]), math.log(RATE_BOX[each])) for each in rates}
    return Method(
        name,
        RawLoss(start, of_loss, places),
        hyper=dict.fromkeys(ranges, 0.0),
        ranges=ranges,
        recipe=RawRates(rates),
    )


def tuned(case: Case, names: Sequence[str] | None, budget: int, desk: Desk) -> list[Choice]:
    """Each fixed loss with the best hyper-parameters of ``budget`` trials, and the best of six losses untuned.

    Args:
        case: what may be looked at.
        names: the fixed losses to tune; None: all.
        budget: trials, each the training of one model on the training samples.
        desk: keeps the trials.
    """
    six = SIX_REGRESSION if case.kind == "regression" else SIX_GROUPS if case.problem.num_groups else SIX
    of_six = [named_method(name, case.kind) for name in six]
    scores = [case.validation_score(model) for model in case.train(of_six, case.problem.train)]
    chosen = min(range(len(six)), key=scores.__getitem__)
    about = {"chosen": six[chosen], "trials": dict(zip(six, scores, strict=True))}
    row = Choice(replace(of_six[chosen], name="best-of-six"), len(six), about)
    return [*best_of_trials(case, candidates(case, names), budget, desk), row]


def best_of_trials(case: Case, every: Sequence[Candidate], budget: int, desk: Desk) -> list[Choice]:
    """Each candidate's best of ``budget`` trials, by the validation samples. A trial trains one model."""

    def attempt(number: int, asked: Sequence[Hyper]) -> list[Trial]:
        methods = [candidate.method.at(hyper) for candidate, hyper in zip(every, asked, strict=True)]
        models = case.train(methods, case.problem.train)
        return [{"score": candidate.score(case, model)} for candidate, model in zip(every, models, strict=True)]

    found = []
    proposals = [candidate.proposals(case) for candidate in every]
    for candidate, trials in zip(every, tune(proposals, budget, attempt, desk), strict=True):
        values = best(trials)["values"]
        record: list[dict[str, Any]] = [{"hyper": trial["values"], "score": trial["score"]} for trial in trials]
        found.append(Choice(candidate.method.at(values), budget, {"hyper": values, "trials": record}))
    return found
