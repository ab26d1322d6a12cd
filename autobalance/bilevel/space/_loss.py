"""What is searched: which parameters of the loss are free, where they start, their bounds and their gauge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from types import MappingProxyType

import torch
from torch import Tensor

from autobalance.bilevel.space._numbers import NUMBERS
from autobalance.bilevel.space._ties import tie_of
from autobalance.common import InputError
from autobalance.data import Batch
from autobalance.losses import (
    CSL,
    MODIFICATIONS,
    Loss,
    Member,
    ScheduledLoss,
    layers,
    with_absent,
)
from autobalance.losses.named import check_cells

#: The tables that can be free, each with the largest deviation from its start: of log w, of l, of log Δ, of s m.
BOUNDS: Mapping[str, float] = {"w": 3.0, "l": 10.0, "delta": 1.5, "margin": 10.0}
#: What one unit of a searched number means. Δ multiplies logits that are several units large, so the same change of
#: log Δ moves a decision several times as far as a change of l; and w and Δ, which helped least and harmed most when
#: they were wrong, are held closer to their start.
UNITS: Mapping[str, float] = {"w": 0.25, "l": 1.0, "delta": 0.1, "margin": 1.0}
#: All that can be free of a loss.
OF_LOSS = (*BOUNDS, *NUMBERS)

#: How tables deviate from their start.
BOUNDED, PUBLISHED = FORMS = ("bounded", "published")
#: Where the a of the published Δ = sigmoid(B a) start (Li et al. 2021, eq. 2.2, and the released code).
SIGMOID_START = 1.0

#: The share of the epochs after which late parameters are switched on: epoch 160 of 200 in LDAM-DRW.
LATE_START = 0.8


class LossSpace:
    """The losses around a start: each free parameter deviates from it along a basis over the classes.

    With the search's raw numbers a, all zero at the start, the basis B, its largest row sum r = max_k Σ_j |B_kj|,
    units c and d(a) = B (b/r) tanh(c r a / b), which is bounded by b and stays in the span of B:

        w = w⁰ exp(d(a_w)) / mean,    l = l⁰ + d(a_l) - mean,    Δ = Δ⁰ exp(d(a_Δ)),    m = m⁰ + d(a_m) / s⁰

    so that w has mean one over the training samples and l has mean zero over the classes: the gauge, without which
    a constant in l and a factor in w would drift, since neither changes what is learned.

    With groups (Li et al. 2021, eq. 4.2) every free parameter is a table over the cells, a class in a group each, and
    so are a and d. A sample sees the column of its group alone, so a constant in each column of l changes nothing: l
    has mean zero over the classes *in each group*. Of w only a factor common to all cells does nothing, since the
    groups share one model: w has mean one over the samples of all cells.

    Single numbers (the scale s, the focusing γ, the strength of a term such as CSL) deviate as `Number` says. A term
    whose strength is free and that the start lacks is added with strength 0.

    The published form (Li et al. 2021, eq. 2.2, and their released code) has neither bounds nor units, l = l⁰ + B a_l
    and Δ = sigmoid(B a_Δ), where a_Δ starts at 1: training starts with logits times sigmoid(1) = 0.73.

    A start with a schedule keeps it: the deviations apply in all its stages. Parameters named in ``late`` deviate from
    the start in the last part of training only, as LDAM-DRW's weights do (Cao et al. 2019, algorithm 1).

    Args:
        start: the loss at a = 0: a point of the family, or a schedule of such points. Its reduction is trained with.
        class_counts: training samples of each class, (K,), or of each class in each group, (K, G).
        free: which of `OF_LOSS` are searched, or none; the others stay as they are in ``start``.
        tie: ``frequency`` (one number for each free parameter, times log n_k; with groups one a group, times log n_kg),
            ``class`` (K numbers, or K G), or ``cluster:C`` (one for each cluster of C classes that are next to one
            another by frequency).
        late: free parameters that deviate only from ``late_start`` on.
        late_start: a share of the epochs, above 0 and below 1.
        group_names: G names for the loss that is found.
        form: ``bounded`` or ``published``, which has l and Δ by class or cluster.

    Raises:
        InputError (a ValueError): names that cannot be, a start that is no point of the family or has another number
            of classes, or a class without training samples (bins of a regression may be empty).
    """

    def __init__(
        self,
        start: Loss,
        class_counts: Tensor,
        free: Sequence[str] = ("w", "l", "delta"),
        tie: str = "frequency",
        late: Sequence[str] = (),
        late_start: float = LATE_START,
        group_names: Sequence[str] | None = None,
        form: str = BOUNDED,
    ) -> None:
        if unknown := [name for name in free if name not in OF_LOSS]:
            raise InputError(f"{unknown[0]!r} cannot be searched; free parameters are any of {', '.join(OF_LOSS)}")
        if bound := [name for name in late if name not in free]:
            raise InputError(f"{bound[0]!r} is late but not free: only a searched parameter can be switched on late")
        if not 0 < late_start < 1:
            raise InputError(f"late_start is {late_start}; it is a share of the epochs, above 0 and below 1")
        for stage in start.stages:
            if not isinstance(stage.loss, Member):
                raise InputError(
                    f"a search cannot start from {type(stage.loss).__name__}: start from a point of the family, "
                    "such as ce, la, vs or ldam-drw"
                )
        self.free, self.tie, self.form = tuple(dict.fromkeys(free)), tie, form
        start = deepcopy(start)  # it is trained with elsewhere, too
        self.start = self._for_groups(self._with_terms(start, class_counts), class_counts, group_names)
        if (csl := self.csl()) is not None:
            csl.statistics.reset()
        first = self._point(0.0)
        if idle := [name for name in self.free if name not in first.searchable]:
            raise InputError(
                f"{idle[0]!r} has no effect on the loss to start from: free any of {', '.join(first.searchable)}"
            )
        if class_counts.dim() == 2 and len(class_counts) == start.num_classes:
            check_cells(class_counts.cpu(), start.class_names, group_names)
        elif len(class_counts) != start.num_classes or ((class_counts < 1).any() and not first.ordered):
            raise InputError(
                f"the loss to start from has {start.num_classes} classes, each of which needs training samples; "
                f"there are {class_counts.tolist()}"
            )
        self.late, self.late_start = frozenset(late), late_start
        starts = {stage.start for stage in start.stages} | ({late_start} if late else set())
        self._starts = sorted(starts)
        if form == PUBLISHED:
            self._check_published(first)
        counts = class_counts.to(first.w)
        self._tie = tie_of(tie, counts.clamp_min(1))  # a bin without samples deviates as one with a single sample
        self._reach = self._tie.reach
        if self._reach == 0 and self.free:
            what = "classes" if counts.dim() == 1 else "classes of all groups"
            raise InputError(
                f"all {what} have the same number of samples, so nothing can follow their frequency: set `tie` to class"
                " instead"
            )
        self._share = counts / counts.sum()

    def _check_published(self, first: Member) -> None:
        """Refuses what the published form does not have."""
        if other := [name for name in self.free if name not in ("l", "delta")]:
            raise InputError(f"the `form` {PUBLISHED} has no {other[0]!r}: free l, delta or both")
        if self.tie == "frequency":
            raise InputError(f"the `form` {PUBLISHED} has a number a class or cluster: set `tie` to class or cluster:C")
        if "delta" in self.free and (first.delta != 1).any():
            raise InputError(f"the `form` {PUBLISHED} searches Δ from 1, and the loss to start from has another: start "
                             "from ce or la")  # fmt: skip

    def _with_terms(self, start: Loss, counts: Tensor) -> Loss:
        """The start with the terms whose strengths are free, absent at first."""
        counts = counts if counts.dim() == 1 else counts.sum(1)
        first = start.stages[0].loss
        for kind in MODIFICATIONS:
            there = isinstance(first, Member) and any(each.kind == kind for each in layers(first))
            if kind in self.free and not there:
                start = with_absent(start, kind, counts)
        return start

    def csl(self, progress: float = 0.0) -> CSL | None:
        """The CSL term at a share of the epochs, which collects statistics in training; None where there is none."""
        point = self._point(progress)
        return point if isinstance(point, CSL) else None  # nothing goes around it

    @property
    def needs_features(self) -> bool:
        """Whether the loss has to be shown the features of the model's last layer."""
        return self.start.needs_features

    @property
    def sharpness(self) -> float:
        """What logits are multiplied by in the training loss that the search starts from: s⁰ times the geometric mean
        of Δ⁰. At the end of a training the softmax of such logits, not of bare ones, says how sure the model is."""
        point = self._point(1.0)
        if point.ordered:
            return 1.0
        return float(point.scale * point.delta.log().mean().exp())

    @property
    def scheduled(self) -> bool:
        """Whether the loss changes in the course of a training."""
        return len(self._starts) > 1

    @property
    def shares(self) -> Tensor:
        """Of the training samples, each class's, (K,), or each cell's, (K, G)."""
        return self._share

    @property
    def balance(self) -> float:
        """K² / Σ_k (1 / share_k) over the K classes, bins or cells that have samples: the share of independent samples
        that a balanced mean is worth, 1 where all are equally frequent."""
        share = self._share[self._share > 0]
        return float(len(share.flatten()) ** 2 / (1 / share).sum())

    def _for_groups(self, start: Loss, counts: Tensor, group_names: Sequence[str] | None) -> Loss:
        """The start with a column a group in every free table, where the counts have groups."""
        groups = counts.shape[1] if counts.dim() == 2 else 0
        if start.num_groups not in (0, groups):
            raise InputError(
                f"the loss to start from has {start.num_groups} groups, the samples have {groups or 'none'}"
            )
        if not groups:
            return start
        stages = []
        for stage in start.stages:
            assert isinstance(stage.loss, Member)  # checked before
            tables = {name: getattr(stage.loss, name) for name in self.free if name in BOUNDS}
            wide = {
                name: table if table.dim() == 2 else table[:, None].expand(-1, groups) for name, table in tables.items()
            }
            names = {} if group_names is None else {"group_names": tuple(group_names)}
            stages.append((stage.start, stage.loss.replace(**wide, **names)))
        return stages[0][1] if len(stages) == 1 else ScheduledLoss(stages)

    def _point(self, progress: float) -> Member:
        point = self.start.at(progress)
        assert isinstance(point, Member)  # checked for every stage
        return point

    def init(self) -> dict[str, Tensor]:
        """The raw numbers of the start, by parameter: zeros, one for each column of the basis (and each group) of a
        table, and one for a single number."""
        zeros = self._tie.numbers()
        raw = {name: zeros.clone() if name in BOUNDS else zeros.new_zeros(()) for name in self.free}
        if self.form == PUBLISHED and "delta" in raw:
            raw["delta"] += SIGMOID_START
        return raw

    def bounded(self, raw: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """``raw`` with the single numbers within their bounds."""
        bounds = {}
        for name in self.free:
            if name in NUMBERS:
                starts = [float(getattr(stage.loss, name)) for stage in self.start.stages]
                bounds[name] = NUMBERS[name].bounds(starts)
        return {name: a.clamp(*bounds[name]) if name in bounds else a for name, a in raw.items()}

    def parameters(self, raw: Mapping[str, Tensor], progress: float = 0.0) -> dict[str, Tensor]:
        """The parameters of the loss at ``raw`` and a share of the epochs, differentiable in ``raw``.

        Those that have no effect are left out; numbers in ``raw`` that are not the loss's are not looked at.
        """
        point = self._point(progress)
        parameters = point.parameters_in_effect
        for name, value in raw.items():
            if name not in self.free or (name in self.late and progress < self.late_start):
                continue
            start = getattr(point, name)
            parameters[name] = (
                NUMBERS[name].at(start, value) if name in NUMBERS else self._table(name, start, value, point)
            )
        if "w" in parameters:
            w = parameters["w"]
            parameters["w"] = w / (self._share * (w if w.dim() == self._share.dim() else w[:, None])).sum()
        if "l" in parameters:
            parameters["l"] = parameters["l"] - parameters["l"].mean(dim=0)
        return parameters

    def _table(self, name: str, start: Tensor, raw: Tensor, point: Member) -> Tensor:
        if self.form == PUBLISHED:
            spread = self._tie.spread(raw)
            return start + spread if name == "l" else spread.sigmoid()
        bound = BOUNDS[name] / self._reach
        along = bound * torch.tanh(UNITS[name] * raw / bound)
        deviation = self._tie.spread(along)
        if name == "margin":
            return start + deviation / point.scale
        return start + deviation if name == "l" else start * deviation.exp()

    def train_loss(
        self,
        raw: Mapping[str, Tensor],
        output: Tensor | tuple[Tensor, Tensor],
        batch: Batch,
        progress: float = 0.0,
        held: Mapping[str, Tensor] = MappingProxyType({}),
    ) -> Tensor:
        """The training loss at ``raw`` on a batch.

        Args:
            raw: the searched numbers.
            output: of the model: logits, or logits and features.
            batch: what it answered.
            progress: a share of the epochs.
            held: statistics that stay as they are during the epoch, see `Collector`.
        """
        logits, features = output if isinstance(output, tuple) else (output, None)
        parameters = {**self.parameters(raw, progress), **held}
        return self._point(progress).value(logits, batch.y, parameters, batch.group, features)

    def loss(self, raw: Mapping[str, Tensor]) -> Member | ScheduledLoss:
        """The loss at ``raw`` as a module of its own: a point of the family, or a schedule of points."""
        stages = []
        for start in self._starts:
            values = {name: value.detach() for name, value in self.parameters(raw, start).items()}
            stages.append((start, self._point(start).replace(**values)))
        return stages[0][1] if len(stages) == 1 else ScheduledLoss(stages)
