"""What an encoder is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

from torch import Tensor

from autobalance.data._image_files import ImageFiles
from autobalance.data.encoders._readings import ColumnRead


class Kept(NamedTuple):
    """An encoder as it is kept: plain JSON values, and tensors by name for what would be long in JSON."""

    settings: dict[str, Any]
    tensors: Mapping[str, Tensor]


class Encoder(ABC):
    """Turns samples as they come (rows of a table, arrays, images in files) into what a model is given.

    Whatever it knows was measured on training samples.

    Attributes:
        kind: its name in what is kept.
        takes: for people: what it is given.
    """

    kind: ClassVar[str]
    takes: ClassVar[str]

    @abstractmethod
    def read(self, source: str) -> Any:
        """The samples in a file or folder, as `encode` takes them.

        Raises:
            InputError: there is no such file, or none that can be read.
        """

    @abstractmethod
    def encode(self, data: Any) -> Tensor | ImageFiles:
        """The samples as inputs of a model, (N, ...).

        Raises:
            InputError: they are not of the kind that it was fitted on; with the place and the value.
        """

    def columns_read(self) -> list[ColumnRead]:
        """What became of each column, where the samples have columns."""
        return []

    def describe(self) -> list[str]:
        """How the samples are read, for people: some lines, or none where there is nothing to say."""
        return []

    @abstractmethod
    def names(self, data: Any) -> list[str] | None:
        """What tells the samples apart for people, such as the paths of images; None: their place in the order."""

    @abstractmethod
    def kept(self) -> Kept:
        """All that `made_of` needs."""

    @classmethod
    @abstractmethod
    def made_of(cls, kept: Kept) -> Encoder:
        """The encoder that `kept` described, its ``kind`` left out.

        Raises:
            KeyError, TypeError, ValueError: it is no description of one.
        """
