"""Augmentation that is searched: operations on samples, differentiable in the strength and probability of each class.

How it is searched is in `autobalance.bilevel`, which loading a policy does not import.
"""

from autobalance.data.augmentation._file import load_augmentation as load_augmentation
from autobalance.data.augmentation._file import save_augmentation as save_augmentation
from autobalance.data.augmentation._gates import gates as gates
from autobalance.data.augmentation._pipeline import OPERATIONS as OPERATIONS
from autobalance.data.augmentation._pipeline import apply as apply
from autobalance.data.augmentation._pipeline import check_operations as check_operations
from autobalance.data.augmentation._pipeline import default_operations as default_operations
from autobalance.data.augmentation._pipeline import draw as draw
from autobalance.data.augmentation._pipeline import kind_of as kind_of
from autobalance.data.augmentation._policy import Policy as Policy
from autobalance.data.augmentation._policy import changed_by as changed_by
