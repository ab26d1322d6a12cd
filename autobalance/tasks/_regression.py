"""To predict a number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from autobalance.common import InputError, nearest, significant
from autobalance.common.density import bin_index
from autobalance.data import Batch, Samples
from autobalance.losses import Loss
from autobalance.losses.named import fixed_point, fixed_points, named_loss
from autobalance.tasks._tables import SHOTS, mean_rates, shot_names
from autobalance.tasks._task import Defaults, Task, counted
from autobalance.tasks.metrics import Context, metric_named


class Regression(Task):
    """To predict a number; the index is the bin that the target falls into. The problem has ``bin_edges``."""

    index: ClassVar[str] = "bin"
    by_index: ClassVar[str] = "bin_mae"
    main: ClassVar[str] = "balanced_mae"
    tie: ClassVar[str] = "mae"
    watched: ClassVar[tuple[str, ...]] = ("balanced_mae", "mae")
    # On validation samples of two tables this learning rate did better than 0.1.
    defaults: ClassVar[Defaults] = Defaults("balanced_mae", "sqinv", ("w",), ("l1", "sqinv", "inv", "lds"), 0.02)

    @property
    def edges(self) -> Tensor:
        """Of the bins, (K + 1,), float64."""
        return torch.tensor(self.problem.bin_edges, dtype=torch.float64)

    @property
    def scale(self) -> float:
        """The standard deviation of the training targets: what the losses measure errors in."""
        return self.problem.train.y.double().std(correction=0).item()

    @property
    def context(self) -> Context:
        return replace(super().context, bin_edges=self.edges, scale=self.scale)

    def counts(self, samples: Samples) -> Tensor:
        return bin_index(samples.y.cpu(), self.edges).bincount(minlength=self.problem.num_classes)

    def fixed_loss(self, name: str, counts: Tensor, **hyper: Any) -> Loss:
        if name not in fixed_points("regression"):
            raise InputError(
                f"no regression loss is called {name!r}; there are {', '.join(fixed_points('regression'))}"
                f"{nearest(name, fixed_points('regression'))}"
            )
        hyper = {**named_loss(name).in_deviations, **hyper}
        return fixed_point(name, bin_counts=counts, bin_edges=self.edges, scale=self.scale, **hyper)

    def tables(self, output: Tensor, batch: Batch, context: Context) -> dict[str, Any]:
        """The MAE of each bin, and MAE, MSE and GM of the samples in the bins of each shot."""
        assert context.counts is not None
        output, y = output.detach().cpu().double().flatten(), batch.y.cpu().double()
        bins = bin_index(y, self.edges)
        shots = shot_names(context.counts, context.shots)
        found = {}
        for shot in SHOTS:
            part = torch.tensor([its == shot for its in shots])[bins]
            few = Batch(batch.x, y[part])
            found[shot] = {
                **{
                    name: metric_named(name).exact(output[part], few, context) if part.any() else None
                    for name in ("mae", "mse", "gm")
                },
                "samples": int(part.sum()),
            }
        return {"bin_mae": mean_rates((output - y).abs(), bins, context.num_classes), "shots": found}

    def facts(self, counts: Tensor) -> dict[str, Any]:
        return {
            "class_names": list(self.problem.class_names),
            **counted(counts),
            "bin_edges": list(self.problem.bin_edges or ()),
            "shot_thresholds": list(self.shots),
        }

    def progress(self, record: Mapping[str, Any]) -> str:
        return f"MAE {significant(record['mae'], 4)}, balanced {significant(record['balanced_mae'], 4)}"
