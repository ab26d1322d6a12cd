"""The command ``python -m experiments.compare``: methods in, one fair table out."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autobalance._options import run_directory
from autobalance.errors import InputError
from experiments.options import CompareOptions, parse

if TYPE_CHECKING:
    from experiments.grid import Grid
    from experiments.published import Published

DONE, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command.

    Returns:
        the exit status: 0 done; 1 workers died; 2 bad input, after one line that says what is wrong; 130 interrupted,
        and ``--resume`` goes on.
    """
    directory: Path | None = None
    try:
        options, resume = parse(arguments)
        directory = run_directory(options, resume, "compare-")
        _run(options, directory, resume)
    except InputError as error:
        return _fail(" ".join(str(error).split()), BAD_INPUT)
    except RuntimeError as error:
        return _fail(" ".join(str(error).split()), FAILED)
    except OSError as error:
        what = f"{error.strerror or error}: {error.filename or directory}; what was written before is whole"
        return _fail(what, BAD_INPUT)
    except KeyboardInterrupt:
        place = f"; go on with: python -m experiments.compare --out {directory} --resume" if directory else ""
        print(f"\ninterrupted{place}", file=sys.stderr)
        return INTERRUPTED
    return DONE


def _fail(message: str, status: int) -> int:
    print(f"error: {message}", file=sys.stderr)
    return status


def _run(options: CompareOptions, directory: Path, resume: bool) -> None:
    from autobalance.data import keep_or_check
    from autobalance.files import write_text
    from autobalance.progress import Display
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
    from autobalance.files import write_text
    from experiments.figure import draw
    from experiments.grid import write_json
    from experiments.results import summarise
    from experiments.tables import to_csv, to_markdown

    for piece, result in done.items():
        if not grid.path(piece).exists():
            write_json(grid.path(piece), result)
    results = summarise(grid, done)
    write_json(grid.directory / "results.json", results)
    write_text(grid.directory / "table.md", to_markdown(results, published, command_of(grid.options)))
    write_text(grid.directory / "table.csv", to_csv(results))
    draw(results, grid.directory / "comparison.svg")


def command_of(options: CompareOptions) -> str:
    """The command line that gives these results again."""
    default = CompareOptions().identity()
    words = ["python -m experiments.compare"]
    for name, value in options.identity().items():
        if value != default[name]:
            words.append(f"--{name.replace('_', '-')}" + ("" if value is True else f" {value}"))
    return " ".join(words)


def _remove_what_began(directory: Path) -> None:
    """Leaves no directory of a run that never began."""
    for path in directory.iterdir():
        if path.name.startswith("storage.log"):
            path.unlink()
    if not any(directory.iterdir()):
        directory.rmdir()


if __name__ == "__main__":
    sys.exit(main())
