"""A search as a method: the public interface with keywords from the problems' file."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import fields, replace
from functools import partial
from typing import Any

from autobalance import search_loss
from autobalance.bilevel import OuterLoop, PlanKeywords
from autobalance.common import InputError
from autobalance.hypergradients import Engine, Implicit, Neumann, make_engine
from experiments.suite._case import Case, Choice

#: AutoBalance as published (Li et al. 2021, algorithm 1 and the released configurations): one split, cross-entropy to
#: start from, l and Δ free by class, the implicit hypergradient over 10 batches every 20 steps with 5 Neumann terms of
#: step 1, the last iterate, warm-up for 120 of 300 epochs where a training has 200. Its 880 steps of SGD are about ten
#: steps of Adam in trainings as short as ours, so these are larger.
_PUBLISHED: Mapping[str, Any] = {
    "tie": "class",
    "hypergradient": "implicit",
    "outer": {"warmup": 0.4, "every": 20, "lr": 0.2, "averaged": 0.0},
    "epochs": 1.5,
}
PUBLISHED: Mapping[str, Any] = {
    **_PUBLISHED,
    "start": "ce",
    "free": ["l", "delta"],
    "regression": {**_PUBLISHED, "start": "l1", "free": ["w"]},
}
#: The search that did best on the development problems (docs/what-helps.md): the rates of the recipe by a hypergradient
#: through one whole training with the loss that a search starts from.
OURS: Mapping[str, Any] = {"free": ["weight_decay", "lr"], "rounds": 1}
#: What the suite says to every search itself.
_GIVEN = {"model", "train_set", "validation_set", "task", "bins", "recipe", "seed", "on_epoch"}
#: The searches that have a name without a problems' file.
SEARCHES: Mapping[str, Mapping[str, Any]] = {"published": PUBLISHED, "ours": OURS}


def search(case: Case, method: str, keywords: Mapping[str, Any]) -> Choice:
    """Searches a loss.

    Args:
        case: what may be looked at.
        method: the row's name.
        keywords: of `autobalance.search_loss`; ``hypergradient`` is an engine's name and ``unroll`` its steps,
            ``outer`` a table of `OuterLoop`'s values, ``epochs`` the search's as a multiple of a training's,
            ``regression`` a table of keywords that are used for the others where the targets are numbers.

    Raises:
        InputError: keywords that cannot be.
    """
    given = dict(keywords)
    of_regression = given.pop("regression", None)
    if case.kind == "regression":
        given = {**(given if of_regression is None else of_regression), "bins": case.problem.bin_edges}
    recipe = replace(case.recipe, epochs=round(case.recipe.epochs * given.pop("epochs", 1)))
    within = None if "rounds" in given else OuterLoop(**given.pop("outer", {}))
    engine = None if "rounds" in given else _engine(given.pop("hypergradient", "replay"), given.pop("unroll", None))
    model = case.task.new_model(case.seed)
    begun = time.process_time()
    result = search_loss(
        model,
        case.problem.train,
        case.problem.validation,
        task=case.kind,
        recipe=recipe,
        outer=within,
        hypergradient=engine,
        seed=case.seed,
        **given,
    )
    seconds = time.process_time() - begun
    about: dict[str, Any] = {"skipped": result.skipped_steps, "steps": result.outer_steps}
    if result.choice is not None:
        about |= {name: getattr(result.choice, name) for name in ("chosen", "margin", "confidence")}
    found = replace(case.recipe, lr=result.recipe.lr, weight_decay=result.recipe.weight_decay)
    return Choice(method, lambda counts: result.loss, recipe=found, cost=seconds / plain_seconds(case), about=about)


def plain_seconds(case: Case) -> float:
    """Seconds of processor time that one plain training of the case takes, on training and validation samples."""
    plain = Choice("plain", partial(case.goal.fixed_loss, "l1" if case.kind == "regression" else "ce"))
    begun = time.process_time()
    case.train([plain], case.everything)
    return time.process_time() - begun


def _engine(name: str, unroll: int | None) -> Engine:
    engine = make_engine(name, unroll)
    if isinstance(engine, Implicit):  # as released: nobody looks whether the series converges
        return replace(engine, solver=Neumann(5, 1.0, power_iterations=0))
    return engine


def check_keywords(method: str, keywords: Mapping[str, Any]) -> None:
    """Raises an InputError for what can be seen to be wrong before anything takes time."""
    own = {"hypergradient", "unroll", "outer", "epochs", "regression"}
    tables = [(keywords, own | {"class_names", "group_names", *PlanKeywords.__annotations__} - _GIVEN)]
    tables.append((keywords.get("outer", {}), {field.name for field in fields(OuterLoop)}))
    for table, known in tables:
        if unknown := set(table) - known:
            listed = ", ".join(sorted(known))
            raise InputError(
                f"the search {method!r} has the unknown keyword {sorted(unknown)[0]!r}; there are {listed}"
            )
    beside = sorted({"outer", "hypergradient", "unroll"} & set(keywords))
    if "rounds" in keywords and beside:
        raise InputError(f"the search {method!r}: {beside[0]} has no effect beside rounds; leave one of the two out")
    _engine(keywords.get("hypergradient", "replay"), keywords.get("unroll"))
    if "regression" in keywords:
        check_keywords(method, keywords["regression"])
