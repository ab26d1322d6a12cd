"""A search as a method: what it found, and what that cost in plain trainings."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from autobalance.common import InputError
from autobalance.study import Method, named_method, search_method
from experiments.suite._case import Case, Choice

#: AutoBalance as published (Li et al. 2021, algorithm 1 and the released configurations): one split, cross-entropy to
#: start from, l and Δ free by class, the implicit hypergradient over 10 batches every 20 steps with 5 Neumann terms of
#: step 1, the last iterate, warm-up for 120 of 300 epochs where a training has 200. Its 880 steps of SGD are about ten
#: steps of Adam in trainings as short as ours, so these are larger.
_PUBLISHED: Mapping[str, Any] = {
    "strategy": "interleaved",
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
#: The searches that have a name without a problems' file.
SEARCHES: Mapping[str, Mapping[str, Any]] = {"published": PUBLISHED, "ours": OURS}


def named_search(name: str, keywords: Mapping[str, Any]) -> Method:
    """The method of a search with keywords as they stand in a problems' file, see `autobalance.study.Search`.

    Raises:
        InputError: keywords that cannot be; with the search's name.
    """
    try:
        return search_method(name, keywords)
    except InputError as error:
        raise InputError(f"the search {name!r}: {error}") from None


def search(case: Case, method: Method) -> Choice:
    """What a search finds, and what it costs."""
    begun = time.process_time()
    ready, found = method.prepared(case.conditions.setting, case.conditions.recipe, case.seed)
    seconds = time.process_time() - begun
    assert found is not None
    return Choice(ready, seconds / plain_seconds(case), found["about"])


def plain_seconds(case: Case) -> float:
    """Seconds of processor time that one plain training of the case takes, on training and validation samples."""
    plain = named_method("l1" if case.kind == "regression" else "ce", case.kind)
    begun = time.process_time()
    case.train([plain], case.everything)
    return time.process_time() - begun
