"""README's table of the evidence, from the pages of the tracks: ``python -m experiments.evidence.readme``.

It stands between two marks in README.md, and holds the tables that stand under "In short" on the pages.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from autobalance.common import write_text
from experiments.evidence._page import SHORT

PAGES, README = Path("docs/results"), Path("README.md")
BEGIN, END = "<!-- evidence: begin -->\n", "<!-- evidence: end -->\n"


def table(pages: Sequence[str]) -> str:
    """The rows of the tables under "In short" of pages, under the head of the first."""
    found = [re.search(rf"^## {SHORT}\n\n((?:\|.*\n)+)", page, re.MULTILINE) for page in pages]
    tables = [match[1].splitlines() for match in found if match]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for rows in tables for line in rows[2:]]
    head = [cell.strip() for cell in tables[0][0].strip("|").split("|")]
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "".join(f"| {' | '.join(line)} |\n" for line in (head, rule, *cells))


def renewed(readme: str, pages: Sequence[str]) -> str:
    """README with the table of these pages between its marks."""
    before, rest = readme.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}{table(pages)}{END}{after}"


def kept_pages() -> list[str]:
    """The pages that are committed."""
    return [path.read_text(encoding="utf-8") for path in sorted(PAGES.glob("evidence-?.md"))]


def main() -> int:
    """Runs the command; returns the exit status."""
    write_text(README, renewed(README.read_text(encoding="utf-8"), kept_pages()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
