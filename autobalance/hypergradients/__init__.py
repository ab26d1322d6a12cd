"""How the validation objective is followed: engines that differentiate it through training steps.

Every engine is called in the same way, see `Engine`.
"""

from autobalance.hypergradients._inner import Engine as Engine
from autobalance.hypergradients._inner import Hypergradient as Hypergradient
from autobalance.hypergradients._inner import Inner as Inner
from autobalance.hypergradients._inner import InnerState as InnerState
from autobalance.hypergradients._inner import inner_step as inner_step
from autobalance.hypergradients._inner import objective_value as objective_value
from autobalance.hypergradients._replay import Replay as Replay
from autobalance.hypergradients._sgd import SGD as SGD
from autobalance.hypergradients._unrolled import Unrolled as Unrolled

#: The engines by the names that ``--hypergradient`` takes.
ENGINES = {"replay": Replay, "unrolled": Unrolled}

__all__ = [
    "ENGINES",
    "SGD",
    "Engine",
    "Hypergradient",
    "Inner",
    "InnerState",
    "Replay",
    "Unrolled",
    "inner_step",
    "objective_value",
]
