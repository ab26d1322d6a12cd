"""The files that this package writes: each is replaced in one go, and checked, never executed, when it is read."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from autobalance.common._errors import InputError
from autobalance.common._fields import is_finite

#: Makes an error that says what is wrong, and in which file.
Fault = Callable[[str], InputError]


def fault_in(path: str | os.PathLike[str]) -> Fault:
    """A function that makes errors which name the file."""
    return lambda what: InputError(f"{os.fspath(path)}: {what}")


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A file to write to. It replaces ``path`` only once it is complete, so that nobody ever finds half of it there,
    not even after a kill or a power cut."""
    path = Path(path)
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Replaces the content of a file by ``text``, see `replacing`."""
    with replacing(path) as file:
        file.write(text.encode("utf-8"))


def write_json(path: str | os.PathLike[str], content: Any) -> None:
    """Replaces a file as a whole by ``content``, plain values; its directory is made where it is missing.

    Raises:
        ValueError: a number in it is not finite.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def read_yaml(path: str | os.PathLike[str]) -> Any:
    """The content of a YAML file, plain values only.

    Raises:
        InputError: there is no such file, or it is not YAML.
    """
    import yaml

    try:
        return yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"there is no file {path}") from None
    except (OSError, UnicodeDecodeError, RecursionError, yaml.YAMLError) as error:
        raise InputError(f"{path} cannot be read as YAML: {' '.join(str(error).split())}") from None


@dataclass(frozen=True)
class JsonFormat:
    """A kind of JSON file, which says in ``format`` and ``version`` what it is.

    Args:
        name: of the format.
        version: the one that is written, and read.
        words: what people call such a file, such as "a loss file".
        older: versions that can be read, too.
    """

    name: str
    version: int
    words: str
    older: tuple[int, ...] = ()

    def marked(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """``content``, saying what it is."""
        return {"format": self.name, "version": self.version, **content}

    def unmarked(self, marked: Any, fault: Fault) -> dict[str, Any]:
        """What `marked` was given, without the marks.

        Raises:
            InputError: it is another kind of file, or of another version.
        """
        if not isinstance(marked, dict) or marked.get("format") != self.name:
            raise fault(f'not {self.words}: "format" should be "{self.name}"')
        if (version := marked.get("version")) not in (self.version, *self.older) or isinstance(version, bool):
            raise fault(f"version {version!r} is not the version {self.version} that this release reads")
        if not isinstance(marked.get("provenance", {}), dict):
            raise fault("provenance is not an object")
        return {key: value for key, value in marked.items() if key not in ("format", "version")}

    def write(self, path: str | os.PathLike[str], content: Mapping[str, Any]) -> None:
        """Writes ``content`` as a file of this format.

        Raises:
            ValueError: a number in it is not finite.
        """
        text = json.dumps(self.marked(content), indent=2, ensure_ascii=False, allow_nan=False)
        write_text(path, text + "\n")

    def read(self, path: str | os.PathLike[str]) -> tuple[dict[str, Any], Fault]:
        """What `write` was given, and a function that makes errors about it.

        Raises:
            InputError: the file is damaged, or of another format or version.
            FileNotFoundError: there is no such file.
        """
        fault = fault_in(path)
        try:
            text = Path(path).read_text(encoding="utf-8")
            content = json.loads(text, object_pairs_hook=lambda pairs: _without_twins(pairs, fault))
        except InputError:
            raise
        except (ValueError, RecursionError) as error:
            raise fault(f"not a complete JSON file ({error}): was it cut off? Write it again with the search") from None
        return self.unmarked(content, fault), fault


def _without_twins(pairs: list[tuple[str, Any]], fault: Fault) -> dict[str, Any]:
    """An object of a JSON file. Where two keys are alike, a reader would silently take the last."""
    keys = [key for key, _ in pairs]
    if len(set(keys)) < len(keys):
        twice = next(key for key in keys if keys.count(key) > 1)
        raise fault(f"the key {twice!r} stands there twice: which one counts? Remove the other")
    return dict(pairs)


def check_keys(content: Mapping[str, Any], required: Collection[str], optional: Collection[str], fault: Fault) -> None:
    """Raises for unknown keys, and for missing ones."""
    if unknown := set(content).difference(required, optional):
        raise fault(f"unknown keys {sorted(unknown)}")
    if missing := set(required).difference(content):
        raise fault(f"missing keys {sorted(missing)}")


def check_count(what: str, number: Any, least: int, fault: Fault) -> None:
    """Raises for anything but a whole number of at least ``least``."""
    if not isinstance(number, int) or isinstance(number, bool) or number < least:
        raise fault(f"{what} is {number!r}, not a whole number of at least {least}")


def check_strings(what: str, values: Any, fault: Fault) -> None:
    """Raises for anything but a list of strings."""
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise fault(f"{what} is not a list of strings")


def check_table(what: str, table: Any, fault: Fault) -> None:
    """Raises for anything but a list of finite numbers, or of equally long lists of them."""
    if not isinstance(table, list):
        raise fault(f"{what} is not a list of numbers")
    if len({len(row) if isinstance(row, list) else None for row in table}) > 1:
        raise fault(f"{what} has rows of different lengths")
    for row in table:
        for number in row if isinstance(row, list) else [row]:
            check_number(what, number, fault)


def check_number(what: str, number: Any, fault: Fault) -> None:
    """Raises for anything but a finite number."""
    if isinstance(number, bool) or not isinstance(number, int | float) or not is_finite(number):
        raise fault(f"{what} holds {str(number)[:40]!r}, which is not a finite number")
