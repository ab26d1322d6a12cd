"""The search: what is free, how it follows the objective, and which loss it hands out in the end."""

from autobalance.bilevel._augmentation_space import AUGMENT as AUGMENT
from autobalance.bilevel._augmentation_space import AugmentationSpace as AugmentationSpace
from autobalance.bilevel._augmentation_space import space_of as space_of
from autobalance.bilevel._choice import CHOICE_FOLDS as CHOICE_FOLDS
from autobalance.bilevel._choice import SEARCHED as SEARCHED
from autobalance.bilevel._choice import Choice as Choice
from autobalance.bilevel._choice import choose as choose
from autobalance.bilevel._choice import member as member
from autobalance.bilevel._choice import metric_of as metric_of
from autobalance.bilevel._interleaved import Bilevel as Bilevel
from autobalance.bilevel._interleaved import OuterLoop as OuterLoop
from autobalance.bilevel._interleaved import run as run
from autobalance.bilevel._rounds import Rounds as Rounds
from autobalance.bilevel._rounds import make_search as make_search
from autobalance.bilevel._search_loss import SearchResult as SearchResult
from autobalance.bilevel._search_loss import search_loss as search_loss
from autobalance.bilevel._space import LATE_START as LATE_START
from autobalance.bilevel._space import LossSpace as LossSpace
from autobalance.bilevel._state import SearchState as SearchState
