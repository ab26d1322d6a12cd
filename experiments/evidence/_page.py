"""A track's page: what was asked, table, picture, and what it says."""

from __future__ import annotations

import math
import statistics
from pathlib import Path

from autobalance.study.report import markdown_table
from experiments.evidence._bars import BARS
from experiments.evidence._cells import plain
from experiments.evidence._plan import EvidencePlan, Margin, Track
from experiments.evidence._verdict import OURS, Against, Figures, against, cost, mean_figure, ranks
from experiments.objectives import FIXED

#: Ways that are not rivals of the bars: controls, and other kinds of models.
CONTROLS = ("again", "improved")
#: The part of a page that README has too.
SHORT = "In short"
#: In words, for all tracks: LA for classes, 1/√n for numbers, group-LA for groups.
PLAIN = "the published loss it starts from"
#: The rivals in pictures.
SHOWN = (FIXED, "la + offsets", "ce + offsets", "la", "sqinv", "group-la")


def page(plan: EvidencePlan, track: Track, found: dict[str, Figures]) -> str:
    """The page as Markdown.

    Args:
        plan: for its margin and hash.
        track: what was asked.
        found: by objective the figures of the problems that have any complete split.
    """
    splits = sorted({len(ways[OURS]) for figures in found.values() for ways in figures.values()})
    seen = [entry.name for entry in track.problems if entry.name in track.seen]
    parts = [
        f"# Track {track.name}: {track.title}\n",
        f"{len(track.problems)} problems, {len(track.problems) - len(seen)} of them never looked at before "
        f"(looked at: {', '.join(seen) or 'none'}); {' to '.join(map(str, splits))} of {track.splits} splits are done. "
        f"The plan was fixed before: `experiments/plans/evidence.yaml`, hash {plan.hash}; it says what decides. "
        "All figures are means over splits, lower is better. Written by\n",
        f"    python -m experiments.evidence --root DIR --tracks {track.name}\n",
        f"## {SHORT}\n",
        _short(plan, track, found),
        "*better* and *worse*: significant; *same*: within the margin; *open*: neither. Bars:\n",
        _bars(plan, track, found),
    ]
    for objective, figures in found.items():
        margin = plan.margin.of(track.kind, objective)
        parts += [f"## {objective}\n", _table(margin, track, figures), _summary(margin, track, figures)]
        parts += [f"![{objective}](evidence-{track.name}-{plain(objective)}.svg)\n", _controls(margin, track, figures)]
    return "\n".join(parts)


def _short(plan: EvidencePlan, track: Track, found: dict[str, Figures]) -> str:
    rows = []
    for objective, figures in found.items():
        plain, fixed = (
            against(figures, name, plan.margin.of(track.kind, objective)) for name in (track.of.plain, FIXED)
        )
        rows.append(
            {
                "what shall be small": objective,
                "problems": str(len(figures)),
                f"against {PLAIN}": f"{plain.mean_share:+.1%}",
                "against the best of all fixed losses": f"{fixed.mean_share:+.1%}",
                "better / same / open / worse": _counts(fixed),
                "probability of better or the same": f"{sum(fixed.probabilities[:2]):.2f}",
                "cost in trainings": f"{cost(figures, OURS):.1f} (all fixed losses: {cost(figures, FIXED):.0f})",
            }
        )
    return markdown_table(rows) + "\n"


def _bars(plan: EvidencePlan, track: Track, found: dict[str, Figures]) -> str:
    rows = []
    for objective, figures in found.items():
        for bar in BARS[track.name]:
            reached, said = bar.check(against(figures, bar.rival, plan.margin.of(track.kind, objective)))
            rows.append(
                {
                    "objective": objective,
                    "bar": f"against {bar.rival}: {bar.text}",
                    "": "reached" if reached else "missed",
                    "figures": said,
                }
            )
    return markdown_table(rows) + "\n"


def _counts(its: Against) -> str:
    return " / ".join(str(its.count(word)) for word in ("better", "same", "open", "worse"))


