"""Resampling: every class (or class in a group) is drawn as often as any other, from the first epoch on or late.

Late resampling is DRS: Cao et al. 2019, section 3.4, try it beside deferred re-weighting.
"""

from __future__ import annotations

import torch

from autobalance.data import stratum
from autobalance.losses.named import named_loss
from autobalance.study._training import Training
from autobalance.study.steps._resampled import Resampled
from autobalance.study.steps._step import Step, register_step
from autobalance.training import Stream


def _resampled(stream: Stream, training: Training) -> Stream:
    cells = torch.from_numpy(stratum(stream.samples, training.setting.problem.bin_edges))
    return Resampled(stream, cells, training.hyper.get("drs_start", 0.0))


register_step(Step("+rs", "every class or cell drawn as often as any other", stream=_resampled))
register_step(
    Step(
        "+drs",
        "the same, switched on late",
        {"drs_start": 0.8},
        {"drs_start": named_loss("ldam-drw").ranges["drw_start"]},
        stream=_resampled,
    )
)
