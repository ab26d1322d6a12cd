"""The command ``python -m experiments.suite``: searches against fixed losses over many problems and splits."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autobalance.errors import InputError
from experiments.suite._options import SuiteOptions, parse

if TYPE_CHECKING:
    from experiments.suite._verdict import Results

DONE, BAD_INPUT, INTERRUPTED = 0, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command.

    Returns:
        the exit status: 0 done; 2 bad input, after one line that says what is wrong; 130 interrupted, and ``--resume``
        goes on.
    """
    try:
        options, resume = parse(arguments)
        _run(options, resume)
    except InputError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("\ninterrupted; the same command with --resume goes on", file=sys.stderr)
        return INTERRUPTED
    return DONE


def _run(options: SuiteOptions, resume: bool) -> None:
    from dataclasses import asdict

    import yaml

    from autobalance.files import write_text
    from autobalance.progress import Display
    from experiments.suite._grid import open_grid, work

    grid = open_grid(options)
    directory = Path(options.out)
    directory.mkdir(parents=True, exist_ok=True)
    if not resume:
        write_text(directory / "config.yaml", yaml.safe_dump(asdict(options), sort_keys=False))
    with Display() as display:
        work(grid, display)
    write_results(grid.results(), options, directory)
    print((directory / "suite.md").read_text(encoding="utf-8"))


def write_results(results: Results, options: SuiteOptions, directory: Path) -> None:
    """Writes ``suite.md``, ``suite.json`` and a figure for each kind of problems."""
    import json

    from autobalance.files import write_text
    from experiments.suite._figure import draw
    from experiments.suite._tables import markdown
    from experiments.suite._verdict import summarise

    texts, summaries = [], {}
    for kind, of_kind in _by_kind(results).items():
        summary = summaries[kind] = summarise(of_kind, options.reference)
        texts.append(f"## {kind.capitalize()}\n\n{markdown(summary, options.judge)}\n![ranks](suite-{kind}.svg)\n")
        draw(summary, directory / f"suite-{kind}.svg")
    write_text(directory / "suite.json", json.dumps(summaries, indent=1, allow_nan=False) + "\n")
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
