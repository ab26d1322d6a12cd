"""What came out of a run, for people: the objective first, then what it costs, who pays, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from autobalance.study.report._difference import Difference, difference
from autobalance.study.report._ranking import as_float, ranking
from autobalance.study.report._scores import Score, best_fixed, scores
from autobalance.study.report._sentences import chosen
from autobalance.study.report._verdict_words import bounds, called, capital, costs, headline, sure, who_pays
from autobalance.study.report._who_pays import Change, changes
from autobalance.study.report._words import words


@dataclass(frozen=True)
class Verdict:
    """What came out.

    Args:
        kind: ``better``, ``same``, ``worse``, ``undecided`` (no spread) or ``alone`` (nothing to compare), of the
            searched loss against the best fixed one.
        badge: the same in a word or two, or which fixed loss was kept instead.
        headline: the objective's figures.
        bounds: how each constraint of the objective stands.
        sure: the difference from the best fixed loss, and how sure it is.
        costs: what becomes of the figure that is shown beside the objective.
        classes: who gains and who pays.
        kept: whether a fixed loss was chosen in place of the searched one.
        best_fixed: the fixed loss with the best test result; None where none was run.
        difference: from it.
        gains, pays: the classes, bins or cells that change beyond chance, the largest change first.
    """

    kind: str
    badge: str
    headline: str
    bounds: list[str]
    sure: str
    costs: str = ""
    classes: str = ""
    kept: bool = False
    best_fixed: str | None = None
    difference: Difference | None = None
    gains: list[Change] = field(default_factory=list)
    pays: list[Change] = field(default_factory=list)

    @property
    def sentence(self) -> str:
        """All sentences as one text."""
        return " ".join(self.lines)

    @property
    def lines(self) -> list[str]:
        """The sentences, in the order in which they are read."""
        return [line for line in (self.headline, *self.bounds, self.sure, self.costs, self.classes) if line]


_BADGES = {
    "better": "Better",
    "worse": "Worse",
    "same": "No difference beyond the spread",
    "undecided": "Undecided",
    "alone": "Nothing to compare",
}


def verdict(result: dict[str, Any]) -> Verdict:
    """The searched loss against the best fixed loss of the run, see `Difference`.

    Args:
        result: the content of ``result.json``.
    """
    rows, by, taken = scores(result), ranking(result), chosen(result)
    searched, fixed = next((row for row in rows if row.method == "searched"), None), best_fixed(rows)
    if searched is None or fixed is None:
        why = "No fixed loss was run to compare it with." if fixed is None else "No searched loss is in this result."
        alone = rows[:1]
        return Verdict("alone", _BADGES["alone"], headline(result, by, alone, 1), bounds(result, alone), why)
    apart, moved, shown = difference(result, searched, fixed), changes(result, searched, fixed), _shown(result, rows)
    kept = taken not in (None, "searched")
    subject = capital(called(result, searched))
    return Verdict(
        kind=apart.kind,
        badge=f"Kept: {words(taken)}" if kept and taken is not None else _BADGES[apart.kind] + _missed(result),
        headline=headline(result, by, shown, 2 if abs(apart.value) < 0.1 else 1),
        bounds=bounds(result, shown),
        sure=sure(subject, by, apart, searched, fixed),
        costs=costs(by, searched, fixed),
        classes=who_pays(by, moved),
        kept=kept,
        best_fixed=fixed.method,
        difference=apart,
        gains=[change for change in moved or [] if change.points < 0],
        pays=[change for change in reversed(moved or []) if change.points > 0],
    )


def _missed(result: dict[str, Any]) -> str:
    """A word where the searched loss misses a constraint, in the mean over the seeds."""
    stands = (result["test"]["searched"].get("constraints") or {}).values()
    return ", but a constraint is missed" if any(as_float(one["violation"]) > 0 for one in stands) else ""


def _shown(result: dict[str, Any], rows: Sequence[Score]) -> list[Score]:
    """The plain loss, the one that the search started from, the best fixed one and the searched one."""
    start, fixed = (result.get("search") or {}).get("start"), best_fixed(rows)
    by_name = {row.method: row for row in rows}
    plain = next((name for name in ("ce", "l1") if name in by_name), None)
    names = dict.fromkeys((plain, start, None if fixed is None else fixed.method, "searched"))
    return [by_name[name] for name in names if name in by_name]
