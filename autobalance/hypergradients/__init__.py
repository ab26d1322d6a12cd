"""Engines that differentiate the validation objective through training steps.

Every engine is called in the same way, see `Engine`.
"""

from autobalance.hypergradients._adam import Adam as Adam
from autobalance.hypergradients._check import Needs as Needs
from autobalance.hypergradients._check import check_engine as check_engine
from autobalance.hypergradients._combined import Clipped as Clipped
from autobalance.hypergradients._combined import Groups as Groups
from autobalance.hypergradients._engine import ENGINES as ENGINES
from autobalance.hypergradients._engine import Abilities as Abilities
from autobalance.hypergradients._engine import Engine as Engine
from autobalance.hypergradients._engine import Hypergradient as Hypergradient
from autobalance.hypergradients._engine import engine_name as engine_name
from autobalance.hypergradients._engine import make_engine as make_engine
from autobalance.hypergradients._engine import register_engine as register_engine
from autobalance.hypergradients._folds import Stacked as Stacked
from autobalance.hypergradients._folds import fold_loss as fold_loss
from autobalance.hypergradients._folds import fold_objective as fold_objective
from autobalance.hypergradients._folds import folds as folds
from autobalance.hypergradients._folds import split_batch as split_batch
from autobalance.hypergradients._folds import stack_batches as stack_batches
from autobalance.hypergradients._from_torch import optimiser_from_torch as optimiser_from_torch
from autobalance.hypergradients._head import Head as Head
from autobalance.hypergradients._implicit import Implicit as Implicit
from autobalance.hypergradients._inner import Inner as Inner
from autobalance.hypergradients._inner import InnerState as InnerState
from autobalance.hypergradients._inner import Objective as Objective
from autobalance.hypergradients._inner import TrainLoss as TrainLoss
from autobalance.hypergradients._inner import Transform as Transform
from autobalance.hypergradients._inner import inner_step as inner_step
from autobalance.hypergradients._inner import objective_value as objective_value
from autobalance.hypergradients._last_layers import LastLayers as LastLayers
from autobalance.hypergradients._one_step import OneStep as OneStep
from autobalance.hypergradients._optimiser import RECIPE_PARAMETERS as RECIPE_PARAMETERS
from autobalance.hypergradients._optimiser import Optimiser as Optimiser
from autobalance.hypergradients._optimiser import OptimiserAbilities as OptimiserAbilities
from autobalance.hypergradients._optimiser import Rate as Rate
from autobalance.hypergradients._parallel import processes as processes
from autobalance.hypergradients._random import RandomState as RandomState
from autobalance.hypergradients._random import random_state as random_state
from autobalance.hypergradients._random import set_random_state as set_random_state
from autobalance.hypergradients._replay import Replay as Replay
from autobalance.hypergradients._sgd import SGD as SGD
from autobalance.hypergradients._solvers import ConjugateGradients as ConjugateGradients
from autobalance.hypergradients._solvers import Neumann as Neumann
from autobalance.hypergradients._solvers import SolverWarning as SolverWarning
from autobalance.hypergradients._unrolled import Unrolled as Unrolled

register_engine("replay", Replay)
register_engine("unrolled", Unrolled)
register_engine("one-step", OneStep)
register_engine("implicit", Implicit)
register_engine("head", Head)

__all__ = [
    "ENGINES",
    "RECIPE_PARAMETERS",
    "SGD",
    "Abilities",
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
    "LastLayers",
    "Needs",
    "Neumann",
    "Objective",
    "OneStep",
    "Optimiser",
    "OptimiserAbilities",
    "RandomState",
    "Rate",
    "Replay",
    "SolverWarning",
    "Stacked",
    "TrainLoss",
    "Transform",
    "Unrolled",
    "check_engine",
    "engine_name",
    "fold_loss",
    "fold_objective",
    "folds",
    "inner_step",
    "make_engine",
    "objective_value",
    "optimiser_from_torch",
    "processes",
    "random_state",
    "register_engine",
    "set_random_state",
    "split_batch",
    "stack_batches",
]
