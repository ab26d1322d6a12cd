"""What belongs to a training beside its loss, as plain values for the file of the loss."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

from autobalance.training._arm import Arm
from autobalance.training._recipe import Recipe

#: Where a loss file's provenance keeps it.
BESIDE = "beside"
#: The file of the augmentation, in the directory of the loss file.
AUGMENTATION_FILE = "augmentation.json"


def beside(arm: Arm, recipe: Recipe) -> dict[str, Any]:
    """What an arm trains with beside its loss; what there is none of is left out.

    Args:
        arm: the training.
        recipe: of all others.

    Returns:
        ``recipe``: what of it differs; ``augmentation``: the name of the policy's file; ``smoothing``: a `Smoothing`.
    """
    told: dict[str, Any] = {}
    if changed := changes(recipe, arm.recipe):
        told["recipe"] = changed
    if arm.policy is not None:
        told["augmentation"] = AUGMENTATION_FILE
    if arm.smoothing is not None:
        told["smoothing"] = asdict(arm.smoothing)
    return told


def changes(before: Recipe, after: Recipe) -> dict[str, Any]:
    """The values of a recipe that differ."""
    both = {field.name: (getattr(before, field.name), getattr(after, field.name)) for field in fields(Recipe)}
    return {name: theirs for name, (ours, theirs) in both.items() if ours != theirs}
