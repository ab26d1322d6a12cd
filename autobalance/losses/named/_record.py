"""What the package knows of a published loss, in one record: how it is built, tuned, shown, and where it comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from inspect import signature
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from autobalance.common import InputError, nearest
from autobalance.losses import Loss
from autobalance.losses.named._range import Range

Index = Literal["classes", "cells", "bins"]
Head = Literal["linear", "cosine"]


@dataclass(frozen=True)
class Bins:
    """What a regression loss is built with beside its bins' counts.

    Args:
        edges: (K + 1,), ascending, in the unit of the targets.
        error: of the losses that only weight: ``l1``, ``mse`` or ``huber``; None: ``l1``.
        scale: what errors are measured in, see `RegressionLoss`.

    Raises:
        InputError: another error.
    """

    edges: Tensor
    error: str | None = None
    scale: float = 1.0

    def __post_init__(self) -> None:
        if self.error not in (None, "l1", "mse", "huber"):
            raise InputError(f"error is {self.error!r}; choose l1, mse or huber")


@dataclass(frozen=True)
class Settings:
    """What every loss is built with beside the counts and its own hyper-parameters; None where nothing was said.

    Args:
        weight: overrides w.
        reduction: see `ParametricLoss`; a loss has its published one where this is None.
        class_names, group_names: for people.
        dtype: of the loss's numbers.
        bins: for regression alone.
    """

    weight: Tensor | None = None
    reduction: str | None = None
    class_names: tuple[str, ...] | None = None
    group_names: tuple[str, ...] | None = None
    dtype: torch.dtype | None = None
    bins: Bins | None = None


@dataclass(frozen=True)
class NamedLoss:
    """A published loss.

    Args:
        name: what people call it by, in Python and on the command line.
        title: its name in reports.
        index: what its tables and its counts are indexed by: ``classes``, (K,); ``cells``, a class in a group each,
            (K, G); or ``bins`` of the target, (K,).
        build: ``build(counts, settings, **hyper)`` -> the loss, for counts in float64 and `Settings`. The parameters
            with a default, which is the published value, are the hyper-parameters. `family_member` and
            `regression_member` make one of a formula.
        source: authors, year, equation.
        head: of the models that it is published with: ``cosine`` where its scale expects cosines.
        ranges: where its hyper-parameters are tuned. Those that are not listed are not tuned: they choose a variant, or
            no paper tunes them.
        in_deviations: defaults where errors are measured in standard deviations of the target, as the commands do, if
            they differ from the published ones.
        slowed: (a hyper-parameter, a factor): from the share of the epochs that the hyper-parameter says the learning
            rate is multiplied by the factor, as published, since the loss has another scale there.
        ordered: whether a loss of bins can also be had for classes that have an order, from their counts.

    Raises:
        InputError: a range or a default for a hyper-parameter that ``build`` lacks, an unknown index or head.
    """

    name: str
    title: str
    index: Index
    build: Callable[..., Loss]
    source: str = ""
    head: Head = "linear"
    ranges: Mapping[str, Range] = field(default_factory=dict)
    in_deviations: Mapping[str, Any] = field(default_factory=dict)
    ordered: bool = False
    slowed: tuple[str, float] | None = None

    def __post_init__(self) -> None:
        for what, value, known in (("index", self.index, Index), ("head", self.head, Head)):
            if value not in get_args(known):
                raise InputError(f"{what} of the loss {self.name} is {value!r}; choose {', '.join(get_args(known))}")
        self.check([*self.ranges, *self.in_deviations, *(self.slowed or ())[:1]])

    @property
    def hyper_parameters(self) -> dict[str, Any]:
        """The hyper-parameters with their published values."""
        return {p.name: p.default for p in signature(self.build).parameters.values() if p.default is not p.empty}

    @property
    def tuned(self) -> dict[str, Any]:
        """The hyper-parameters that are tuned, with the values that tuning begins with: those that the commands use."""
        values = {**self.hyper_parameters, **self.in_deviations}
        return {name: values[name] for name in self.ranges}

    def drop(self, hyper: Mapping[str, Any]) -> tuple[float, float] | None:
        """When, as a share of the epochs, and by what factor the learning rate is lowered for the loss with these
        hyper-parameters, the others being as published; None: it is not."""
        if self.slowed is None:
            return None
        name, factor = self.slowed
        return float({**self.hyper_parameters, **hyper}[name]), factor

    def check_values(self, hyper: Mapping[str, Any]) -> None:
        """Raises an InputError for a name that is none of the hyper-parameters, or for a text in place of a number."""
        self.check(hyper)
        for name, value in hyper.items():
            default = self.hyper_parameters[name]
            if isinstance(default, int | float) and isinstance(value, str):
                raise InputError(f"{name} of {self.name} is {value!r}; it has to be a number, such as {default}")

    def check(self, hyper: Iterable[str]) -> None:
        """Raises an InputError for a name that is none of the hyper-parameters."""
        known = self.hyper_parameters
        if unknown := sorted(set(hyper) - set(known)):
            has = ", ".join(known) or "none"
            raise InputError(
                f"{self.name} has no hyper-parameter {unknown[0]!r}; it has {has}{nearest(unknown[0], known)}"
            )
