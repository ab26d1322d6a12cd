"""Published numbers, to print beside ours."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from autobalance.errors import InputError


@dataclass(frozen=True)
class Published:
    """Balanced errors in percent that a paper reports.

    Args:
        source: paper and table, and what differs from our set-up.
        errors: by method.
        others: rows of the paper's table that are no method here.
    """

    source: str
    errors: dict[str, float]
    others: dict[str, float]

    def text(self, method: str) -> str:
        return f"{self.errors[method]:.2f}" if method in self.errors else "-"


def read_published(path: str) -> Published:
    """Reads a YAML file with ``source``, ``errors`` and maybe ``others``.

    Raises:
        InputError: there is no such file, or it holds something else.
    """
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"--published: there is no file {path}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"--published: {path} cannot be read as YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict) or not isinstance(content.get("source"), str):
        raise InputError(f"--published: {path} needs a source, a text, and errors, a number for each method")
    tables = [content.get("errors", {}), content.get("others", {})]
    for table in tables:
        if not isinstance(table, dict) or not all(isinstance(value, int | float) for value in table.values()):
            raise InputError(f"--published: {path}: errors and others are a number for each method")
    errors, others = ({str(name): float(value) for name, value in table.items()} for table in tables)
    return Published(" ".join(content["source"].split()), errors, others)
