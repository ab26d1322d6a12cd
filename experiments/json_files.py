"""Results as JSON files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from autobalance.common import write_text


def write_json(path: Path, content: Any) -> None:
    """Replaces a file as a whole; its directory is made where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Any] | None:
    """The file's content, or None where there is no whole file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
