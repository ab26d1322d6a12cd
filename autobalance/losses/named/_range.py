"""The range of a hyper-parameter that tuning looks in."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Trial(Protocol):
    """What proposes values, as Optuna's trials do."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float: ...

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1) -> int: ...


class Range(NamedTuple):
    """From ``low`` to ``high``.

    Args:
        scale: "linear"; "log", for sizes; "to-one", for shares near 1: logarithmic in 1 - value; or "odd", for odd
            whole numbers.

    Example:
        >>> Range(0.25, 3.0).around(4.0)
        Range(low=0.25, high=4.0, scale='linear')
    """

    low: float
    high: float
    scale: str = "linear"

    def around(self, value: float) -> Range:
        """This range, widened where ``value`` lies outside."""
        return Range(min(self.low, value), max(self.high, value), self.scale)

    def suggest(self, trial: Trial, name: str) -> float:
        """The trial's value."""
        if self.scale == "to-one":
            return 1 - trial.suggest_float(f"1 - {name}", 1 - self.high, 1 - self.low, log=True)
        if self.scale == "odd":
            return trial.suggest_int(name, int(self.low), int(self.high), step=2)
        return trial.suggest_float(name, self.low, self.high, log=self.scale == "log")

    def as_trial(self, name: str, value: float) -> dict[str, float]:
        """``value`` as the parameters of a trial that `suggest` answers with it."""
        return {f"1 - {name}": 1 - value} if self.scale == "to-one" else {name: value}
