"""To tell classes apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor

from autobalance.common import InputError
from autobalance.data import Batch, Samples
from autobalance.losses import Loss
from autobalance.losses.named import fixed_point, named_loss
from autobalance.tasks._tables import by_shot, mean_rates, shot_names
from autobalance.tasks._task import Defaults, Task, counted
from autobalance.tasks.metrics import Context
from autobalance.tasks.objectives import GROUPS_FROM


class Classification(Task):
    """To tell K classes apart."""

    index: ClassVar[str] = "class"
    by_index: ClassVar[str] = "class_error"
    main: ClassVar[str] = "balanced_error"
    tie: ClassVar[str] = "balanced_ce"
    watched: ClassVar[tuple[str, ...]] = ("balanced_error",)
    defaults: ClassVar[Defaults] = Defaults("balanced_error", "la", ("w", "l", "delta"), ("ce", "la"))

    def counts(self, samples: Samples) -> Tensor:
        return samples.class_counts(self.problem.num_classes).cpu()

    def fixed_loss(self, name: str, counts: Tensor, **hyper: Any) -> Loss:
        if named_loss(name).index == "cells":
            raise InputError(f"{name} is a loss for groups, and the samples have none: {GROUPS_FROM}")
        return fixed_point(name, counts, class_names=self.problem.class_names, **hyper)

    def tables(self, output: Tensor, batch: Batch, context: Context) -> dict[str, Any]:
        assert context.counts is not None
        wrong = 100 * (output.argmax(1) != batch.y).double()
        errors = mean_rates(wrong, batch.y, context.num_classes)
        return {"class_error": errors, "shots": by_shot(errors, shot_names(context.counts, context.shots))}

    def facts(self, counts: Tensor) -> dict[str, Any]:
        return {"class_names": list(self.problem.class_names), **counted(counts)}

    def progress(self, record: Mapping[str, Any]) -> str:
        return f"balanced error {record['balanced_error']:.1f} %"
