"""What a kind of data source is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

from autobalance.common import InputError
from autobalance.data._options import TASKS, DataOptions
from autobalance.data._problem import Problem

#: Options of sources whose samples can be made long-tailed or put on grounds, of images in files, and the only
#: task of sources that have classes.
TAIL = frozenset({"imbalance", "imbalance_type", "ground", "ground_ratio"})
FILES = frozenset({"image_size", "backbone", "skip_unreadable"})
CLASSES_ONLY = ("classification",)
#: Options that every source understands.
_ALWAYS = frozenset({"task", "bins", "seed", "validation"})


@dataclass(frozen=True)
class Source:
    """A kind of data source; `register_source` makes `load` and the commands know it.

    Args:
        name: of the data set, such as ``digits``; or, for a kind of file, folder or function, of the kind.
        words: what people are told to give, such as "a folder of images"; for a data set its name says it.
        load: (source, options) -> the problem. `assemble` makes it of the samples that were found: it cuts out the
            long tail, splits and standardises.
        options: the names of those `DataOptions` that have an effect on it, beside ``task``, ``bins``, ``seed`` and
            ``validation``, which every source understands. All others are refused before ``load`` is called.
        tasks: what can be learnt from it.
        matches: (source, options) -> whether this kind is meant. None: the source is the name itself.
    """

    name: str
    words: str
    load: Callable[[str, DataOptions], Problem]
    options: frozenset[str] = frozenset()
    tasks: tuple[str, ...] = TASKS
    matches: Callable[[str, DataOptions], bool] | None = None

    def __post_init__(self) -> None:
        if unknown := self.options - {field.name for field in fields(DataOptions)}:
            raise InputError(f"the data source {self.name} understands unknown options: {', '.join(sorted(unknown))}")

    def is_meant(self, source: str, options: DataOptions) -> bool:
        """Whether ``source`` is one of this kind."""
        return source == self.name if self.matches is None else self.matches(source, options)

    def open(self, source: str, options: DataOptions) -> Problem:
        """The problem.

        Raises:
            InputError: the data cannot be used, or an option has no effect on them.
        """
        if options.task not in self.tasks:
            has, other, help = (
                ("classes", "numbers", "leave `task` regression out")
                if options.regression
                else ("numbers", "classes", "add `task` regression")
            )
            raise InputError(f"{source} has {has} as targets, not {other}: {help}")
        others = [field.name for field in fields(options) if field.name not in self.options | _ALWAYS]
        options.refuse(others, source)
        problem = self.load(source, options)
        if problem.own_validation:
            options.refuse(["validation"], source)
        return problem
