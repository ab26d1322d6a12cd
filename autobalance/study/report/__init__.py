"""The report of a search, a page to show to a colleague; and the tables and the figure of a comparison.

Importing this room is cheap: matplotlib, jinja2 and rich are imported when they are first needed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from autobalance.common import write_text
from autobalance.study.report._comparison_plot import draw_comparison
from autobalance.study.report._comparison_table import comparison_csv, comparison_markdown
from autobalance.study.report._markdown import markdown_table, p_text, plural, spread_text
from autobalance.study.report._published import Published, read_published
from autobalance.study.report._published_recipe import PublishedRecipe, read_published_recipe
from autobalance.study.report._ranking import Ranking, ranking
from autobalance.study.report._scores import Score, scores
from autobalance.study.report._sentences import (
    choice_sentence,
    constraint_sentences,
    diverged_sentences,
    found_recipe,
    repeat_sentences,
    unmet_sentence,
)
from autobalance.study.report._verdict import Verdict, verdict

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

__all__ = [
    "Published",
    "PublishedRecipe",
    "Ranking",
    "Score",
    "Verdict",
    "choice_sentence",
    "comparison_csv",
    "comparison_markdown",
    "constraint_sentences",
    "diverged_sentences",
    "draw_comparison",
    "found_recipe",
    "markdown_table",
    "p_text",
    "plural",
    "ranking",
    "read_published",
    "read_published_recipe",
    "repeat_sentences",
    "results_table",
    "scores",
    "spread_text",
    "unmet_sentence",
    "verdict",
    "verdict_lines",
    "write_report",
]


def write_report(directory: str | Path) -> Path:
    """Writes ``report.html`` beside the ``loss.json``, ``result.json`` and ``history.jsonl`` of a run.

    The page is self-contained: nothing from the network, one script that sorts a table; its plots are inline SVG.

    Args:
        directory: that of the run.

    Returns:
        the path of the page.

    Raises:
        InputError (a ValueError): a file is torn or lacks something that the page needs; the message names the file.
        FileNotFoundError: there is no ``loss.json`` or ``result.json``.
    """
    from autobalance.study.report._page import page
    from autobalance.study.report._run import read_run

    directory = Path(directory)
    text = page(read_run(directory), directory)
    path = directory / "report.html"
    write_text(path, text)
    return path


def results_table(result: dict[str, Any]) -> Table:
    """The methods of a run, ranked by what the search made small; the lowest mean has a star, the chosen one is named.

    Args:
        result: the content of ``result.json``.

    Returns:
        a table to print with rich.
    """
    from autobalance.study.report._terminal import methods_table

    return methods_table(result)


def verdict_lines(result: dict[str, Any]) -> Text:
    """What came out, a sentence a line, the objective's figures first: to print with rich."""
    from autobalance.study.report._terminal import verdict_text

    return verdict_text(result)
