"""Searches and studies in TensorBoard."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self

import torch

from autobalance.common import Callback, InputError


class TensorBoard(Callback):
    """Writes what goes on as scalars, and parameters and hypergradients as histograms too.

    Under ``search/`` are the figures of each epoch, under ``parameters/`` what was trained with, under
    ``hypergradient/`` each gradient and its norm, under ``choice/`` training losses, under ``study/`` how much is done.
    ``with`` closes the file at its end.

    Args:
        directory: where the file of events goes; it is made where it is missing.

    Raises:
        InputError: the package tensorboard is not there.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise InputError(f"TensorBoard needs the extra autobalance[tensorboard]: {error}") from None
        self._writer: Any = SummaryWriter(os.fspath(directory))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Writes what is left."""
        self._writer.close()

    def on_epoch(self, record: Mapping[str, Any]) -> None:
        """See `Callback`."""
        step = record["epoch"]
        for name, value in _scalars("search", {**record, "parameters": None}):
            self._writer.add_scalar(name, value, step)
        for name, values in record.get("parameters", {}).items():
            self._numbers(f"parameters/{name}", torch.as_tensor(values, dtype=torch.float64), step)

    def on_hypergradient(self, record: Mapping[str, Any]) -> None:
        """See `Callback`."""
        for name in ("objective", "train_loss"):
            if math.isfinite(record[name]):
                self._writer.add_scalar(f"hypergradient/{name}", record[name], record["step"])
        for name, gradient in record["gradient"].items():
            if torch.isfinite(gradient).all():
                self._writer.add_scalar(f"hypergradient/norm of {name}", gradient.norm().item(), record["step"])
                self._numbers(f"hypergradient/{name}", gradient, record["step"])

    def on_training(self, record: Mapping[str, Any]) -> None:
        """See `Callback`."""
        self._writer.add_scalar(f"choice/{record['training']}", record["loss"], record["epoch"])

    def on_study(self, record: Mapping[str, Any]) -> None:
        """See `Callback`."""
        self._writer.add_scalar("study/done", record["done"] / max(1, record["total"]), record["done"])

    def _numbers(self, name: str, values: torch.Tensor, step: int) -> None:
        """One number as a scalar, several as a histogram."""
        if values.numel() == 1:
            self._writer.add_scalar(name, values.item(), step)
        else:
            self._writer.add_histogram(name, values.detach().flatten().cpu(), step)


def _scalars(place: str, record: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """The numbers of a tree of dicts, by their path."""
    for name, value in record.items():
        if isinstance(value, Mapping):
            yield from _scalars(f"{place}/{name}", value)
        elif isinstance(value, int | float) and name != "epoch" and math.isfinite(value):
            yield f"{place}/{name}", float(value)
