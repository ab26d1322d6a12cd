"""Tables as papers, pages and pull requests take them, and the texts in their cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence


def markdown_table(rows: Sequence[Mapping[str, str]], right: bool = False) -> str:
    """A Markdown table whose columns are padded to one width each.

    Args:
        rows: texts by column; the columns are those of all rows, in the order in which they come first.
        right: whether all columns but the first are aligned to the right.

    Example:
        >>> print(markdown_table([{"method": "la", "error": "9.50"}], right=True))
        | method | error |
        |:-------|------:|
        | la     |  9.50 |
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    widths = [max(len(name), *(len(row.get(name, "")) for row in rows), 3) for name in names]
    sides = ["<", *(">" if right else "<" for _ in names[1:])]

    def line(cells: Sequence[str]) -> str:
        padded = (f"{cell:{side}{width}}" for cell, side, width in zip(cells, sides, widths, strict=True))
        return f"| {' | '.join(padded)} |"

    rules = ("-" * (width + 1) for width in widths)
    below = "|".join(f":{rule}" if side == "<" else f"{rule}:" for rule, side in zip(rules, sides, strict=True))
    return "\n".join([line(names), f"|{below}|", *(line([row.get(name, "") for name in names]) for row in rows)])


def plural(number: int, what: str, ending: str = "s") -> str:
    """``1 trial``, ``2 trials``."""
    return f"{number} {what}{ending if number != 1 else ''}"


def spread_text(value: Mapping[str, float | None], text: Callable[[float], str], with_std: bool = True) -> str:
    """``12.34 ± 0.56``, or - where there is no value."""
    if value["mean"] is None:
        return "-"
    return text(value["mean"]) + ("" if value["std"] is None or not with_std else f" ± {text(value['std'])}")


def p_text(p: float | None) -> str:
    """p as papers print it."""
    return "-" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"
