"""The items of a Dataset, read by position, and what a DataLoader makes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
    default_collate,
)
from torch.utils.data.distributed import DistributedSampler

from autobalance.common import InputError
from autobalance.data.intake._generators import Generators
from autobalance.data.intake._records import Record, record_of
from autobalance.data.intake._values import to_array

#: Items by which random transforms and labels are recognised.
_LOOKED_AT = 16


@dataclass(frozen=True)
class Items:
    """The samples of a Dataset.

    Args:
        dataset: has a length, and an item for each position below it.
        name: "train" or "val".
        collate: makes a batch of a list of items; None: they are stacked.
    """

    dataset: Any
    name: str
    collate: Callable[[list[Any]], Any] | None = None

    def __len__(self) -> int:
        return len(self.dataset)

    def read(self, positions: Sequence[int]) -> Record:
        """Those at ``positions`` as arrays; inputs are an array, or a dict or tuple of arrays.

        Raises:
            InputError: items that are not (x, y), (x, y, group) or a dict, or that do not stack.
        """
        return batched([self.dataset[int(i)] for i in positions], f"the {self.name} Dataset", self.collate)

    def redrawn(self) -> bool:
        """Whether an item is drawn at random: reading it twice gives something else, or a generator of torch, NumPy or
        Python has moved."""
        before = Generators()
        chosen = self._spread()
        first = [self.read([i]) for i in chosen]
        return before != Generators() or any(
            not _same(self.read([i]), item) for i, item in zip(chosen, first, strict=True)
        )

    def _spread(self) -> list[int]:
        """The positions of a few items from the first to the last."""
        return np.unique(np.linspace(0, len(self) - 1, min(_LOOKED_AT, len(self))).round().astype(int)).tolist()

    def bytes(self) -> int:
        """About how much memory all samples take."""
        inputs = self.read([0]).x
        return len(self) * sum(each.nbytes for each in _leaves(inputs))

    def labels(self) -> tuple[Any, Any]:
        """Labels and groups of all samples, from the Dataset's ``targets`` where it has them, else by reading it."""
        known = _targets(self.dataset)
        if known is not None and len(known) == len(self):
            chosen = self._spread()
            some = self.read(chosen)
            if some.group is None and np.array_equal(known[chosen], some.y):
                return known, None
        read = [self.read(range(i, min(i + 256, len(self)))) for i in range(0, len(self), 256)]
        group = None if read[0].group is None else np.concatenate([part.group for part in read])
        return np.concatenate([part.y for part in read]), group


def items_of(given: Any, name: str) -> Items | Record | None:
    """The items of a Dataset or of a DataLoader; of those that can only be gone through, what they give, as arrays;
    None of anything else.

    Raises:
        InputError: nothing in it, or a DataLoader that draws samples more or less often than once an epoch.
    """
    if isinstance(given, DataLoader):
        if isinstance(given.dataset, IterableDataset):
            return _gone_through(given, name, batches=given.batch_size is not None)
        collate = None if given.collate_fn is default_collate or given.batch_size is None else given.collate_fn
        return _nonempty(Items(_drawn_from(given, name), name, collate))
    if isinstance(given, IterableDataset):
        return _gone_through(given, name, batches=False)
    columns = isinstance(given, tuple | list | Mapping | Tensor | np.ndarray | str) or hasattr(given, "iloc")
    if columns or not (hasattr(given, "__getitem__") and hasattr(given, "__len__")):
        return None
    return _nonempty(Items(given, name))


def batched(items: list[Any], place: str, collate: Callable[[list[Any]], Any] | None = None) -> Record:
    """Several items as one record of arrays."""
    if collate is not None:
        x, y, group = record_of(collate(items), f"a batch of {place}")
    else:
        records = [record_of(item, place) for item in items]
        if len({record.group is None for record in records}) > 1:
            raise InputError(f"{place} has a group for some samples, and none for others")
        x = _stacked([record.x for record in records], place)
        y = _stacked([record.y for record in records], place)
        group = None if records[0].group is None else _stacked([record.group for record in records], place)
    return Record(_as_arrays(x), to_array(y), None if group is None else to_array(group))


