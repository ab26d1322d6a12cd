"""How the validation objective is followed: engines that differentiate it through training steps.

Every engine is called in the same way, see `Engine`.
"""

from autobalance.hypergradients._adam import Adam as Adam
from autobalance.hypergradients._combined import Clipped as Clipped
from autobalance.hypergradients._combined import Groups as Groups
from autobalance.hypergradients._folds import Stacked as Stacked
from autobalance.hypergradients._folds import fold_loss as fold_loss
from autobalance.hypergradients._folds import folds as folds
from autobalance.hypergradients._folds import split_batch as split_batch
from autobalance.hypergradients._folds import stack_batches as stack_batches
from autobalance.hypergradients._from_torch import optimiser_from_torch as optimiser_from_torch
from autobalance.hypergradients._head import Head as Head
from autobalance.hypergradients._implicit import Implicit as Implicit
from autobalance.hypergradients._inner import Engine as Engine
from autobalance.hypergradients._inner import Hypergradient as Hypergradient
from autobalance.hypergradients._inner import Inner as Inner
from autobalance.hypergradients._inner import InnerState as InnerState
from autobalance.hypergradients._inner import Objective as Objective
from autobalance.hypergradients._inner import TrainLoss as TrainLoss
from autobalance.hypergradients._inner import Transform as Transform
from autobalance.hypergradients._inner import inner_step as inner_step
from autobalance.hypergradients._inner import objective_value as objective_value
from autobalance.hypergradients._one_step import OneStep as OneStep
from autobalance.hypergradients._optimiser import RATES as RATES
from autobalance.hypergradients._optimiser import Optimiser as Optimiser
from autobalance.hypergradients._parallel import processes as processes
from autobalance.hypergradients._replay import Replay as Replay
from autobalance.hypergradients._sgd import SGD as SGD
from autobalance.hypergradients._solvers import ConjugateGradients as ConjugateGradients
from autobalance.hypergradients._solvers import Neumann as Neumann
from autobalance.hypergradients._solvers import SolverWarning as SolverWarning
from autobalance.hypergradients._unrolled import Unrolled as Unrolled

#: The engines by the names that ``--hypergradient`` takes.
ENGINES = {"replay": Replay, "unrolled": Unrolled, "one-step": OneStep, "implicit": Implicit, "head": Head}

__all__ = [
    "ENGINES",
    "RATES",
    "SGD",
    "Adam",
    "Clipped",
    "ConjugateGradients",
    "Engine",
    "Groups",
    "Head",
    "Hypergradient",
    "Implicit",
    "Inner",
    "InnerState",
    "Neumann",
    "Objective",
    "OneStep",
    "Optimiser",
    "Replay",
    "SolverWarning",
    "Stacked",
    "TrainLoss",
    "Transform",
    "Unrolled",
    "fold_loss",
    "folds",
    "inner_step",
    "objective_value",
    "optimiser_from_torch",
    "processes",
    "split_batch",
    "stack_batches",
]
