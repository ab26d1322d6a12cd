"""What is searched: the losses around a start, and what else of a training is free."""

from autobalance.bilevel.space._augmentation import AUGMENT as AUGMENT
from autobalance.bilevel.space._augmentation import AUGMENT_TIES as AUGMENT_TIES
from autobalance.bilevel.space._augmentation import AugmentationSpace as AugmentationSpace
from autobalance.bilevel.space._loss import BOUNDED as BOUNDED
from autobalance.bilevel.space._loss import FORMS as FORMS
from autobalance.bilevel.space._loss import LATE_START as LATE_START
from autobalance.bilevel.space._loss import OF_LOSS as OF_LOSS
from autobalance.bilevel.space._loss import LossSpace as LossSpace
from autobalance.bilevel.space._recipe import RecipeSpace as RecipeSpace
from autobalance.bilevel.space._search import FREE as FREE
from autobalance.bilevel.space._search import Found as Found
from autobalance.bilevel.space._search import SearchSpace as SearchSpace
from autobalance.bilevel.space._smoothing import SMOOTHING as SMOOTHING
from autobalance.bilevel.space._smoothing import SmoothingSpace as SmoothingSpace
from autobalance.bilevel.space._ties import CLUSTER as CLUSTER
from autobalance.bilevel.space._ties import TIES as TIES
from autobalance.bilevel.space._ties import Tie as Tie
from autobalance.bilevel.space._ties import Tied as Tied
from autobalance.bilevel.space._ties import Untied as Untied
from autobalance.bilevel.space._ties import tie_of as tie_of
