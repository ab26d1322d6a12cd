"""What is tuned: the range of each hyper-parameter, around the values that the papers use.

The papers' own value, which is the first trial, is the default of `autobalance.fixed_point`. Hyper-parameters that are
not listed are not tuned: they choose a variant, or no paper tunes them.
"""

from __future__ import annotations

from typing import NamedTuple

import optuna

from autobalance.common import InputError


class Range(NamedTuple):
    """From ``low`` to ``high``.

    Args:
        scale: "linear"; "log", for sizes; "to-one", for shares near 1: logarithmic in 1 - value; or "odd", for odd
            whole numbers.
    """

    low: float
    high: float
    scale: str = "linear"

    def around(self, value: float) -> Range:
        """This range, widened where ``value`` lies outside."""
        return Range(min(self.low, value), max(self.high, value), self.scale)

    def suggest(self, trial: optuna.Trial, name: str) -> float:
        """The trial's value."""
        if self.scale == "to-one":
            return 1 - trial.suggest_float(f"1 - {name}", 1 - self.high, 1 - self.low, log=True)
        if self.scale == "odd":
            return trial.suggest_int(name, int(self.low), int(self.high), step=2)
        return trial.suggest_float(name, self.low, self.high, log=self.scale == "log")

    def as_trial(self, name: str, value: float) -> dict[str, float]:
        """``value`` as a trial that `suggest` answers with it."""
        return {f"1 - {name}": 1 - value} if self.scale == "to-one" else {name: value}


BETA = Range(0.9, 0.99999, "to-one")  # Cui et al. 2019 try 0.9, 0.99, 0.999, 0.9999
GAMMA_FOCAL = Range(0.5, 5.0)  # Lin et al. 2017, table 1b: 0 to 5
TAU = Range(0.25, 3.0)  # Menon et al. 2021, figure 3: 0 to 3 or so
GAMMA_CDT = Range(0.02, 0.5)  # Ye et al. 2020: 0 to 0.5; Kini et al. 2021: 0.05 to 0.3
MAX_M = Range(0.1, 1.0)  # Cao et al. 2019: 0.5
SCALE = Range(8.0, 64.0, "log")  # Cao et al. 2019: 30; face recognition: up to 64
DRW_START = Range(0.5, 0.95)  # Cao et al. 2019: 160 of 200 epochs
ALPHA = Range(10.0, 10_000.0, "log")  # Park et al. 2021: 1000
IB_START = Range(0.25, 0.75)  # Park et al. 2021: 100 of 200 epochs

CSL = {"strength": Range(0.01, 10.0, "log"), "reward": Range(0.5, 4.0)}

RANGES: dict[str, dict[str, Range]] = {
    "cb": {"beta": BETA},
    "focal": {"gamma": GAMMA_FOCAL},
    "cb-focal": {"beta": BETA, "gamma": GAMMA_FOCAL},
    "la": {"tau": TAU},
    "cdt": {"gamma": GAMMA_CDT},
    "vs": {"gamma": GAMMA_CDT, "tau": TAU},
    "ldam": {"max_m": MAX_M, "s": SCALE},
    "ldam-drw": {"max_m": MAX_M, "s": SCALE, "beta": BETA, "drw_start": DRW_START},
    "csl": CSL,
    "+csl": CSL,
    "+csl-released": CSL,
    "group-la": {"tau": TAU},
    "group-vs": {"gamma": GAMMA_CDT, "tau": TAU},
    "group-dro": {"eta": Range(0.001, 0.1, "log"), "adjustment": Range(0.0, 5.0)},  # Sagawa et al. 2020: 0.01, 0 to 5
    "ib": {"alpha": ALPHA, "start": IB_START},
    "ib-cb": {"alpha": ALPHA, "start": IB_START, "beta": BETA},
    "ib-focal": {"alpha": ALPHA, "start": IB_START, "gamma": Range(0.25, 2.0)},
    "equalization": {"probability": Range(0.5, 0.99)},
    "huber": {"threshold": Range(0.05, 3.0, "log")},  # in standard deviations of the target, as all of these
    "lds": {"ks": Range(3, 15, "odd"), "sigma": Range(0.5, 4.0, "log")},  # Yang et al. 2021: 5, 9, 15 and 1, 2
    "focal-r": {"beta": Range(0.05, 5.0, "log"), "gamma": Range(0.25, 2.0)},  # Yang et al. 2021: 0.2 and 1
    "balanced-mse": {"noise_sigma": Range(0.05, 2.0, "log")},  # Ren et al. 2022: 1, in their units
    "+drw": {"drw_beta": BETA, "drw_start": DRW_START},
    "+posthoc": {"posthoc_tau": TAU},
    "+crt": {"crt_share": Range(0.05, 0.5), "crt_lr": Range(0.001, 0.5, "log")},
    "+ssp": {"ssp_share": Range(0.1, 1.0)},
    "autobalance": {"outer_lr": Range(0.01, 0.2, "log"), "warmup": Range(0.1, 0.6)},
    "recipe": {"lr": Range(0.01, 0.3, "log"), "weight_decay": Range(1e-5, 2e-2, "log")},
}


def ranges_of(parts: list[str]) -> dict[str, Range]:
    """The ranges of a method's parts, such as ``["la", "+drw"]``, in one table.

    Raises:
        InputError: two parts have a hyper-parameter of the same name.
    """
    joined: dict[str, Range] = {}
    for part in parts:
        ranges = RANGES.get(part, {})
        if twice := set(ranges) & set(joined):
            raise InputError(
                f"{''.join(parts)} has two hyper-parameters called {sorted(twice)[0]}: "
                f"{part} does what the loss does already"
            )
        joined |= ranges
    return joined
