"""The settings of a comparison by name, to lay a published recipe beside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from autobalance.cli._compare_options import CompareOptions

if TYPE_CHECKING:
    from autobalance.study import Method
    from autobalance.training import Recipe

#: Options that say how a comparison trains, beside its recipe, with what they are where nothing is said; None: what the
#: source of the data says.
SETTINGS: dict[str, Any] = {
    "model": None, "backbone": None, "image_size": None, "imbalance": None, "imbalance_type": None, "validation": 0.2,
}  # fmt: skip


def recipe_facts(options: CompareOptions, recipe: Recipe, methods: Sequence[Method]) -> dict[str, Any]:
    """The settings of a comparison.

    Args:
        options: of the command.
        recipe: of every training.
        methods: the rows, whose searches say what they are asked to do, as ``ROW: outer.lr``.

    Returns:
        the settings by name, milestones as epochs.
    """
    from autobalance.study import Search

    given = {name: getattr(options, name) for name in SETTINGS}
    told = {name: SETTINGS[name] if value is None else value for name, value in given.items()}
    told |= _in_epochs(asdict(recipe), "")
    for method in methods:
        if isinstance(method.prepare, Search):
            facts = _in_epochs(method.prepare.facts(recipe), "recipe.")
            told |= {f"{method.name}: {name}": value for name, value in facts.items()}
    return told


def _in_epochs(values: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Values of a recipe with milestones that are epochs, not shares of them."""
    name, epochs = f"{prefix}milestones", values[f"{prefix}epochs"]
    if values[name] is None:
        return values
    return {**values, name: tuple(round(m * epochs) if m < 1 else m for m in values[name])}
