"""A search as the preparation of a method."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from autobalance.bilevel import Auto, LastLayer, OuterLoop, PlanKeywords, PredictionSpace, SearchPlan, strategy_of
from autobalance.common import InputError, nearest
from autobalance.hypergradients import Engine, Implicit, Neumann, make_engine
from autobalance.losses.named import Range, named_loss
from autobalance.study._found import Found, find
from autobalance.study._losses import MakeLoss
from autobalance.study._method import Method
from autobalance.study._training import Hyper, Training
from autobalance.training import Recipe, Setting

#: What a search costs, in plain trainings, where no budget is said; and a round of one through whole trainings.
SEARCH_COST, ROUND_COST = 4, 3


@dataclass(frozen=True)
class Search:
    """Keywords of a search, see `autobalance.bilevel.SearchPlan`, as they stand in a file.

    Args:
        keywords: ``hypergradient`` is an engine's name and ``unroll`` its steps, ``outer`` a table of `OuterLoop`'s
            values, ``epochs`` the search's as a multiple of a training's, ``regression`` a table of keywords that are
            used for the others where the targets are numbers. ``recipe`` is a table of values that the search's own
            trainings have in place of the comparison's.
        tuned: the values of ``outer`` that are hyper-parameters of the method, by the hyper-parameter's name.

    Raises:
        InputError: keywords that cannot be.
    """

    keywords: Mapping[str, Any] = field(default_factory=dict)
    tuned: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check(self.keywords)

    @property
    def head(self) -> str:
        """Of the model: that of the fixed loss which the search starts from."""
        start = self.keywords.get("start")
        return named_loss(start).head if isinstance(start, str) else "linear"

    def facts(self, recipe: Recipe) -> dict[str, Any]:
        """All that it is asked to do, by name: keywords as they are, those of tables as ``outer.lr``."""
        tables = {
            "recipe": asdict(_recipe(recipe, self.keywords)),
            "outer": asdict(OuterLoop(**self.keywords.get("outer", {}))),
        }
        told = {f"{table}.{name}": value for table, values in tables.items() for name, value in values.items()}
        return told | {name: value for name, value in self.keywords.items() if name not in (*tables, "epochs")}

    @property
    def cost(self) -> int:
        """About what it costs, in plain trainings."""
        if (rounds := self.keywords.get("rounds")) is not None:
            return ROUND_COST * int(rounds)
        return math.ceil(self.keywords.get("budget", SEARCH_COST))

    def __call__(self, setting: Setting, recipe: Recipe, seed: int, hyper: Hyper) -> Found:
        given = dict(self.keywords)
        of_regression = given.pop("regression", None)
        if setting.problem.bin_edges is not None and of_regression is not None:
            given = dict(of_regression)
        recipe = _recipe(recipe, given)
        given = {name: value for name, value in given.items() if name not in ("epochs", "recipe")}
        outer = {**given.pop("outer", {}), **{value: hyper[name] for name, value in self.tuned.items()}}
        engine, unroll = given.pop("hypergradient", None), given.pop("unroll", None)
        named: dict[str, Any] = {name: given.pop(name, None) for name in ("strategy", "budget", "rounds")}
        if outer or engine or unroll:
            named |= {"hypergradient": _engine(engine or "replay", unroll), "outer": OuterLoop(**outer)}
        strategy = strategy_of(**named, folds=given.get("folds"))
        if not isinstance(strategy, Auto | PredictionSpace | LastLayer):  # whose choice costs nothing
            given.setdefault("confidence", 0.0)
        return find(SearchPlan(**given, strategy=strategy, recipe=recipe, seed=seed), setting)


def _recipe(recipe: Recipe, keywords: Mapping[str, Any]) -> Recipe:
    """How the trainings of a search go, where those of the comparison go by ``recipe``."""
    epochs = round(recipe.epochs * keywords.get("epochs", 1))
    return replace(recipe, **{"epochs": epochs, **keywords.get("recipe", {})})


def _engine(name: str, unroll: int | None) -> Engine:
    engine = make_engine(name, unroll)
    if isinstance(engine, Implicit):  # as released: nobody looks whether the series converges
        return replace(engine, solver=Neumann(5, 1.0, power_iterations=0))
    return engine


def _check(keywords: Mapping[str, Any]) -> None:
    """Raises an InputError for what can be seen to be wrong before anything takes time."""
    known = {"unroll", "epochs", "recipe", "regression", *PlanKeywords.__annotations__} - {"seed"}
    tables = [(keywords, known)]
    for name, kind in (("outer", OuterLoop), ("recipe", Recipe)):
        tables.append((keywords.get(name, {}), {field.name for field in fields(kind)}))
    for table, known in tables:
        if unknown := set(table) - known:
            raise InputError(
                f"a search has no keyword {sorted(unknown)[0]!r}; there are {', '.join(sorted(known))}"
                f"{nearest(sorted(unknown)[0], known)}"
            )
    if "rounds" in keywords and (beside := sorted({"outer", "hypergradient", "unroll"} & set(keywords))):
        raise InputError(f"{beside[0]} has no effect beside rounds; leave one of the two out")
    _engine(keywords.get("hypergradient", "replay"), keywords.get("unroll"))
    if "regression" in keywords:
        _check(keywords["regression"])


class NotFound:
    """The loss of a method whose search is still to be done."""

    def __call__(self, training: Training) -> Any:
        raise RuntimeError("a method with a preparation has a loss once it is prepared")


NOT_FOUND: MakeLoss = NotFound()


def search_method(name: str = "autobalance", keywords: Mapping[str, Any] | None = None) -> Method:
    """The method that searches what it trains with.

    Args:
        name: of the row.
        keywords: of the search, see `Search`.
    """
    search = Search(keywords or {})
    return Method(name, NOT_FOUND, search.head, prepare=search, cost=search.cost)


def search_methods(searches: Any, place: str) -> list[Method]:
    """The methods of several searches: a table of keywords, see `Search`, by the name of the row.

    Args:
        searches: as they stand in a YAML file.
        place: where they come from, for messages.

    Raises:
        InputError: no such table, or keywords that cannot be; names the search.
    """
    if not isinstance(searches, dict) or not searches:
        raise InputError(f"{place} holds no searches; it should have lines such as 'one-round: {{rounds: 1}}'")
    methods = []
    for name, keywords in searches.items():
        if not isinstance(name, str) or not isinstance(keywords, dict):
            raise InputError(
                f"{place}: the search {name!r} has to be a name with a table of keywords, such as {{rounds: 1}}"
            )
        try:
            methods.append(search_method(name, keywords))
        except (InputError, TypeError) as error:
            raise InputError(f"{place}: the search {name!r}: {error}") from None
    return methods


def tunable_search(name: str = "autobalance") -> Method:
    """The search with its defaults, of which step size and warm-up can be tuned."""
    outer = OuterLoop()
    return Method(
        name,
        NOT_FOUND,
        hyper={"outer_lr": outer.lr, "warmup": outer.warmup},
        ranges={"outer_lr": Range(0.01, 0.2, "log"), "warmup": Range(0.1, 0.6)},
        prepare=Search(tuned={"outer_lr": "lr", "warmup": "warmup"}),
        cost=SEARCH_COST,
    )