def _table(margin: Margin, track: Track, figures: Figures) -> str:
    rival = against(figures, FIXED, margin)
    rows = []
    for problem, ways in figures.items():
        spread = statistics.stdev([each["figure"] for each in ways[OURS]]) if len(ways[OURS]) > 1 else math.nan
        pair = rival.each[problem]
        rows.append(
            {
                "problem": problem + ("" if problem not in track.seen else " (seen)"),
                track.of.plain: f"{mean_figure(figures, problem, track.of.plain):.4g}",
                OURS: f"{mean_figure(figures, problem, OURS):.4g} ± {spread:.2g}",
                FIXED: f"{mean_figure(figures, problem, FIXED):.4g}",
                "ours - best fixed": f"{pair.difference:+.3g} ({pair.share:+.1%})",
                "p, Holm": "" if pair.p is None else f"{pair.p:.2g}",
                "so": pair.word,
            }
        )
    return markdown_table(rows) + "\n"


def rivals(figures: Figures) -> list[str]:
    """The ways that ours is compared with, those of the bars first."""
    names = next(iter(figures.values()))
    return [name for name in dict.fromkeys((FIXED, *names)) if name not in (OURS, *CONTROLS)]


def _summary(margin: Margin, track: Track, figures: Figures) -> str:
    names = rivals(figures)
    average = ranks(figures, [OURS, *names])
    rows = [_line(OURS, None, average, cost(figures, OURS))]
    for name in names:
        rows.append(_line(name, against(figures, name, margin), average, cost(figures, name)))
    above = against(figures, FIXED, margin).beyond_worse
    said = f"Above {FIXED} by more than the margin, significantly or not: {', '.join(above) or 'on no problem'}.\n"
    return f"{markdown_table(rows)}\n\n{said}"


def _line(name: str, its: Against | None, average: dict[str, float], price: float) -> dict[str, str]:
    line = {
        "way": name,
        "average rank": f"{average[name]:.1f}",
        "cost, trainings": "" if math.isnan(price) else f"{price:.1f}",
        "ours against it": "",
        "better / same / open / worse": "",
        "P(better / same / worse)": "",
    }
    if its is not None:
        line["ours against it"] = f"{its.mean_share:+.1%}"
        line["better / same / open / worse"] = _counts(its)
        line["P(better / same / worse)"] = " / ".join(f"{p:.2f}" for p in its.probabilities)
    return line


def _controls(margin: Margin, track: Track, figures: Figures) -> str:
    again = against(figures, track.of.plain, margin, "again")
    improved = against(figures, track.of.plain, margin, "improved")

    def said(its: Against) -> str:
        better, same, worse = its.probabilities
        return (
            f"{its.mean_share:+.1%}, better on {its.count('better')} and worse on {its.count('worse')} of "
            f"{len(its.each)}, P(better / same / worse) {better:.2f} / {same:.2f} / {worse:.2f}"
        )

    return (
        f"Controls, against {track.of.plain}: the same loss with another seed {said(again)}; with a seventh of its "
        f"mistakes put right {said(improved)}.\n"
    )


def draw(margin: Margin, track: Track, figures: Figures, path: Path) -> None:
    """Writes the picture: on each problem, ours against the rivals of the bars, as a share of the rival's figure."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    shown = [name for name in SHOWN if name in rivals(figures)]
    colours = dict(zip(shown, ("#EE6677", "#4477AA", "#66CCEE", "#777777", "#777777"), strict=False))
    with plt.rc_context({"svg.hashsalt": "autobalance", "svg.fonttype": "none", "font.size": 9}):
        figure, axes = plt.subplots(figsize=(7, 1.4 + 0.28 * len(figures)), layout="constrained")
        problems = list(figures)
        for place, name in enumerate(shown):
            each = against(figures, name, margin).each
            for row, problem in enumerate(problems):
                pair = each[problem]
                axes.plot(
                    100 * pair.share,
                    row + 0.16 * (place - (len(shown) - 1) / 2),
                    "o",
                    color=colours[name],
                    mfc=colours[name] if pair.significant else "white",
                    label=f"against {name}" if row == 0 else None,
                )
        axes.axvspan(-100 * margin.share, 100 * margin.share, color="#F0F0F0", zorder=0)
        axes.axvline(0, color="#999999", lw=0.8)
        axes.set_yticks(range(len(problems)), problems)
        axes.invert_yaxis()
        axes.set_xlabel("ours less the rival, % of the rival's figure (left is better); filled: significant")
        axes.grid(axis="x", color="#EEEEEE")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        figure.legend(loc="outside upper center", frameon=False, ncols=len(shown))
        figure.savefig(path, metadata={"Date": None})
        plt.close(figure)
