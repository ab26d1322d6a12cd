"""The largest logits of each sample: all that metrics of predictions need to see where there are very many classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

#: Logits that are looked through in one go.
AT_ONCE = 2**24


@dataclass(frozen=True)
class Largest:
    """Of logits of K classes, the M largest of each sample and that of its own class, in the place of the least of
    them where it is not among them.

    With offsets added to the logits, a class can so become the prediction of a sample among whose M largest logits it
    was. The others count together in cross-entropy at a temperature of 1, and not at all in a sharper softmax.

    Args:
        values: the logits, (N, M).
        index: their classes, (N, M), int32.
        own: the place of the sample's class among them, (N,).
        rest: log of the sum of exp of all others, (N,).
        classes: K.
    """

    values: Tensor
    index: Tensor
    own: Tensor
    rest: Tensor
    classes: int

    @classmethod
    def of(cls, logits: Tensor, y: Tensor, number: int) -> Largest:
        """The ``number`` largest of logits (N, K) of samples of the classes y, (N,)."""
        rows = max(1, AT_ONCE // logits.shape[1])
        pairs = zip(logits.split(rows), y.split(rows), strict=True)
        return cls.joined([cls._of_rows(part, its_y, number) for part, its_y in pairs])

    @classmethod
    def _of_rows(cls, logits: Tensor, y: Tensor, number: int) -> Largest:
        values, index = logits.topk(number, 1)
        own = index == y[:, None]
        there = own.any(1)
        index[:, -1] = torch.where(there, index[:, -1], y)
        values[:, -1] = torch.where(there, values[:, -1], logits.gather(1, y[:, None])[:, 0])
        place = torch.where(there, own.int().argmax(1), index.shape[1] - 1)
        rest = logits.scatter(1, index, -torch.inf).logsumexp(1)
        return cls(values, index.int(), place, rest, logits.shape[1])

    @classmethod
    def joined(cls, parts: Sequence[Largest]) -> Largest:
        """One after the other."""
        each = {name: torch.cat([getattr(part, name) for part in parts]) for name in _TENSORS}
        return cls(**each, classes=parts[0].classes)

    def _each(self, change: Callable[[Tensor], Tensor]) -> Largest:
        tables: dict[str, Any] = {name: change(getattr(self, name)) for name in _TENSORS}
        return replace(self, **tables)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: Tensor | slice) -> Largest:
        """Those of some samples."""
        return self._each(lambda table: table[rows])

    def __add__(self, offsets: Tensor) -> Largest:
        """With offsets of the classes, (K,), differentiable."""
        of_each = offsets.index_select(0, self.index.flatten()).view_as(self.index)
        return replace(self, values=self.values + of_each)

    def __truediv__(self, unit: Tensor | float) -> Largest:
        """In another unit; what was not kept is left out."""
        return replace(self, values=self.values / unit, rest=torch.full_like(self.rest, -torch.inf))

    def __mul__(self, unit: Tensor | float) -> Largest:
        """In another unit, see `__truediv__`."""
        return self / (1 / unit)

    def plus_rows(self, offsets: Tensor, row: Tensor) -> Largest:
        """With offsets of the classes in each of P rows, (P, K), of which each sample has one, (N,)."""
        return replace(self, values=self.values + offsets[row[:, None], self.index.long()])

    def cpu(self) -> Largest:
        """In the memory of the CPU."""
        return self._each(Tensor.cpu)

    @property
    def shape(self) -> tuple[int, int]:
        """(N, K), of the logits that they are of."""
        return len(self), self.classes

    @property
    def device(self) -> torch.device:
        return self.values.device

    @property
    def dtype(self) -> torch.dtype:
        return self.values.dtype

    @property
    def predicted(self) -> Tensor:
        """The classes of the largest logits, (N,)."""
        return self.index.gather(1, self.values.argmax(1, keepdim=True))[:, 0].long()

    @property
    def of_own(self) -> Tensor:
        """The logits of the samples' own classes, (N,)."""
        return self.values.gather(1, self.own[:, None])[:, 0]

    def cross_entropy(self) -> Tensor:
        """-log p_y, (N,)."""
        return torch.logaddexp(self.values.logsumexp(1), self.rest) - self.of_own


_TENSORS = tuple(field.name for field in fields(Largest) if field.name != "classes")
#: What metrics of predictions take: logits (N, K), or the largest of them.
Outputs = Tensor | Largest
#: One of the two.
Seen = TypeVar("Seen", bound=Outputs)


def isfinite(output: Outputs) -> bool:
    """Whether all outputs are; a NaN is the largest there is."""
    return bool(torch.isfinite(output.values if isinstance(output, Largest) else output).all())
