"""The report of a search run, one page to show to a colleague; and the tables and the figure of a comparison.

Importing this room is cheap: matplotlib, jinja2 and rich are imported when they are first needed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from autobalance.common import write_text
from autobalance.report._comparison_plot import draw_comparison
from autobalance.report._comparison_table import comparison_csv, comparison_markdown
from autobalance.report._facts import (
    best_scores,
    choice_sentence,
    chosen,
    found_rates,
    measure,
    number,
    scores,
    spread,
    verdict,
)
from autobalance.report._markdown import markdown_table, p_text, plural, spread_text
from autobalance.report._published import Published, read_published

if TYPE_CHECKING:
    from rich.table import Table

__all__ = [
    "Published",
    "choice_sentence",
    "comparison_csv",
    "comparison_markdown",
    "draw_comparison",
    "found_rates",
    "markdown_table",
    "p_text",
    "plural",
    "read_published",
    "results_table",
    "spread_text",
    "write_report",
]


def write_report(directory: str | Path) -> Path:
    """Writes ``report.html`` beside the ``loss.json``, ``result.json`` and ``history.jsonl`` of a run.

    The page is self-contained: no scripts, nothing from the network; its plots are inline SVG.

    Args:
        directory: of the run, as the search's ``--out``.

    Returns:
        the path of the page.

    Raises:
        InputError (a ValueError): a file is torn or lacks what the page needs; names the file.
        FileNotFoundError: there is no ``loss.json`` or ``result.json``.
    """
    from autobalance.report._page import page
    from autobalance.report._run import read_run

    directory = Path(directory)
    text = page(read_run(directory), directory)
    path = directory / "report.html"
    write_text(path, text)
    return path


def results_table(result: dict[str, Any]) -> Table:
    """The methods of ``result`` (the content of ``result.json``) by what the run made small, the lowest mean
    starred and the chosen one named.

    Args:
        result: at least ``test.<method>.balanced_error`` in percent, or for a regression its objective's figure.

    Returns:
        a table to print with rich; the sentence under it compares the searched loss with the best fixed one.
    """
    from rich.table import Table
    from rich.text import Text

    rows = scores(result)
    best = best_scores(rows)
    table = Table(
        title="Test results (mean ± standard deviation over seeds)",
        caption=verdict(result).sentence,
        caption_justify="left",
    )
    table.add_column("method")
    what = measure(result)
    for heading in (what.heading, what.other_heading, "seeds"):
        table.add_column(heading, justify="right")
    for row in rows:
        mark = "* " if row in best else ""
        mean, other = spread(row.mean, row.std, what.digits), spread(row.error, row.error_std, what.other_digits)
        cells = (row.words, mark + mean, other, number(row.seeds, 0))
        if row.method == chosen(result):
            cells = (f"{row.words}, chosen", *cells[1:])
        table.add_row(*(Text(cell) for cell in cells), style="bold" if row in best else None)
    return table
