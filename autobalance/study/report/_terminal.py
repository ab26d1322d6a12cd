"""What a search prints at its end: the table of the methods, and the verdict."""

from __future__ import annotations

from typing import Any

from rich.table import Table
from rich.text import Text

from autobalance.study.report._ranking import ranking
from autobalance.study.report._scores import best_scores, scores
from autobalance.study.report._sentences import chosen
from autobalance.study.report._verdict import verdict
from autobalance.study.report._words import spread


def methods_table(result: dict[str, Any]) -> Table:
    """See `autobalance.study.report.results_table`."""
    rows = scores(result)
    best = best_scores(rows)
    table = Table(title="Test results (mean ± standard deviation over seeds)")
    table.add_column("method")
    by = ranking(result)
    for heading in (by.main.heading, by.beside.heading, "seeds"):
        table.add_column(heading, justify="right")
    for row in rows:
        mark = "* " if row in best else ""
        mean, other = spread(row.mean, row.std, by.main.digits), spread(row.beside, row.beside_std, by.beside.digits)
        cells = (row.words, mark + mean, other, str(row.seeds))
        if row.method == chosen(result):
            cells = (f"{row.words}, chosen", *cells[1:])
        table.add_row(*(Text(cell) for cell in cells), style="bold" if row in best else None)
    return table


def verdict_text(result: dict[str, Any]) -> Text:
    """The verdict, a sentence a line, the objective first."""
    lines = verdict(result).lines
    return Text("\n").join([Text(lines[0], style="bold"), *map(Text, lines[1:])])
