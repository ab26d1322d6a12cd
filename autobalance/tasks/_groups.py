"""To tell classes apart in each of several groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor

from autobalance.data import Batch, Samples
from autobalance.losses import Loss
from autobalance.losses.named import fixed_point, named_loss
from autobalance.tasks._tables import by_shot, mean_rates, shot_names
from autobalance.tasks._task import Defaults, Task, counted
from autobalance.tasks.metrics import Context


class GroupClassification(Task):
    """To tell K classes apart, in each of G groups; the problem has ``group_names``."""

    index: ClassVar[str] = "cell"
    by_index: ClassVar[str] = "cell_error"
    main: ClassVar[str] = "group_balanced_error"
    tie: ClassVar[str] = "group_balanced_ce"
    watched: ClassVar[tuple[str, ...]] = ("balanced_error", "group_balanced_error", "worst_group_error", "deo")
    defaults: ClassVar[Defaults] = Defaults(
        "group_balanced_error",
        "group-la",
        ("w", "l", "delta"),
        ("ce", "la", "group-weighted", "group-la"),
    )

    def counts(self, samples: Samples) -> Tensor:
        return samples.cell_counts(self.problem.num_classes, self.problem.num_groups).cpu()

    def fixed_loss(self, name: str, counts: Tensor, **hyper: Any) -> Loss:
        if named_loss(name).index == "cells":
            hyper = {"group_names": self.problem.group_names, **hyper}
            return fixed_point(name, cell_counts=counts, class_names=self.problem.class_names, **hyper)
        return fixed_point(name, counts.sum(1), class_names=self.problem.class_names, **hyper)

    def tables(self, output: Tensor, batch: Batch, context: Context) -> dict[str, Any]:
        assert batch.group is not None and context.counts is not None
        groups, wrong = context.num_groups, 100 * (output.argmax(1) != batch.y).double()
        cells = mean_rates(wrong, batch.y * groups + batch.group, context.num_classes * groups)
        return {
            "class_error": mean_rates(wrong, batch.y, context.num_classes),
            "group_error": mean_rates(wrong, batch.group, groups),
            "cell_error": [cells[start : start + groups] for start in range(0, len(cells), groups)],
            "shots": by_shot(cells, shot_names(context.counts, context.shots)),
        }

    def facts(self, counts: Tensor) -> dict[str, Any]:
        names = {"class_names": list(self.problem.class_names), "group_names": list(self.problem.group_names or ())}
        return {**names, **counted(counts.sum(1)), "cell_counts": counts.tolist()}

    def progress(self, record: Mapping[str, Any]) -> str:
        return (
            f"balanced error {record['balanced_error']:.1f} %, worst group {record['worst_group_error']:.1f} %, "
            f"DEO {record['deo']:.1f}"
        )
