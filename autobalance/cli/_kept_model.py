"""The model that a run keeps to predict with: the chosen training, with the first seed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from autobalance.bilevel import CheckedPlan
from autobalance.study import Display
from autobalance.training import MODEL_FILE, Arm, TrainedModel


@dataclass(frozen=True)
class KeptModel:
    """Which model is kept, and where.

    Args:
        checked: the plan.
        arm: the chosen training.
        seed: of the training.
        directory: of the run.
    """

    checked: CheckedPlan
    arm: Arm
    seed: int
    directory: Path

    def offer(self, arm: Arm, seed: int, model: nn.Module) -> None:
        """Keeps ``model`` if it is the one."""
        if (arm.name, seed) == (self.arm.name, self.seed):
            self._save(model)

    def complete(self, display: Display) -> None:
        """Trains the model where none of the trainings that were tested was the one, or was before it could be kept."""
        if (self.directory / MODEL_FILE).exists():
            return
        setting, epochs = self.checked.setting, self.arm.recipe.epochs
        display.phase("model", epochs, quiet_for=5.0)

        def on_epoch(epoch: int, loss: float) -> None:
            display.step(epoch, f"{self.arm.name}, to predict with  training loss {loss:.3f}")

        models: list[nn.Module] = []
        samples = setting.problem.final_training
        parts = samples, samples.subset(torch.arange(2))
        answered = self.arm.answers(setting, parts, self.seed, on_epoch, models.append)
        if answered.diverged is not None:
            display.say(f"no model is kept to predict with: {self.arm.name}: {answered.diverged}")
            return
        self._save(models[0])

    def _save(self, model: nn.Module) -> None:
        setting = self.checked.setting
        told = {"data": setting.problem.name, "model": setting.model_name, "chosen": self.arm.name, "seed": self.seed}
        TrainedModel.of(model, setting, self.arm, told).save(self.directory)
