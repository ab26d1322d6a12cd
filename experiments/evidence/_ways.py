"""The ways that are compared on a case: each hands out a model's outputs for the samples that judge."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from autobalance.bilevel import SEARCHED, Auto, SearchPlan, check, chosen_arm, find_offsets, run, select
from autobalance.data import Samples, stratified_folds
from autobalance.study import Desk, Method, named_method
from autobalance.tasks import outputs
from autobalance.tasks.objectives import Objective
from experiments.kinds import Kind
from experiments.suite._case import Case
from experiments.suite._fixed import Candidate, best_of_trials, on_raw
from experiments.suite._search import PUBLISHED, named_search

#: The search's budget, its choice included, and the trials of general-purpose optimisers: as many trainings.
BUDGET = 4
#: On which the offsets of a finished model are found.
FOLDS = 5
#: The share of mistakes that the control puts right.
IMPROVED = 1 / 7
#: Added to the seed of the control that must come out the same.
AGAIN = 1000


@dataclass(frozen=True)
class Way:
    """What a way hands out, and what that took.

    Args:
        output: for the samples that judge.
        seconds: of the decision, the final training not included.
        about: for the record.
    """

    output: Tensor
    seconds: float = 0.0
    about: str = ""


@dataclass(frozen=True)
class Scored:
    """The exact metric of an objective on the validation samples, for optimisers that try values."""

    objective: Objective

    def __call__(self, case: Case, model: nn.Module | None) -> float:
        if model is None:
            return 1e6
        samples = case.problem.validation
        return float(self.objective.metric(outputs(model, samples).cpu(), samples.without_inputs()))


def ways(case: Case, judging: Samples, kind: Kind, objectives: Sequence[str], desk: Desk) -> dict[str, dict[str, Way]]:
    """All of them, by objective and by name. What does not depend on the objective is trained once.

    Args:
        case: what may be looked at.
        judging: what the finished models answer, once.
        kind: of problems.
        objectives: what is to be made small.
        desk: is told how far it is.
    """
    desk.tell(0, f"{case.name}, fixed losses")
    fixed = _fixed(case, kind, judging)
    held_out = _HeldOut.of(case, kind) if case.kind == "classification" and not case.problem.num_groups else None
    found = {}
    for number, name in enumerate(objectives, 1):
        desk.tell(number / (1 + len(objectives)), f"{case.name}, {name}")
        found[name] = fixed | _searched(case, judging, kind, name)
        if held_out is not None:  # groups are hidden at prediction: nothing to offset by
            found[name] |= held_out.ways(fixed, case.conditions.task.objective(name), case.seed)
    return found


def _fixed(case: Case, kind: Kind, judging: Samples) -> dict[str, Way]:
    """The plain loss, cross-entropy, and the controls."""
    names = dict.fromkeys((kind.plain, *(["ce"] if case.kind == "classification" else [])))
    methods = [named_method(name, case.kind) for name in names]
    models = case.train(methods, case.everything)
    found = {name: Way(_answers(case, model, judging)) for name, model in zip(names, models, strict=True)}
    other = replace(case, seed=case.seed + AGAIN)
    return {
        **found,
        "again": _trained(other, methods[0], judging),
        "improved": Way(improved(found[kind.plain].output, judging, case.seed)),
    }


def _searched(case: Case, judging: Samples, kind: Kind, objective: str) -> dict[str, Way]:
    return {
        "ours": _ours(case, kind, objective, judging),
        "AutoBalance": _published(case, objective, judging),
        "TPE": _tried(case, objective, "tpe", judging),
        "CMA-ES": _tried(case, objective, "cma-es", judging),
    }


def _answers(case: Case, model: nn.Module | None, samples: Samples) -> Tensor:
    """A model's outputs; those of a constant prediction where its training diverged."""
    if model is None:
        return torch.zeros(len(samples), case.problem.num_classes)
    return outputs(model, samples).cpu()


def _trained(case: Case, method: Method, judging: Samples, seconds: float = 0.0, about: str = "") -> Way:
    (model,) = case.train([method], case.everything)
    return Way(_answers(case, model, judging), seconds, about)


def _ours(case: Case, kind: Kind, objective: str, judging: Samples) -> Way:
    setting, task = case.conditions.setting, case.conditions.task
    plan = SearchPlan(objective, kind.plain, strategy=Auto(BUDGET), recipe=case.conditions.recipe, seed=case.seed)
    begun = time.perf_counter()
    checked = check(plan, setting, task)
    state = run(checked.search)
    arm = chosen_arm(checked, checked.search.found(state), select(checked, state))
    seconds = time.perf_counter() - begun
    output = arm.answers(setting, (case.everything, judging), case.seed).output.cpu()
    return Way(output, seconds, "searched" if arm.name == SEARCHED else "kept")


