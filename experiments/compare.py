"""The command ``python -m experiments.compare``: methods in, one fair table out."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autobalance.common import InputError
from experiments.command import command_line, run_command
from experiments.options import CompareOptions, parse

if TYPE_CHECKING:
    from experiments.grid import Grid
    from experiments.published import Published

PROGRAM = "experiments.compare"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status; see `run_command`."""
    return run_command(PROGRAM, lambda: parse(arguments), _run)


def _run(options: CompareOptions, directory: Path, resume: bool) -> None:
    from autobalance.cli._progress import Display
    from autobalance.common import write_text
    from autobalance.data import keep_or_check
    from experiments.grid import open_grid
    from experiments.published import read_published
    from experiments.storage import open_storage
    from experiments.workers import work_alone, work_together

    published = read_published(options.published) if options.published else []
    new = not directory.exists()
    directory.mkdir(parents=True, exist_ok=True)
    try:
        grid = open_grid(options, directory, open_storage(options.storage, directory))
        keep_or_check(grid.task.problem, directory / "data.json", resume)
        if not resume:
            write_text(directory / "config.yaml", options.to_yaml())
    except InputError:
        if new:
            _remove_what_began(directory)
        raise
    with Display() as display:
        done = work_alone(grid, display) if options.workers == 1 else work_together(grid, display, options.workers)
    write_all(grid, done, published)
    print((directory / "table.md").read_text(encoding="utf-8"))
    for name, what in {
        "table.md": "this table",
        "table.csv": "the same, for programs",
        "comparison.svg": "the figure",
        "results.json": "every run and every trial",
    }.items():
        print(f"  {directory / name}  {what}")


def write_all(grid: Grid, done: dict[str, Any], published: Sequence[Published]) -> None:
    """Writes the tables, the figure and ``results.json``, and the files of the runs that other machines did."""
    from autobalance.common import write_text
    from experiments.figure import draw
    from experiments.json_files import write_json
    from experiments.results import summarise
    from experiments.tables import to_csv, to_markdown

    for piece, result in done.items():
        if not grid.path(piece).exists():
            write_json(grid.path(piece), result)
    results = summarise(grid, done)
    write_json(grid.directory / "results.json", results)
    write_text(grid.directory / "table.md", to_markdown(results, published, command_line(PROGRAM, grid.options)))
    write_text(grid.directory / "table.csv", to_csv(results))
    draw(results, grid.directory / "comparison.svg")


def _remove_what_began(directory: Path) -> None:
    """Leaves no directory of a run that never began."""
    for path in directory.iterdir():
        if path.name.startswith("storage.log"):
            path.unlink()
    if not any(directory.iterdir()):
        directory.rmdir()


if __name__ == "__main__":
    sys.exit(main())
