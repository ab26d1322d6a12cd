"""From the options of the search command to a plan that is checked against the data."""

from __future__ import annotations

from autobalance.bilevel import CheckedPlan, OuterLoop, SearchPlan, Strategy, check, strategy_of
from autobalance.cli._config import Options
from autobalance.cli._setting import open_setting, recipe_of
from autobalance.common import InputError
from autobalance.hypergradients import make_engine
from autobalance.tasks import task_of


def checked_plan(options: Options) -> CheckedPlan:
    """Loads the data and checks every option against them, before anything takes time.

    Raises:
        InputError: what is wrong and what helps.
    """
    setting = open_setting(options)
    task = task_of(setting.problem, options.shots)
    return check(
        plan_of(options, task.defaults.lr), setting, task, compared=baselines_of(options, task.defaults.baselines)
    )


def baselines_of(options: Options, default: tuple[str, ...]) -> tuple[str, ...]:
    """The fixed losses that the searched one is compared with."""
    return default if options.baselines is None else options.baselines


def plan_of(options: Options, lr: float | None = None) -> SearchPlan:
    """What the options ask the search to do; ``lr``: the task's learning rate, where the options leave it open."""
    return SearchPlan(
        objective=options.objective,
        start=options.start,
        free=options.free,
        tie=options.tie,
        late=options.late or (),
        late_start=options.late_start,
        operations=options.operations,
        tie_augment=options.tie_augment,
        strategy=_strategy(options),
        recipe=recipe_of(options, lr),
        fds_layer=options.fds_layer,
        folds=options.folds,
        confidence=options.confidence,
        candidates=options.candidates or (),
        seed=options.seed,
    )


def _strategy(options: Options) -> Strategy:
    if options.folds is not None and options.validation is not None:
        raise InputError(f"`validation` {options.validation} has no effect with `folds`: every sample validates once")
    strategy = options.strategy or ("auto" if options.rounds is None else "whole")
    if strategy in ("auto", "interleaved"):
        outer = OuterLoop(warmup=options.warmup, every=options.every, lr=options.outer_lr)
        engine = make_engine(options.hypergradient, options.unroll)
        return strategy_of(strategy, options.budget, engine, outer, options.rounds)
    default = Options()
    for name in ("hypergradient", "unroll", "every", "outer_lr", "warmup"):
        if (given := getattr(options, name)) != getattr(default, name):
            raise InputError(
                f"`{name}` {given} has no effect with the `strategy` {strategy}, which takes no hypergradients within "
                "a training: leave one of the two out"
            )
    return strategy_of(strategy, options.budget, rounds=options.rounds, folds=options.folds)
