"""The command ``python -m experiments.suite``: searches against fixed losses over many problems and splits."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autobalance.cli import Display, executor_of, run_command
from autobalance.common import write_json, write_text
from experiments.suite._options import SuiteOptions, parse

if TYPE_CHECKING:
    from experiments.suite._verdict import Results


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status; see `run_command`."""
    return run_command("experiments.suite", lambda: parse(arguments), _run)


def _run(options: SuiteOptions, directory: Path, resume: bool) -> None:
    from autobalance.study import Directory, run_cells
    from experiments.suite._grid import open_grid

    grid = open_grid(options)
    directory.mkdir(parents=True, exist_ok=True)
    write_text(directory / "config.yaml", options.to_yaml())
    cells = grid.cells()
    with Display() as display:
        display.say(f"{len(grid.plan.problems)} problems, {len(grid.seeds)} splits, {', '.join(grid.groups)}: "
                    f"{len(cells)} cells")  # fmt: skip
        done = run_cells(cells, Directory(directory), executor_of(options.workers, options.cluster), display, "suite")
    write_results(grid.results(done), options, directory)
    print((directory / "suite.md").read_text(encoding="utf-8"))


def write_results(results: Results, options: SuiteOptions, directory: Path) -> None:
    """Writes ``suite.md``, ``suite.json`` and a figure for each kind of problems."""
    from experiments.suite._figure import draw
    from experiments.suite._tables import markdown
    from experiments.suite._verdict import summarise

    texts, summaries = [], {}
    for kind, of_kind in _by_kind(results).items():
        summary = summaries[kind] = summarise(of_kind, options.reference)
        texts.append(f"## {kind.capitalize()}\n\n{markdown(summary, options.judge)}\n![ranks](suite-{kind}.svg)\n")
        draw(summary, directory / f"suite-{kind}.svg")
    write_json(directory / "suite.json", summaries)
    write_text(directory / "suite.md", "\n".join(texts))


def _by_kind(results: Results) -> dict[str, Results]:
    """Problems with classes, with groups and with numbers have other losses, and so other tables."""
    names = {"worst_group_error": "groups", "balanced_mae": "regression"}
    kinds: dict[str, dict[str, Any]] = {}
    for name, of_problem in results.items():
        metric = next(iter(of_problem["problem"].values()))["metric"]
        kinds.setdefault(names.get(metric, "classification"), {})[name] = of_problem
    return dict(kinds)


if __name__ == "__main__":
    sys.exit(main())