def _published(case: Case, objective: str, judging: Samples) -> Way:
    keywords = {**PUBLISHED, "objective": objective}
    if case.kind == "regression":
        keywords = {**PUBLISHED["regression"], "objective": objective}
    method = named_search("AutoBalance", {**keywords, "confidence": 0.0})
    begun = time.perf_counter()
    ready, _ = method.prepared(case.conditions.setting, case.conditions.recipe, case.seed)
    return _trained(case, ready, judging, time.perf_counter() - begun)


def _tried(case: Case, objective: str, sampler: str, judging: Samples) -> Way:
    """The best of as many trials as the search has trainings, of the numbers that the search moves."""
    free = ["w"] if case.kind == "regression" else ["w", "l", "delta"]
    begun = time.perf_counter()
    scored = Scored(case.conditions.task.objective(objective))
    candidate = Candidate(on_raw(case, sampler, free), sampler, scored)
    (choice,) = best_of_trials(case, [candidate], BUDGET + 1, Desk())
    return _trained(case, choice.method, judging, time.perf_counter() - begun)


@dataclass(frozen=True)
class _HeldOut:
    """What fixed losses answer on folds that they were not trained on.

    Args:
        output: by name, (N, K).
        target: (N,).
        seconds: of one loss.
    """

    output: Mapping[str, Tensor]
    target: Tensor
    seconds: float

    @classmethod
    def of(cls, case: Case, kind: Kind) -> _HeldOut:
        methods, pool = [named_method(name) for name in ("ce", kind.plain)], case.conditions.setting.pool
        smallest = int(case.conditions.task.counts(pool).min())
        begun = time.perf_counter()
        splits = stratified_folds(case.problem, max(2, min(FOLDS, smallest)), case.seed)
        held: dict[str, list[Tensor]] = {method.name: [] for method in methods}
        for rest, part in splits:
            for method, model in zip(methods, case.train(methods, pool.subset(rest)), strict=True):
                held[method.name].append(_answers(case, model, pool.subset(part)))
        seconds = (time.perf_counter() - begun) / len(methods)
        target = pool.y[torch.cat([part for _, part in splits])].cpu()
        return cls({name: torch.cat(parts) for name, parts in held.items()}, target, seconds)

    def ways(self, fixed: Mapping[str, Way], objective: Objective, seed: int) -> dict[str, Way]:
        """The losses' finished models with offsets for an objective."""
        found = {}
        for name, output in self.output.items():
            begun = time.perf_counter()
            b = find_offsets(output, self.target, objective, seed)
            seconds = self.seconds + time.perf_counter() - begun
            found[f"{name} + offsets"] = Way(fixed[name].output + b, seconds)
        return found


def improved(output: Tensor, judging: Samples, seed: int) -> Tensor:
    """The same outputs with a known share of their mistakes put right: of each class the same share of the samples that
    are wrong, or of numbers that share of each error."""
    target = judging.y.cpu()
    if output.dim() == 1 or output.shape[1] == 1:
        return output + IMPROVED * (target.view_as(output) - output)
    better, generator = output.clone(), torch.Generator().manual_seed(seed)
    for k in target.unique():
        wrong = torch.where((target == k) & (output.argmax(1) != k))[0]
        taken = wrong[torch.randperm(len(wrong), generator=generator)[: round(len(wrong) * IMPROVED)]]
        better[taken, k] = output[taken].max(1).values + 1
    return better


def other_models(case: Case, judging: Samples, objectives: Mapping[str, Objective]) -> dict[str, dict[str, Tensor]]:
    """What other kinds of models for imbalanced tables answer, by name and objective: the logarithms of probabilities.

    Args:
        case: with classes.
        judging: what they answer.
        objectives: by name; the offsets of gradient boosting follow each.
    """
    import numpy as np
    from imblearn.ensemble import BalancedRandomForestClassifier, EasyEnsembleClassifier
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    known, queries = case.everything.all(), judging.all()
    x, y, asked = known.x.flatten(1).cpu().numpy(), known.y.cpu().numpy(), queries.x.flatten(1).cpu().numpy()

    def logarithms(p: np.ndarray) -> Tensor:
        return torch.from_numpy(np.log(np.clip(p, 1e-6, 1.0))).float()

    boosted = HistGradientBoostingClassifier(class_weight="balanced", random_state=case.seed)
    folds = StratifiedKFold(max(2, min(FOLDS, int(np.bincount(y).min()))), shuffle=True, random_state=case.seed)
    held = logarithms(cross_val_predict(boosted, x, y, cv=folds, method="predict_proba"))
    answers = {"gradient boosting": logarithms(boosted.fit(x, y).predict_proba(asked))}
    for name, model in (
        ("balanced forest", BalancedRandomForestClassifier(random_state=case.seed)),
        ("easy ensemble", EasyEnsembleClassifier(random_state=case.seed)),
    ):
        answers[name] = logarithms(model.fit(x, y).predict_proba(asked))
    found = {name: dict.fromkeys(objectives, output) for name, output in answers.items()}
    found["gradient boosting + offsets"] = {
        name: answers["gradient boosting"] + find_offsets(held, case.everything.y.cpu(), objective, case.seed)
        for name, objective in objectives.items()
    }
    return found
