"""The command ``python -m autobalance.search``: arguments in, a searched loss and a report out."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autobalance.cli._config import Options, parse
from autobalance.cli._failures import explained
from autobalance.cli._processes import aside, joined, leads
from autobalance.cli._run_directory import run_directory
from autobalance.cli._stopping import say_stopped, stoppable
from autobalance.cli._words import as_flags

if TYPE_CHECKING:
    from rich.console import Console

DONE, BAD_INPUT = 0, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command.

    Returns:
        the exit status: 0 done; 2 bad input, after one line that says what is wrong; 130 or 143 stopped by
        Ctrl-C or SIGTERM, with a checkpoint that ``--resume`` starts from.
    """
    directory: Path | None = None
    try:
        options, resume = parse(arguments)
        if leads():
            with stoppable(), run_directory(options, resume) as directory:
                _run(options, directory, resume)
        else:
            with stoppable(), aside(Path(options.out) / "checkpoint.pt" if resume and options.out else None) as place:
                _run(options, place, resume)
    except KeyboardInterrupt as error:
        begun = directory is not None and (directory / "config.yaml").exists()
        return say_stopped(error, "autobalance.search", directory if begun else None)
    except (Exception, SystemExit) as error:
        if (said := explained(error, directory)) is not None:
            return _fail(as_flags(" ".join(said.split()), {field.name for field in fields(Options)}))
        if not isinstance(error, OSError):
            raise
        begun = directory is not None and (directory / "config.yaml").exists()
        after = "all files written before are intact" if begun else "give another --out"
        return _fail(f"{error.strerror or error}: {error.filename or directory}; {after}")
    return DONE


def _fail(message: str) -> int:
    if leads():
        print(f"error: {message}", file=sys.stderr)
    return BAD_INPUT


def _run(options: Options, directory: Path, resume: bool) -> None:
    from rich.console import Console

    from autobalance.cli._progress import Display
    from autobalance.cli._run import search_and_compare
    from autobalance.study.report import results_table, verdict_lines

    with joined(options.device), _watched(options, directory), Display() as display:
        result = search_and_compare(options, directory, resume, display)
    console = Console()
    console.print(results_table(result))
    _say_what_is_where(console, result, directory)
    console.print(verdict_lines(result))


@contextmanager
def _watched(options: Options, directory: Path) -> Iterator[None]:
    """Within it the run is written for TensorBoard, where that is asked for."""
    if not options.tensorboard or not leads():
        yield
        return
    from autobalance.bilevel.watching import TensorBoard
    from autobalance.common import listening

    with TensorBoard(directory / "tensorboard") as board, listening(board):
        yield


def _say_what_is_where(console: Console, result: dict[str, Any], directory: Path) -> None:
    from autobalance.study.report import choice_sentence, diverged_sentences, found_recipe, unmet_sentence

    cost, chosen = result["cost"], result["chosen"]
    choice = f", with the choice {cost['total_ratio']:.2f} times" if cost["choice_seconds"] else ""
    console.print(
        f"The search took {cost['search_seconds']:.1f} s, {cost['ratio']:.2f} times one plain training "
        f"({cost['train_seconds']:.1f} s){choice}.",
        highlight=False,
    )
    for sentence in filter(None, (choice_sentence(result), unmet_sentence(result), *diverged_sentences(result))):
        console.print(sentence, highlight=False)
    if (recipe := found_recipe(result)) and (chosen == "searched" or chosen.endswith("+rates")):
        console.print(f"Train with the recipe parameters that were found along with it: {recipe}.", highlight=False)
    beside = "" if chosen == "searched" else "; it goes with searched.json"
    place = json.dumps(str(directory), ensure_ascii=False)
    for name, what in {
        "report.html": "the report, for a browser",
        "loss.json": f'the loss to use ({chosen}), for autobalance.load_loss("...")',
        "searched.json": "the searched loss, which was not chosen",
        "fds.json": 'the feature smoothing, for autobalance.load_fds("...", model, sample)',
        "augmentation.json": f'the searched augmentation, for autobalance.load_augmentation("..."){beside}',
        "model.json": f"a model trained with it, to predict with, for autobalance.load_model({place})",
        "result.json": "all results",
        "tensorboard": f"the course of the search, for tensorboard --logdir {place}",
    }.items():
        if (directory / name).exists():
            console.print(f"  {directory / name}  {what}", highlight=False, soft_wrap=True)