def _stacked(values: list[Any], place: str) -> Any:
    first = values[0]
    if isinstance(first, Mapping):
        if any(not isinstance(value, Mapping) or value.keys() != first.keys() for value in values):
            raise InputError(f"{place} has other keys than {', '.join(map(str, first))} for some samples")
        return {name: _stacked([value[name] for value in values], f"{place}, {name!r},") for name in first}
    if isinstance(first, tuple):
        if any(not isinstance(value, tuple) or len(value) != len(first) for value in values):
            raise InputError(f"{place} must have {len(first)} inputs for every sample")
        return tuple(_stacked(list(column), place) for column in zip(*values, strict=True))
    arrays = [np.asarray(to_array(value)) for value in values]
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1:
        raise InputError(
            f"{place} has samples of different shapes: {sorted(shapes)[:2]}; give a DataLoader with a collate_fn that "
            "pads them"
        )
    return np.stack(arrays)


def _as_arrays(x: Any) -> Any:
    if isinstance(x, Mapping):
        return {str(name): to_array(value) for name, value in x.items()}
    return tuple(map(to_array, x)) if isinstance(x, tuple | list) else to_array(x)


def _drawn_from(loader: DataLoader, name: str) -> Any:
    """The Dataset of a DataLoader, without the samples that it never draws."""
    given: Any = loader.dataset
    sampler, ordered = loader.sampler, loader.batch_sampler is None or type(loader.batch_sampler) is BatchSampler
    if ordered and isinstance(sampler, SubsetRandomSampler):
        return Subset(given, list(sampler.indices))
    whole = isinstance(sampler, SequentialSampler | DistributedSampler) or (
        isinstance(sampler, RandomSampler) and not sampler.replacement and len(sampler) == len(given)
    )
    if not ordered or not whole:
        what = type(sampler if ordered else loader.batch_sampler).__name__
        raise InputError(
            f"the {name} DataLoader draws by a {what}, which has no effect on a search: that draws each sample once an "
            "epoch, for the loss has to meet the imbalance; give `loader.dataset`"
        )
    return given


def _gone_through(given: Iterable[Any], name: str, batches: bool) -> Record:
    place = f"the {name} Dataset"
    if not batches:
        if not (items := list(given)):
            raise InputError(f"{place} is empty")
        return batched(items, place)
    parts = [record_of(batch, place) for batch in given]
    if not parts:
        raise InputError(f"{place} is empty")
    arrays = [Record(_as_arrays(part.x), to_array(part.y), None if part.group is None else to_array(part.group))
              for part in parts]  # fmt: skip
    x = _joined([part.x for part in arrays], place)
    group = None if arrays[0].group is None else np.concatenate([part.group for part in arrays])
    return Record(x, np.concatenate([part.y for part in arrays]), group)


def _joined(parts: list[Any], place: str) -> Any:
    if isinstance(parts[0], Mapping):
        return {name: _joined([part[name] for part in parts], place) for name in parts[0]}
    if isinstance(parts[0], tuple):
        return tuple(_joined(list(column), place) for column in zip(*parts, strict=True))
    if len(shapes := {part.shape[1:] for part in parts}) > 1:
        raise InputError(f"{place} has batches of different shapes: {sorted(shapes)[:2]}; pad to one length")
    return np.concatenate(parts)


def _nonempty(items: Items) -> Items:
    if len(items) == 0:
        raise InputError(f"the {items.name} Dataset is empty")
    return items


def _targets(dataset: Any) -> Any:
    """The labels that a Dataset says that it has, as torchvision's do; None where it says nothing."""
    if isinstance(dataset, Subset):
        known = _targets(dataset.dataset)
        return None if known is None else known[np.asarray(dataset.indices)]
    known = getattr(dataset, "targets", None)
    return None if known is None else np.asarray(to_array(known))


def _leaves(values: Any) -> list[Any]:
    if isinstance(values, Mapping):
        values = tuple(values.values())
    return [leaf for each in values for leaf in _leaves(each)] if isinstance(values, tuple) else [values]


def _same(first: Any, second: Any) -> bool:
    """Whether two trees of tuples, dicts and arrays hold the same."""
    one, other = _leaves(first), _leaves(second)
    return len(one) == len(other) and all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
