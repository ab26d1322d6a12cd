"""Which loss a search hands out: every candidate is trained on folds, and the guard decides on what they held out."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from autobalance.bilevel._check import CheckedPlan
from autobalance.bilevel._guard import SEARCHED, Choice, choose
from autobalance.bilevel.space import Found
from autobalance.common import tell
from autobalance.data import stratum
from autobalance.tasks.objectives import standing
from autobalance.training import Arm

#: What the name of a fixed loss ends with where it is trained with the augmentation, or the recipe, that was found.
AUGMENTED, WITH_RECIPE = "+augment", "+rates"
#: Called with (the training, how many were finished before it, its epochs done, its mean training loss).
OnTraining = Callable[[str, int, int, float], None]


def arms(checked: CheckedPlan, found: Found, names: Sequence[str]) -> list[Arm]:
    """The searched loss with all that was found, then fixed losses.

    Where more than the loss was searched, further arms tell what the loss adds to the rest: cross-entropy with the
    augmentation that was found, and the start with the recipe that was found.
    """
    searched = checked.found_arm(found)
    fixed = {name: checked.fixed_arm(name) for name in names}
    more = []
    if searched.policy is not None and "ce" in fixed:
        more.append(replace(fixed["ce"], name="ce" + AUGMENTED, policy=searched.policy))
    start = checked.plan.start_name
    if start in fixed and searched.recipe != fixed[start].recipe:
        more.append(replace(fixed[start], name=start + WITH_RECIPE, recipe=searched.recipe))
    return [searched, *fixed.values(), *more]


def select(
    checked: CheckedPlan,
    state: Any,
    held_out: MutableMapping[str, Tensor] | None = None,
    diverged: MutableMapping[str, str] | None = None,
    on_training: OnTraining | None = None,
    on_trained: Callable[[], None] | None = None,
) -> Choice | None:
    """The choice among the searched loss and the candidates; None where the plan asks for none.

    A search that judged them on held-out outputs of its own has made the choice; else each is trained on folds.

    Args:
        checked: the plan.
        state: of its search, at its end.
        held_out: by ``arm/fold``, what the objective looks at of finished models' answers; those are not trained again,
            new ones are added.
        diverged: gets, by ``arm/fold``, why a training counts as a constant prediction.
        on_training: told after each epoch of a training.
        on_trained: called after each training.
    """
    plan, setting, splits = checked.plan, checked.setting, checked.splits
    if not plan.confidence:
        return None
    if (made := checked.search.choice(state)) is not None:
        return made
    found = checked.search.found(state)
    kept: MutableMapping[str, Tensor] = {} if held_out is None else held_out
    objective = checked.bench.objective
    pool, compared = setting.pool, arms(checked, found, checked.candidates)
    tell("choice", {"trainings": len(splits) * len(compared), "epochs": checked.recipe.epochs, "done": len(kept)})
    for fold, (rest, held) in enumerate(splits):
        for arm in compared:
            if (key := f"{arm.name}/{fold}") in kept:
                continue
            what, done = f"{arm.name}, fold {fold + 1} of {len(splits)}", len(kept)

            def on_epoch(epoch: int, loss: float, what: str = what, done: int = done) -> None:
                tell("training", {"training": what, "done": done, "epoch": epoch, "loss": loss})
                if on_training is not None:
                    on_training(what, done, epoch, loss)

            answered = arm.answers(setting, (pool.subset(rest), pool.subset(held)), plan.seed, on_epoch)
            if answered.diverged is not None and diverged is not None:
                diverged[key] = answered.diverged
            kept[key] = objective.looked_at(answered.output).cpu()
            if on_trained is not None:
                on_trained()
    judged = pool.subset(torch.cat([held for _, held in splits])).to("cpu")
    of_arms = {arm.name: torch.cat([kept[f"{arm.name}/{fold}"] for fold in range(len(splits))]) for arm in compared}
    return choose(
        of_arms,
        plan.start_name,
        judged.without_inputs(),
        stratum(judged, setting.problem.bin_edges),
        partial(standing, objective),
        plan.confidence,
    )


def chosen_arm(checked: CheckedPlan, found: Found, choice: Choice | None) -> Arm:
    """The training that a search hands out."""
    name = SEARCHED if choice is None else choice.chosen
    return next(arm for arm in arms(checked, found, checked.candidates) if arm.name == name)
