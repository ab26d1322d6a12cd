"""A loss as a Python file that needs torch alone."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from autobalance.common import InputError, write_text
from autobalance.losses._base import Loss
from autobalance.losses._binned import RegressionLoss
from autobalance.losses._member import Member
from autobalance.losses._parametric import ParametricLoss

_HEAD = '''\
"""{about}

Written by autobalance {version}; it needs torch alone.{bias}
"""

import warnings

import torch
from torch import nn
from torch.nn import functional as F

#: From which share of the epochs on, and the parameters from then on.
STAGES = [
{stages}
]


class Loss(nn.Module):
    """{use}"""

    def __init__(self):
        super().__init__()
        for number, (_, parameters) in enumerate(STAGES):
            for name, value in parameters.items():
                self.register_buffer(f"{{name}}{{number}}", torch.tensor(value, dtype={dtype}))
        self.stage, self.told = len(STAGES) - 1, len(STAGES) == 1

    def start_epoch(self, progress):
        """Call it before each epoch with epochs done / epochs, where there are several stages."""
        self.stage, self.told = max(number for number, (start, _) in enumerate(STAGES) if start <= progress), True

    def present(self, output):
        if not self.told and self.training and output.requires_grad:
            warnings.warn("the loss is at its last stage: call loss.start_epoch(epoch / epochs) before each epoch")
        return {{name: getattr(self, f"{{name}}{{self.stage}}") for name in STAGES[self.stage][1]}}

'''

_CLASSES = """\
    def forward(self, logits, target, group=None):
        p, focusing = self.present(logits), STAGES[self.stage][1]["gamma"] > 0
        shape, half = target.shape, logits.dtype in (torch.float16, torch.bfloat16)
        z = (logits.float() if half else logits).movedim(1, -1).reshape(-1, logits.shape[1])
        target, group = target.flatten(), None if group is None else group.flatten()
        counted = target != IGNORED
        y = target.where(counted, 0)
        of_classes = {name: t.t()[group] if t.dim() == 2 else t for name, t in p.items()}
        of_target = {name: t[y, group] if t.dim() == 2 else t[y] for name, t in p.items() if t.dim()}
        u = p["scale"] * of_classes["delta"] * z + of_classes["l"]
        u = u.scatter_add(1, y[:, None], -(p["scale"] * of_target["margin"])[:, None].to(u.dtype))
        losses = F.cross_entropy(u, y, reduction="none")
        if focusing:
            losses = (-torch.expm1(-losses)).clamp_min(torch.finfo(losses.dtype).tiny) ** p["gamma"] * losses
        w = of_target["w"].to(losses.dtype) * counted
"""

_NUMBERS = """\
    def forward(self, prediction, target):
        p, focusing = self.present(prediction), STAGES[self.stage][1]["gamma"] > 0
        half = prediction.dtype in (torch.float16, torch.bfloat16)
        f = (prediction.float() if half else prediction).flatten()
        target = (target if target.is_floating_point() else target.double()).flatten()
        edges = torch.tensor(EDGES[1:-1], dtype=target.dtype, device=target.device)
        bins = torch.bucketize(target.detach(), edges, right=True)
        y, f = target.to(f.dtype) / p["scale"], f / p["scale"]
        counted, shape = torch.ones_like(y), y.shape
"""

_BALANCED_MSE = """\
        z = p["delta"][bins] * -((f[:, None] - y) ** 2) / (2 * p["noise_sigma"] ** 2) + p["l"][bins]
        losses = 2 * p["noise_sigma"] ** 2 * F.cross_entropy(z, torch.arange(len(y), device=y.device), reduction="none")
        w = p["w"][bins].to(losses.dtype)
"""

_ERROR = """\
        e = (f - y).abs()
        losses = {error}
        if focusing:
            losses = torch.tanh(0.5 * p["beta"] * e).clamp_min(torch.finfo(e.dtype).tiny) ** p["gamma"] * losses
        w = p["w"][bins].to(losses.dtype)
"""

_ERRORS = {
    "l1": "e",
    "mse": "e**2",
    "huber": 'torch.where(e < p["threshold"], 0.5 * e**2 / p["threshold"], e - 0.5 * p["threshold"])',
}

_REDUCED = {
    "mean": "(w * losses).sum() / w.sum()",
    "batch_mean": "(w * losses).sum() / counted.sum()",
    "sum": "(w * losses).sum()",
    "none": "(w * losses).reshape(shape)",
}


def write_python(loss: Loss, path: str | os.PathLike[str]) -> None:
    """Writes a loss as a Python file, see `Loss.export_python`."""
    members = [(stage.start, stage.loss) for stage in loss.stages]
    first = members[0][1]
    if not isinstance(first, ParametricLoss | RegressionLoss) or not all(isinstance(m, Member) for _, m in members):
        raise InputError(f"{type(loss).__name__} has terms or a state of its own, which a short file cannot hold: "
                         "export a member of a family")  # fmt: skip
    if getattr(first, "label_smoothing", 0):
        raise InputError("the exported file has no `label_smoothing`: load the loss without it")
    write_text(path, _text(first, members))


def _text(first: ParametricLoss | RegressionLoss, members: Sequence[tuple[float, Any]]) -> str:
    stages = [
        f"    ({start!r}, {{{', '.join(f'{name!r}: {getattr(member, name).tolist()!r}' for name in first.defaults)}}}),"
        for start, member in members
    ]
    if isinstance(first, ParametricLoss):
        about = f"A loss for {first.num_classes} classes: {', '.join(first.class_names or ()) or '0, 1, ...'}."
        use = "loss(logits (B, K, ...), target (B, ...)" + (", group=g (B, ...))" if first.num_groups else ")")
        more, body = [f"IGNORED = {first.ignore_index}"], _CLASSES
    else:
        about, use = "A loss for numbers to predict.", "loss(prediction (B,) or (B, 1), target of the same shape)"
        more = [f"EDGES = {first.bin_edges.tolist()!r}"]
        error = _BALANCED_MSE if first.error == "balanced-mse" else _ERROR.format(error=_ERRORS[first.error])
        body = _NUMBERS + error
    bias = first.start_bias
    told = "" if bias is None else "\nAdd START_BIAS to the bias of the model's output before training."
    if bias is not None:
        more.append(f"START_BIAS = {bias.tolist()!r}")
    head = _HEAD.format(
        about=about.replace("\\", " ").replace('"', "'"),
        version=version("autobalance"),
        bias=told,
        stages="\n".join(stages),
        use=use,
        dtype=str(first.w.dtype),
    )
    constants = "".join(f"{line}\n" for line in more)
    return (
        head.replace("\n\n\nclass", f"\n{constants}\n\nclass", 1)
        + body
        + f"        return {_REDUCED[first.reduction]}\n"
    )
