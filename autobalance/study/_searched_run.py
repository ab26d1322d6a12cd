"""A search that is done, from its files: the loss with all that belongs to it, and the loss alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from autobalance.common import Fault, InputError, check_keys, fault_in
from autobalance.data.augmentation import Policy, load_augmentation
from autobalance.losses import Loss, Member, load_loss, provenance_of
from autobalance.models import Smoothing
from autobalance.study._losses import Ready
from autobalance.study._method import Changes, Method
from autobalance.training import AUGMENTATION_FILE, BESIDE, Recipe

#: The loss to use, in the directory of a run.
LOSS_FILE = "loss.json"
#: Of the row that trains with the loss alone: what its name ends with.
ALONE = "-loss"
#: What an earlier release did not write down beside the loss.
_MORE = {"lr", "weight_decay", "augment", "fds"}


@dataclass(frozen=True)
class SearchedRun:
    """What a search has left.

    Args:
        source: what people call it.
        loss: the loss to use.
        recipe: the values of the recipe that were found.
        policy: the augmentation that was found.
        smoothing: of the features.
        files: all that was read.
    """

    source: str
    loss: Loss
    recipe: Mapping[str, Any]
    policy: Policy | None
    smoothing: Smoothing | None
    files: tuple[Path, ...]

    @property
    def alone(self) -> bool:
        """Whether nothing belongs to the loss."""
        return not self.recipe and self.policy is None and self.smoothing is None

    def methods(self, name: str = "searched") -> list[Method]:
        """The method that trains with all of it, and where there is more than the loss one that has the loss alone."""
        margins = any(isinstance(its, Member) and "margin" in its.parameters_in_effect for _, its in self.loss.stages)
        head = "cosine" if margins else "linear"  # margins are between cosines
        make = Ready(self.loss, self.source)
        own = Changes(self.recipe)
        whole = Method(name, make, head, recipe=own, policy=self.policy, smoothing=self.smoothing)
        return [whole] if self.alone else [whole, Method(name + ALONE, make, head)]


def searched_run(place: str | Path) -> SearchedRun:
    """Reads what a search has left; runs nothing from the files.

    Args:
        place: the directory of a run, or a loss file in one.

    Raises:
        InputError: there is none, a file is damaged, or what belongs to the loss is not beside it.
    """
    path = Path(place) / LOSS_FILE if Path(place).is_dir() else Path(place)
    if not path.is_file():
        missing = f"{place} holds no {LOSS_FILE}: it is no run, or one that is not finished"
        raise InputError(missing if Path(place).is_dir() else f"there is no file {place}")
    loss, told, fault = load_loss(path), provenance_of(path), fault_in(path)
    beside = _beside(told, fault)
    files, policy = [path], None
    if "augmentation" in beside:
        files.append(path.parent / AUGMENTATION_FILE)
        if not files[-1].is_file():
            raise fault(f"it was searched along with an augmentation, whose file {files[-1]} is missing: give the "
                        "directory of the run")  # fmt: skip
        policy = load_augmentation(files[-1])
    smoothing = None if "smoothing" not in beside else Smoothing.from_dict(beside["smoothing"], fault)
    return SearchedRun(str(place), loss, beside.get("recipe", {}), policy, smoothing, tuple(files))


def _beside(told: Mapping[str, Any], fault: Fault) -> Mapping[str, Any]:
    """What the provenance says to belong to the loss."""
    if BESIDE not in told:
        if more := sorted(_MORE & {*told.get("free", ())}):
            raise fault(f"it was searched along with {', '.join(more)} by an earlier release, which did not write down "
                        "what belongs to the loss: search again")  # fmt: skip
        return {}
    beside = told[BESIDE]
    if not isinstance(beside, dict) or not isinstance(beside.get("recipe", {}), dict):
        raise fault(f"{BESIDE} in the provenance is no object")
    check_keys(beside, set(), {"recipe", "augmentation", "smoothing"}, fault)
    check_keys(beside.get("recipe", {}), set(), {field.name for field in fields(Recipe)}, fault)
    return beside
