"""A member of the family with one thing more, of a strength that can be searched like any other parameter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from autobalance.common import InputError, check_value
from autobalance.losses._base import Loss, check_call, reduce
from autobalance.losses._member import Member
from autobalance.losses._parametric import ParametricLoss
from autobalance.losses._schedule import ScheduledLoss


class Modified(Member):
    """Base of `CSL`, `InfluenceBalanced` and `Equalization`: a member of the classification family, ``base``, and what
    is done to it with a strength, at which 0 leaves the base as it is.

    Its parameters are those of the base and numbers of its own.

    Args:
        base: a `ParametricLoss`, or one that is modified in another way.
        numbers: its own numbers, by name.

    Attributes:
        kind: its name in files; that of the strength too.
        numbers: its own numbers with their published values, the strength first.
        most: the largest strength, None where there is none.
        settings: names of what else it is made with, kept in files.
        outermost: whether no other goes around it.

    Raises:
        InputError (a ValueError): another base, or values that cannot be.
    """

    kind: ClassVar[str]
    numbers: ClassVar[Mapping[str, float]]
    most: ClassVar[float | None] = None
    settings: ClassVar[tuple[str, ...]] = ()
    outermost: ClassVar[bool] = False

    base: ParametricLoss | Modified

    def __init__(self, base: Member, numbers: Mapping[str, float | Tensor]) -> None:
        super().__init__()
        if not isinstance(base, ParametricLoss | Modified):
            raise InputError(
                f"{type(self).__name__} goes around a member of the classification family, such as ce or la, not "
                f"{type(base).__name__}"
            )
        if isinstance(base, ParametricLoss) and (base.label_smoothing or base.ignore_index != -100):
            raise InputError(f"label_smoothing and ignore_index have no effect with {self.kind}: leave them out")
        if isinstance(base, Modified) and base.outermost and base.kind != self.kind:
            raise InputError(f"{self.kind} goes inside {base.kind}, not around it")
        if any(each.kind == self.kind for each in layers(base)):
            raise InputError(f"the loss has {self.kind} already: it goes around a loss once")
        self.base, self.task, self.tables, self.ordered = base, base.task, base.tables, base.ordered
        self.num_classes, self.num_groups, self.reduction = base.num_classes, base.num_groups, base.reduction
        self.class_names, self.group_names = base.class_names, base.group_names
        self.needs_features = base.needs_features
        self.defaults = {**base.defaults, **self.numbers, self.kind: 0.0}
        for name, value in numbers.items():
            check_value(name, float(value), at_least=0, at_most=self.most if name == self.kind else None)
            self.register_buffer(name, torch.as_tensor(value, dtype=base.w.dtype).detach().clone())
        self._in_effect = float(numbers[self.kind]) > 0

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)
        self._in_effect = float(getattr(self, self.kind)) > 0

    def __getattr__(self, name: str) -> Any:
        """The parameters of the base are its own, too."""
        base = self.__dict__.get("_modules", {}).get("base")
        return getattr(base, name) if base is not None and name in base.defaults else super().__getattr__(name)

    @property
    def parameters_in_effect(self) -> dict[str, Tensor]:
        own = {name: getattr(self, name) for name in self.numbers} if self._in_effect else {}
        return {**self.base.parameters_in_effect, **own}

    @property
    def searchable(self) -> tuple[str, ...]:
        return (*self.base.searchable, *self.numbers)

    @property
    def shared(self) -> dict[str, Any]:
        """What it is made with that a loss like it has, too: what was collected in training."""
        return {}

    def replace(self, **changes: Any) -> Modified:
        own = {name: changes.pop(name) for name in (*self.numbers, *self.settings, *self.shared) if name in changes}
        return self.with_base(self.base.replace(**changes), **own)

    def with_base(self, base: Member, **changes: Any) -> Modified:
        """The same around another base, with changed numbers or settings of its own, by name."""
        own = {name: getattr(self, name) for name in (*self.numbers, *self.settings)}
        return self.around(base, **{**own, **self.shared, **changes})

    @classmethod
    def around(cls, base: Member, **given: Any) -> Modified:
        """It with another base: ``given`` are its numbers and settings by name, as published where they are not."""
        return cls(base, **given).to(base.w.device)

    @classmethod
    def absent(cls, base: Member, class_counts: Tensor) -> Modified:
        """It with strength 0, for a search that lets the strength rise.

        Args:
            base: which it leaves as it is.
            class_counts: training samples of each class, (K,).
        """
        return cls.around(base, **{cls.kind: 0.0})

    def losses(
        self,
        output: Tensor,
        target: Tensor,
        parameters: Mapping[str, Tensor],
        group: Tensor | None = None,
        features: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """See `ParametricLoss.losses`."""
        raise NotImplementedError

    def value(
        self,
        output: Tensor,
        target: Tensor,
        parameters: Mapping[str, Tensor],
        group: Tensor | None = None,
        features: Tensor | None = None,
    ) -> Tensor:
        if self.kind not in parameters:
            return self.base.value(output, target, parameters, group, features)
        return reduce(*self.losses(output, target, parameters, group, features), self.reduction)

    def forward(
        self,
        input: Tensor,
        target: Tensor,
        group: Tensor | None = None,
        features: Tensor | None = None,
        num_items_in_batch: Tensor | float | None = None,
        **_: object,
    ) -> Tensor:
        """The loss.

        Args:
            input: logits, (B, K).
            target: (B,), int64.
            group: (B,), int64, where the base has groups.
            features: of the model's last layer, (B, D), where ``needs_features`` says so; or their norms, (B,).
            num_items_in_batch: None; a mean over several batches is for losses without terms.

        Raises:
            InputError: see `check_call`; features that are missing or of another shape.
        """
        check_call(input, target, group, self.num_classes, self.num_groups)
        if num_items_in_batch is not None and self.reduction in ("mean", "batch_mean"):
            raise InputError(f"a loss with {self.kind} takes no num_items_in_batch: train without adding up the "
                             "gradients of several batches")  # fmt: skip
        return self.of_batch(input, target, group, features)

    def of_batch(self, logits: Tensor, target: Tensor, group: Tensor | None, features: Tensor | None) -> Tensor:
        """What `forward` gives for a call that was checked."""
        return self.value(logits, target, self.parameters_in_effect, group, features)

    @property
    def start_bias(self) -> Tensor | None:
        return self.base.start_bias

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={getattr(self, name).item():g}" for name in self.numbers)


def layers(member: Member) -> Iterator[Modified]:
    """The ways in which a member is modified, the outermost first."""
    while isinstance(member, Modified):
        yield member
        member = member.base


def in_every_stage(loss: Loss, kind: type[Modified], make: Callable[[Member, dict[str, Any]], Member]) -> Loss:
    """``loss`` with a modification in each of its stages, which share what it collects in training.

    Args:
        loss: a member of the classification family, or a schedule of members.
        kind: of the modification.
        make: ``make(member, shared)`` -> the member with it; ``shared`` is `Modified.shared` of the stage before.

    Raises:
        InputError: another loss.
    """
    stages: list[tuple[float, Loss]] = []
    shared: dict[str, Any] = {}
    for stage in loss.stages:
        if not isinstance(stage.loss, Member):
            raise InputError(
                f"{kind.kind} goes around members of the family, such as ce or la, not {type(stage.loss).__name__}"
            )
        made = make(stage.loss, shared)
        shared = next(each.shared for each in layers(made) if each.kind == kind.kind)
        stages.append((stage.start, made))
    return stages[0][1] if len(stages) == 1 else ScheduledLoss(stages)
