"""What the search is judged by: differentiable objectives of the validation logits, and their true metrics."""

from autobalance.tasks.objectives._functionals import TEMPERATURE as TEMPERATURE
from autobalance.tasks.objectives._functionals import balanced_weights as balanced_weights
from autobalance.tasks.objectives._named import NAMES as NAMES
from autobalance.tasks.objectives._named import SURROGATES as SURROGATES
from autobalance.tasks.objectives._named import Blend as Blend
from autobalance.tasks.objectives._named import make_objective as make_objective
from autobalance.tasks.objectives._own import Objective as Objective
from autobalance.tasks.objectives._own import Own as Own
from autobalance.tasks.objectives._own import OwnFunction as OwnFunction
from autobalance.tasks.objectives._regression import GM_FLOOR as GM_FLOOR
from autobalance.tasks.objectives._regression import REGRESSION_NAMES as REGRESSION_NAMES
from autobalance.tasks.objectives._regression import make_regression_objective as make_regression_objective

__all__ = [
    "GM_FLOOR",
    "NAMES",
    "REGRESSION_NAMES",
    "SURROGATES",
    "TEMPERATURE",
    "Blend",
    "Objective",
    "Own",
    "OwnFunction",
    "balanced_weights",
    "make_objective",
    "make_regression_objective",
]
