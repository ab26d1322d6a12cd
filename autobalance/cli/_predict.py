"""The command ``python -m autobalance.predict``: a run and new samples in, a table of predictions out."""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from autobalance.cli._command import BAD_INPUT, DONE
from autobalance.cli._options import Parser
from autobalance.cli._stopping import say_stopped, stoppable
from autobalance.common import InputError

if TYPE_CHECKING:
    from autobalance.training import TrainedModel

EXAMPLES = """\
examples:
  python -m autobalance.predict --run runs/table --data new.csv --out predictions.csv
  python -m autobalance.predict --run runs/images --data folder/of/images
"""


def make_parser() -> argparse.ArgumentParser:
    """The parser of the command."""
    parser = Parser(
        prog="python -m autobalance.predict",
        description="Predicts with the model that a search has trained with the loss that it chose. Writes a line a "
        "sample, in their order: the predicted class and the share that the model gives each class, or the predicted "
        "number.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--run", metavar="DIR", required=True, help="the directory of a finished search")
    parser.add_argument(
        "--data",
        metavar="NEW",
        required=True,
        help="samples of the kind that the search had: a table with the same columns, the target may be missing; a "
        ".npy file, or a .npz file with an array x; an image, or a folder of them",
    )
    parser.add_argument(
        "--out", metavar="FILE.csv", default="predictions.csv", help="the file to write (default: predictions.csv)"
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command.

    Returns:
        the exit status: 0 done; 2 bad input, after one line that says what is wrong; 130 or 143 stopped, and nothing
        was written.
    """
    try:
        given = make_parser().parse_args(arguments)
        with stoppable():
            print(_predict(given.run, given.data, given.out))
    except (InputError, OSError) as error:
        what = f"{error.strerror}: {error.filename}" if isinstance(error, OSError) and error.strerror else str(error)
        print("error:", " ".join(what.split()), file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt as error:
        return say_stopped(error, "autobalance.predict", None)
    return DONE


def _predict(run: str, source: str, out: str) -> str:
    """Writes the predictions, and says what was written."""
    from autobalance.common import write_text
    from autobalance.training import load_model

    model = load_model(run)
    if model.encoder is None:
        raise InputError(
            f"--run {run} searched on samples that a function of your own made: predict from Python, with "
            "autobalance.load_model(DIR).predict(x)"
        )
    data = model.encoder.read(source)
    write_text(out, _table(model, data, model.encoder.names(data)))
    return f"{out}  {len(data)} predictions with the model of {run} (loss: {model.provenance.get('chosen', '?')})"


def _table(model: TrainedModel, data: Any, names: Sequence[str] | None) -> str:
    """The CSV text: maybe the samples' names, the predictions, and the share of each class."""
    text = io.StringIO()
    write = csv.writer(text, lineterminator="\n").writerow
    first = [] if names is None else ["sample"]
    rows = [[] for _ in range(len(data))] if names is None else [[name] for name in names]
    if model.class_names is None:
        write([*first, "prediction"])
        for row, number in zip(rows, model.predict(data).tolist(), strict=True):
            write([*row, f"{number:.9g}"])
        return text.getvalue()
    shares = model.predict_proba(data)
    write([*first, "prediction", *(f"share {name}" for name in model.class_names)])
    for row, its, best in zip(rows, shares.tolist(), shares.argmax(1).tolist(), strict=True):
        write([*row, model.class_names[best], *(f"{share:.6g}" for share in its)])
    return text.getvalue()
