"""Everything about a plan that can be refused is refused here, before the first training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import Tensor, nn

from autobalance.bilevel._bench import Bench
from autobalance.bilevel._guard import CHOICE_FOLDS, SEARCHED, member
from autobalance.bilevel._plan import SearchPlan
from autobalance.bilevel._strategy import Search
from autobalance.bilevel.space import AUGMENT, FREE, SMOOTHING, Found
from autobalance.common import InputError, nearest
from autobalance.data import Fold
from autobalance.hypergradients import RECIPE_PARAMETERS, Needs, check_engine, processes
from autobalance.tasks import Task
from autobalance.training import Arm, Recipe, SeesTargets, Setting, WithFeatures


@dataclass(frozen=True)
class CheckedPlan:
    """A plan that nothing stands against, with all that it makes of a setting.

    Args:
        bench: the complete plan on its setting.
        search: ready to run.
        counts: samples of each class, bin or cell in the final training.
        splits: what the losses to choose among are trained and judged on, as positions in the pool; none without a
            choice.
    """

    bench: Bench
    search: Search
    counts: Tensor
    splits: list[Fold]

    @property
    def plan(self) -> SearchPlan:
        return self.bench.plan

    @property
    def setting(self) -> Setting:
        return self.bench.setting

    @property
    def task(self) -> Task:
        return self.bench.task

    @property
    def recipe(self) -> Recipe:
        """Of every training, unless it is searched."""
        return self.bench.recipe

    def found_arm(self, found: Found) -> Arm:
        """The training with what the search found."""
        smoothing = self.bench.smoothing(found.strength)
        return Arm(SEARCHED, found.loss, found.recipe, found.head, found.policy, smoothing)

    def fixed_arm(self, name: str) -> Arm:
        """The training with a fixed loss by its name, or with the start."""
        return self.bench.start(self.counts) if name == self.plan.start_name else self.bench.fixed(name, self.counts)

    @property
    def candidates(self) -> list[str]:
        """The fixed losses that the searched one has to beat, the one that it started from first."""
        return list(dict.fromkeys([self.plan.start_name, *self.plan.candidates]))


def check(plan: SearchPlan, setting: Setting, task: Task, compared: Sequence[str] = ()) -> CheckedPlan:
    """Builds the search that a plan asks for.

    Args:
        plan: what is asked.
        setting: the samples and the model.
        task: what is asked of the samples.
        compared: fixed losses that will be trained beside the searched one.

    Raises:
        InputError: what is wrong and what helps.
    """
    plan = plan.completed(task)
    setting.check_own_model(plan.seed)
    assert plan.objective is not None
    bench = Bench(plan, setting, task, task.objective(plan.objective))
    strategy = plan.strategy.on(bench)
    if plan.confidence is None:
        groups = setting.problem.num_groups
        plan = replace(plan, confidence=strategy.group_confidence if groups else strategy.confidence)
        bench = replace(bench, plan=plan)
    counts, splits = task.counts(setting.problem.final_training), _splits(bench)
    _check_free(plan)
    model = bench.model(bench.start(bench.counts(None if plan.folds is None else splits)))
    _check_smoothing(plan, setting, model)
    check_engine(strategy.hypergradient, _needs(bench, model))
    for name in dict.fromkeys([*plan.candidates, *compared]):
        arm = bench.fixed(name, counts)
        fixed = bench.model(arm)  # so that a part that is not there is said now
        if arm.loss.needs_features:
            WithFeatures(fixed)
        if name in plan.candidates:
            member(name, arm.loss)
    return CheckedPlan(bench, strategy.search(bench), counts, splits)


def _check_free(plan: SearchPlan) -> None:
    """Refuses what cannot be searched, and settings of what is not."""
    free = plan.free or ()
    if unknown := [name for name in free if name not in FREE]:
        raise InputError(
            f"{unknown[0]!r} cannot be searched; `free` are any of {', '.join(FREE)}{nearest(unknown[0], FREE)}"
        )
    if bound := [name for name in plan.late if name not in free]:
        raise InputError(f"{bound[0]!r} is `late` but not `free`: only what is searched can be switched on late")
    if plan.late_start is not None and not plan.late:
        raise InputError("`late_start` has no effect without `late`, which names what is switched on late")
    for name in ("operations", "tie_augment"):
        if getattr(plan, name) is not None and AUGMENT not in free:
            raise InputError(f"`{name}` has no effect: {AUGMENT!r} is not among what is `free`")


def _check_smoothing(plan: SearchPlan, setting: Setting, model: nn.Module) -> None:
    """Refuses feature smoothing that cannot be had."""
    if plan.fds_layer is not None and setting.problem.bin_edges is None:
        raise InputError(f"`fds_layer` {plan.fds_layer} has no effect on classes: it is for a regression")
    if SMOOTHING in (plan.free or ()) and not isinstance(model, SeesTargets):
        raise InputError(
            f"{SMOOTHING!r} cannot be searched: the model has no feature smoothing; `fds_layer` names the layer"
        )


def _needs(bench: Bench, model: nn.Module) -> Needs:
    """What the plan asks of its engine."""
    recipe = bench.recipe
    return Needs(
        optimiser=recipe.optimiser(1),
        recipe_parameters=tuple(name for name in bench.free if name in RECIPE_PARAMETERS),
        transform=AUGMENT in bench.free,
        feature_smoothing=isinstance(model, SeesTargets),
        folds=bench.plan.folds is not None,
        frozen_parameters=not all(parameter.requires_grad for parameter in model.parameters()),
        precision=recipe.precision != "float32",
        compiled=recipe.compiled,
        processes=processes() > 1,
    )


def _splits(bench: Bench) -> list[Fold]:
    """The folds, or the one split that the source brings."""
    plan = bench.plan
    if plan.candidates and not plan.confidence:
        raise InputError(
            f"`candidates` {', '.join(plan.candidates)} have no effect with `confidence` 0: they have to be beaten "
            "with a confidence above 0"
        )
    if bench.setting.problem.own_validation and plan.folds is None:
        return bench.one_split()
    if plan.folds is None and not plan.confidence:
        return []
    return bench.folds(plan.folds or CHOICE_FOLDS)
