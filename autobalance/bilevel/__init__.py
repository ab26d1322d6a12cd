"""The search: what is free, how the searched numbers are moved, and which loss is handed out in the end.

checked = check(plan, setting, task)              # everything that can be refused is refused
state = run(checked.search)                       # the strategy's own states
found = checked.search.trainee.space.found(state.found)
choice = select(checked, found)                   # on held-out samples of folds
"""

from autobalance.bilevel._auto import Auto as Auto
from autobalance.bilevel._bench import Bench as Bench
from autobalance.bilevel._check import CheckedPlan as CheckedPlan
from autobalance.bilevel._check import check as check
from autobalance.bilevel._conduct import Outcome as Outcome
from autobalance.bilevel._conduct import conduct as conduct
from autobalance.bilevel._guard import SEARCHED as SEARCHED
from autobalance.bilevel._guard import Choice as Choice
from autobalance.bilevel._guard import choose as choose
from autobalance.bilevel._guard import member as member
from autobalance.bilevel._interleaved import Interleaved as Interleaved
from autobalance.bilevel._interleaved import InterleavedSearch as InterleavedSearch
from autobalance.bilevel._interleaved import InterleavedState as InterleavedState
from autobalance.bilevel._last_layer import LastLayer as LastLayer
from autobalance.bilevel._last_layer import LastLayerSearch as LastLayerSearch
from autobalance.bilevel._offsets import find_offsets as find_offsets
from autobalance.bilevel._outer_loop import OuterLoop as OuterLoop
from autobalance.bilevel._plan import PlanKeywords as PlanKeywords
from autobalance.bilevel._plan import SearchPlan as SearchPlan
from autobalance.bilevel._plan import strategy_of as strategy_of
from autobalance.bilevel._prediction_space import PredictionSpace as PredictionSpace
from autobalance.bilevel._search_loss import search_loss as search_loss
from autobalance.bilevel._search_result import SearchResult as SearchResult
from autobalance.bilevel._select import AUGMENTED as AUGMENTED
from autobalance.bilevel._select import WITH_RECIPE as WITH_RECIPE
from autobalance.bilevel._select import arms as arms
from autobalance.bilevel._select import chosen_arm as chosen_arm
from autobalance.bilevel._select import select as select
from autobalance.bilevel._strategy import Search as Search
from autobalance.bilevel._strategy import State as State
from autobalance.bilevel._strategy import Strategy as Strategy
from autobalance.bilevel._strategy import finished as finished
from autobalance.bilevel._strategy import run as run
from autobalance.bilevel._strategy import stopped_early as stopped_early
from autobalance.bilevel._trainee import Trainee as Trainee
from autobalance.bilevel._whole_trainings import WholeTrainings as WholeTrainings
from autobalance.bilevel._whole_trainings import WholeTrainingsState as WholeTrainingsState
from autobalance.bilevel.space import AugmentationSpace as AugmentationSpace
from autobalance.bilevel.space import Found as Found
from autobalance.bilevel.space import LossSpace as LossSpace
from autobalance.bilevel.space import RecipeSpace as RecipeSpace
from autobalance.bilevel.space import SearchSpace as SearchSpace
from autobalance.bilevel.space import SmoothingSpace as SmoothingSpace
