"""What a search from Python comes to."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from autobalance.bilevel._guard import Choice
from autobalance.common import significant, write_text
from autobalance.data.augmentation import Policy, save_augmentation
from autobalance.losses import Member, ScheduledLoss, save_loss
from autobalance.training import AUGMENTATION_FILE, BESIDE, Recipe

#: Numbers of a table that are shown; of more the smallest and the largest.
_SHOWN = 8


@dataclass(frozen=True, repr=False)
class SearchResult:
    """A searched loss and how it came about.

    Args:
        loss: the loss to use: the searched one, or the chosen one where a choice was asked for; an ``nn.Module``,
            called as ``loss(logits, target)``, with groups ``loss(logits, target, group=g)``, for
            regression ``loss(prediction, target)``.
        history: one record an epoch (or whole training): phase, epoch, train_loss, objective, the parameters that were
            trained with, and on the validation samples balanced_error (percent) or balanced_mae and mae; for classes
            also objective_metric, the objective's exact metric in percent, and with groups worst_group_error, deo and
            group_balanced_error.
        outer_steps, skipped_steps: hypergradient steps taken, and steps not taken because a value was not finite.
        augmentation: the policy that was found, called as ``x, y = policy(x, y)``; None where it was not searched.
        fds_strength: the strength of the model's feature-distribution smoothing; None where it was not searched.
        recipe: how to train with ``loss``: as given, with what was found of it where that was searched.
        choice: which loss was chosen and how sure that is; None where no choice was asked for.
        searched: the searched loss, chosen or not.
        diverged: why a training of the choice counts as a constant prediction, by ``loss/fold``; those of the search
            are in its history.
        beside: what belongs to ``loss``, as plain values: see `autobalance.training.beside`.
    """

    loss: Member | ScheduledLoss
    history: list[dict[str, Any]]
    outer_steps: int
    skipped_steps: int
    augmentation: Policy | None
    fds_strength: float | None
    recipe: Recipe
    choice: Choice | None
    searched: Member | ScheduledLoss
    diverged: dict[str, str] = field(default_factory=dict)
    beside: dict[str, Any] = field(default_factory=dict)

    def save(self, directory: str | os.PathLike[str]) -> None:
        """Writes ``loss.json``, ``history.jsonl`` and, where there is one, ``augmentation.json`` to ``directory``.

        The directory is made where it is missing.
        """
        place = Path(directory)
        place.mkdir(parents=True, exist_ok=True)
        save_loss(self.loss, place / "loss.json", {BESIDE: self.beside})
        if self.augmentation is not None:
            save_augmentation(self.augmentation, place / AUGMENTATION_FILE)
        write_text(place / "history.jsonl", "".join(json.dumps(record) + "\n" for record in self.history))

    def __repr__(self) -> str:
        """About ten lines."""
        lines = {
            "loss": str(self.loss).splitlines()[0],
            **self._numbers(),
            **self._chosen(),
            "recipe": f"{self.recipe.epochs} epochs, batches of {self.recipe.batch_size}, {self.recipe.optimizer}, "
            f"lr {self.recipe.lr:g}, weight decay {self.recipe.weight_decay:g}",
            "history": self._course(),
        }
        if self.diverged:
            lines["diverged"] = ", ".join(self.diverged)
        lines["next"] = 'result.loss(logits, target); result.save("runs/mine") writes loss.json for load_loss'
        return "\n".join(["SearchResult", *(f"  {name:<9} {text}" for name, text in lines.items())])

    def _chosen(self) -> dict[str, str]:
        """The choice in a line, and what it rests on in another."""
        if (choice := self.choice) is None:
            return {"choice": "none was asked for: this is the searched loss"}
        low, high = (significant(value, 2) for value in choice.interval)
        figures = sorted(choice.held_out.items(), key=lambda each: each[1])
        return {
            "choice": f"{choice.chosen}; the searched loss is better than {choice.best_fixed} by "
            f"{significant(choice.margin, 3)} ({low} to {high}), confidence {choice.confidence:.2f}",
            "held out": ", ".join(f"{name} {significant(figure, 3)}" for name, figure in figures),
        }

    def _numbers(self) -> dict[str, str]:
        """The tables of the loss that say something."""
        told = {}
        for name in ("w", "l", "delta"):
            table = getattr(self.loss, name, None)
            if not isinstance(table, torch.Tensor) or table.min() == table.max():
                continue
            flat = table.detach().double().flatten().tolist()
            if len(flat) <= _SHOWN:
                told[f"  {name}"] = " ".join(f"{value:.3g}" for value in flat)
            else:
                told[f"  {name}"] = f"{len(flat)} numbers from {min(flat):.3g} to {max(flat):.3g}"
        return told

    def _course(self) -> str:
        phases = " and ".join(dict.fromkeys(str(record["phase"]) for record in self.history))
        skipped = f", {self.skipped_steps} skipped" if self.skipped_steps else ""
        return f"{len(self.history)} records of {phases}; {self.outer_steps} steps of the loss{skipped}"
