"""The command ``python -m experiments.fairness``: blends of two objectives in, a table and a plot out."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from autobalance.cli import Display, command_line, executor_of, run_command
from autobalance.common import write_json, write_text
from experiments.fairness._options import FairnessOptions, parse

PROGRAM = "experiments.fairness"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status; see `run_command`."""
    return run_command(PROGRAM, lambda: parse(arguments), _run)


def _run(options: FairnessOptions, directory: Path, resume: bool) -> None:
    from autobalance.study import Directory, run_cells
    from autobalance.tasks import fairness_report
    from experiments.fairness._figure import draw
    from experiments.fairness._tables import summarise, to_markdown
    from experiments.fairness._work import cells, check, save_losses

    fairness_report([0, 1], [0, 1], [0, 1], "ab", "ab")  # so that a missing fairlearn is said now
    conditions = check(options)
    directory.mkdir(parents=True, exist_ok=True)
    if not resume:
        write_text(directory / "config.yaml", options.to_yaml())
    problem, todo = conditions.setting.problem, cells(options)
    with Display() as display:
        searches = len(options.shares) * options.seeds
        display.say(
            f"{problem.name}: {problem.num_classes} classes in {problem.num_groups} groups; "
            f"{len(todo)} trainings, {searches} of them after a search"
        )
        done = run_cells(todo, Directory(directory), executor_of(1), display, "fairness")
    runs = list(done.values())
    save_losses(options, runs, directory / "losses")
    results = summarise(options, conditions, runs)
    write_json(directory / "results.json", results)
    write_text(directory / "table.md", to_markdown(results, command_line(PROGRAM, options)))
    draw(results, directory / "tradeoff.svg")
    print((directory / "table.md").read_text(encoding="utf-8"))
    for name, what in {"table.md": "this table", "tradeoff.svg": "the plot", "results.json": "every run"}.items():
        print(f"  {directory / name}  {what}")


if __name__ == "__main__":
    sys.exit(main())
