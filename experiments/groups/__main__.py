"""Rivals and searches where groups are hidden at prediction: ``python -m experiments.groups --root DIR``.

Runs what ``experiments/plans/groups_compared.yaml`` fixed beforehand. What is finished is kept in --out, a second call
goes on from there; the page is of the splits that are complete. With --paths it makes the trade-off of some problems
instead, with the rivals that are there as points.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from autobalance.cli import Display, executor_of, positive, whole
from autobalance.common import InputError, write_text
from autobalance.study import Cell, Directory, run_cells
from experiments.development import grouped, make_parser, run
from experiments.groups._cells import cells_of, key
from experiments.groups._page import page
from experiments.groups._path import cell as path_cell
from experiments.groups._picture import draw, table
from experiments.suite._options import PLANS
from experiments.suite._plan import Entry


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns the exit status."""
    parser = make_parser("groups", __doc__)
    parser.set_defaults(problems=str(PLANS / "groups_compared.yaml"))
    parser.add_argument("--splits", type=positive, default=10, metavar="N", help="of each problem")
    parser.add_argument("--first", type=whole, default=0, metavar="N", help="the first of them")
    parser.add_argument("--workers", type=positive, default=1, metavar="N", help="processes")
    parser.add_argument("--paths", action="store_true", help="the trade-off of these problems")
    parser.add_argument("--page", action="store_true", help="only write the page, of what is finished")
    return run(parser, _work, arguments)


def _work(options: argparse.Namespace) -> None:
    entries, out = grouped(options), Path(options.out)
    if not entries:
        raise InputError("`only` names no problem with groups of the plan")
    splits = range(options.first, options.first + options.splits)
    work = [cell for split in splits for entry in entries for cell in cells_of(entry, split)]
    paths = {(entry.name, split): path_cell(entry, split) for entry in entries for split in splits}
    if not options.page:
        with Display() as display:
            run_cells(
                [*paths.values()] if options.paths else work,
                Directory(out),
                executor_of(options.workers),
                display,
                "groups",
            )
    done = _finished(out, work)
    if options.paths:
        _write_paths(entries, {name: _finished(out, [cell]) for name, cell in paths.items()}, done, out)
        return
    write_text(out / "groups.md", page(entries, splits, done))
    print(out / "groups.md")


def _finished(out: Path, work: Sequence[Cell]) -> dict[str, Any]:
    """The results that there are, by key."""
    kept = {cell.key: Directory(out).read(cell, print).result for cell in work}
    return {name: result for name, result in kept.items() if result is not None}


def _write_paths(
    entries: Sequence[Entry], paths: dict[tuple[str, int], dict[str, Any]], done: dict[str, Any], out: Path
) -> None:
    parts = []
    for entry in entries:
        its = {split: result for (name, split), kept in paths.items() if name == entry.name for result in kept.values()}
        rivals = {split: done[its_key] for split in its if (its_key := key(entry, split, "rivals")) in done}
        there = [its[split] for split in rivals or its]  # the same splits for all
        draw(entry.name, there, [*rivals.values()], out / f"path-{entry.name}.svg")
        parts.append(table(entry.name, there) + f"\n![{entry.name}](path-{entry.name}.svg)\n")
    write_text(out / "paths.md", "\n".join(parts))
    print(out / "paths.md")


if __name__ == "__main__":
    sys.exit(main())
