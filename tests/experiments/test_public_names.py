"""The experiments are what anybody could write: they import public names of the package only."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2] / "experiments"


def imported(path: Path) -> set[str]:
    """Every module and every name that a file imports, with all their parents' names."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


def test_no_private_name_of_the_package_is_imported() -> None:
    files = sorted(ROOT.rglob("*.py"))
    assert len(files) > 20
    private = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in files
        for name in imported(path)
        if name.startswith("autobalance") and any(part.startswith("_") for part in name.split("."))
    }
    assert not private
