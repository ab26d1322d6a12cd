"""The evidence that can decide: ``python -m experiments.evidence --root DIR``.

Runs what ``experiments/plans/evidence.yaml`` fixed beforehand, and writes a page and pictures for each track. What is
finished is kept in --out, a second call goes on from there, and pages are written of the splits that are complete.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from autobalance.cli import Display, executor_of, positive
from autobalance.common import write_text
from autobalance.study import Cell, Directory, run_cells
from experiments.development import run as run_with
from experiments.evidence._cells import cells, figures, plain
from experiments.evidence._kept import pack, unpack
from experiments.evidence._page import draw, page
from experiments.evidence._plan import EvidencePlan, read
from experiments.suite._options import PLANS

#: The file of a track's results.
KEPT = "evidence-{}.jsonl"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m experiments.evidence", description=__doc__, allow_abbrev=False)
    parser.add_argument("--plan", default=str(PLANS / "evidence.yaml"), metavar="FILE.yaml")
    parser.add_argument("--root", default="data", metavar="DIR", help="where the files are that it names")
    parser.add_argument("--tracks", default="", metavar="NAMES", help="only these, separated by commas")
    parser.add_argument("--only", default="", metavar="NAMES", help="only these problems")
    parser.add_argument("--workers", type=positive, default=1, metavar="N", help="processes")
    parser.add_argument("--splits", type=positive, metavar="N", help="no more than these of each problem")
    parser.add_argument("--out", default="runs/evidence", metavar="DIR")
    parser.add_argument("--kept", metavar="DIR", help="results of all cells in a file for each track: what --out lacks "
                        "is taken from there, and the files are written anew at the end")  # fmt: skip
    parser.add_argument("--pages", action="store_true", help="only write the pages, of what is finished")
    return run_with(parser, _work, arguments)


def _work(options: argparse.Namespace) -> None:
    out, kept = Path(options.out), None if options.kept is None else Path(options.kept)
    plan = read(Path(options.plan), Path(options.root), out, _names(options.tracks), _names(options.only))
    work = [each for each in cells(plan) if options.splits is None or each.decides["seed"] < options.splits]
    store = Directory(out)
    if kept is not None:
        print(f"{sum(unpack(file, store, work) for file in kept.glob(KEPT.format('*')))} cells are taken from {kept}")
    if not options.pages:
        with Display() as display:
            run_cells(work, store, executor_of(options.workers), display, "evidence")
    if kept is not None:
        for track in plan.tracks:
            pack(
                store, [cell for cell in work if cell.key.startswith(f"{track.name}/")], kept / KEPT.format(track.name)
            )
    write_pages(plan, _finished(store, work), out)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _finished(store: Directory, work: Sequence[Cell]) -> dict[str, dict[str, Any]]:
    """The results that there are, by key."""
    kept = {cell.key: store.read(cell, print).result for cell in work}
    return {key: result for key, result in kept.items() if result is not None}


def write_pages(plan: EvidencePlan, done: dict[str, dict[str, Any]], out: Path) -> None:
    """Writes ``evidence-TRACK.md`` and a picture for each objective, of the problems with a complete split."""
    for track in plan.tracks:
        found: dict[str, Any] = {}
        for objective in track.objectives:
            of = {entry.name: figures(track, entry, objective, done) for entry in track.problems}
            if complete := {name: ways for name, ways in of.items() if ways}:
                found[objective] = complete
                draw(
                    plan.margin.of(track.kind, objective),
                    track,
                    complete,
                    out / f"evidence-{track.name}-{plain(objective)}.svg",
                )
        if found:
            write_text(out / f"evidence-{track.name}.md", page(plan, track, found))
            print(out / f"evidence-{track.name}.md")


if __name__ == "__main__":
    sys.exit(main())
