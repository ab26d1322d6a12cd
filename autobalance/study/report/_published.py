"""Published numbers, to print beside ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from autobalance.common import InputError, read_yaml


@dataclass(frozen=True)
class Published:
    """Balanced errors in percent that a paper reports.

    Args:
        title: of the column.
        source: paper and table, and what differs from our set-up.
        errors: by method.
        others: rows of the paper's table that are no method here.
    """

    title: str
    source: str
    errors: dict[str, float]
    others: dict[str, float]

    def text(self, method: str) -> str:
        return f"{self.errors[method]:.2f}" if method in self.errors else "-"


def read_published(paths: Sequence[str]) -> list[Published]:
    """The tables in one or more files; each becomes a column.

    Raises:
        InputError: there is no such file, or it holds something else; or two have the same title.
    """
    tables = [_read(path) for path in paths]
    titles = [table.title for table in tables]
    if twice := {title for title in titles if titles.count(title) > 1}:
        raise InputError(f"`published`: two tables have the title {sorted(twice)[0]!r}; give each its own")
    return tables


def _read(path: str) -> Published:
    """A YAML file with ``source``, ``errors`` and maybe ``title`` and ``others``."""
    content = read_yaml(path)
    if not isinstance(content, dict) or not isinstance(content.get("source"), str):
        raise InputError(f"`published`: {path} needs a source, a text, and errors, a number for each method")
    tables = [content.get("errors", {}), content.get("others", {})]
    for table in tables:
        if not isinstance(table, dict) or not all(isinstance(value, int | float) for value in table.values()):
            raise InputError(f"`published`: {path}: errors and others are a number for each method")
    errors, others = ({str(name): float(value) for name, value in table.items()} for table in tables)
    title = f"published: {content['title']}" if "title" in content else "published"
    return Published(title, " ".join(content["source"].split()), errors, others)
