"""What the members of a family share: what all of them offer, and parameters held as buffers, to be searched, changed
and saved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from autobalance.common import InputError, nearest
from autobalance.losses._base import Loss, Table


class Member(Loss):
    """A loss that is a member of a family: it can be searched and kept in a file.

    Attributes:
        task: of its files: ``classification`` or ``regression``.
        defaults: each parameter with the value that has no effect, or that it has where nothing is said.
        tables: those of them that are tables over the K classes (or bins), and groups where there are some.
        ordered: whether the K classes are bins of a target, some of which may be empty.
        w, l, delta: the tables that every member has; the other parameters are attributes of their names, too.
    """

    task: str
    defaults: Mapping[str, float]
    tables: tuple[str, ...]
    ordered: bool = False

    w: Tensor
    l: Tensor  # noqa: E741 - the published symbol
    delta: Tensor
    scale: Tensor
    gamma: Tensor

    @property
    def parameters_in_effect(self) -> dict[str, Tensor]:
        """The parameters that have an effect, by name."""
        raise NotImplementedError

    @property
    def searchable(self) -> tuple[str, ...]:
        """Which of its parameters a search can free."""
        raise NotImplementedError

    def replace(self, **changes: Any) -> Member:
        """A loss like this one with some of its parameters or of what else it is made with, by name, changed. What it
        has collected in training, it shares with this one."""
        raise NotImplementedError

    def reweighted(self, weight: Table) -> Member:
        return self.replace(w=torch.as_tensor(weight))

    def value(
        self,
        output: Tensor,
        target: Tensor,
        parameters: Mapping[str, Tensor],
        group: Tensor | None = None,
        features: Tensor | None = None,
    ) -> Tensor:
        """The loss at other ``parameters`` than its own, differentiable in them, with its own reduction.

        Args:
            output: of the model.
            target, group, features: as the loss is called with.
            parameters: by name; those that are absent have no effect.
        """
        raise NotImplementedError


class Held(Member):
    """A member with its parameters held as buffers of its own.

    Attributes:
        settings: names of what it is made with beside its parameters.
        of_calls: names of what it is made with that is a caller's affair and in no file.
        positive: those numbers that are above 0.
    """

    settings: ClassVar[tuple[str, ...]]
    of_calls: ClassVar[tuple[str, ...]] = ()
    positive: ClassVar[tuple[str, ...]]

    def _hold(self, parameters: Mapping[str, Any], dtype: torch.dtype | None) -> None:
        """Takes the parameters over as buffers of its own; ``num_classes`` is there already.

        Raises:
            InputError: an unknown name, or a value that cannot be.
        """
        dtype = dtype or torch.get_default_dtype()
        if not dtype.is_floating_point:
            raise InputError(f"dtype is {dtype}: the numbers of a loss are floating-point numbers")
        if unknown := sorted(set(parameters) - set(self.defaults)):
            raise InputError(
                f"{type(self).__name__} has no parameter {unknown[0]!r}; it has {', '.join(self.defaults)}"
                f"{nearest(unknown[0], self.defaults)}"
            )
        for name, default in self.defaults.items():
            value = parameters.get(name)
            if name not in self.tables:
                buffer = torch.as_tensor(default if value is None else float(value), dtype=dtype)
            elif value is None:
                buffer = torch.full((self.num_classes,), default, dtype=dtype)
            else:
                buffer = torch.as_tensor(value, dtype=dtype).detach().clone()
                self._check_table(name, buffer)
            self.register_buffer(name, buffer)
        self._check_values()

    def _check_table(self, name: str, table: Tensor) -> None:
        """Raises an InputError for a table of another shape."""
        raise NotImplementedError

    def _check_values(self) -> None:
        """Refuses what cannot be, and notes which parameters differ from their defaults: the others cost nothing."""
        for name in self.defaults:
            value = getattr(self, name)
            if not torch.isfinite(value).all():
                raise InputError(f"{name} is not finite: {value.tolist()}")
        if (self.w < 0).any():
            raise InputError(f"w has a negative weight: {self.w.tolist()}")
        if not (self.w > 0).any():
            raise InputError("w is 0 for every class: no sample would be learned from; give a weight above 0")
        if self.gamma < 0:
            raise InputError(f"gamma is {self.gamma.item()}; the focusing exponent is at least 0")
        for name in self.positive:
            if not getattr(self, name) > 0:
                raise InputError(f"{name} is {getattr(self, name).item()}; it is above 0")
        self._active = tuple(name for name, at in self.defaults.items() if (getattr(self, name) != at).any())

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)
        self._check_values()

    @property
    def parameters_in_effect(self) -> dict[str, Tensor]:
        buffers: Any = self._buffers  # an attribute of a module takes longer
        return {name: buffers[name] for name in self._active}

    def replace(self, **changes: Any) -> Held:
        same = {name: getattr(self, name) for name in (*self.settings, *self.of_calls, *self.defaults)}
        return type(self)(**{**same, "dtype": self.w.dtype, **changes}).to(self.w.device)
