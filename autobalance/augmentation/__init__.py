"""Augmentation that is searched: operations on samples, differentiable in the strength and probability of each class.

policy = autobalance.load_augmentation("runs/x/augmentation.json")
x, y = policy(x, y)                                     # a batch, or one sample
"""

from autobalance.augmentation._file import load_augmentation as load_augmentation
from autobalance.augmentation._file import save_augmentation as save_augmentation
from autobalance.augmentation._gates import gates as gates
from autobalance.augmentation._pipeline import OPERATIONS as OPERATIONS
from autobalance.augmentation._pipeline import apply as apply
from autobalance.augmentation._pipeline import check_operations as check_operations
from autobalance.augmentation._pipeline import default_operations as default_operations
from autobalance.augmentation._pipeline import draw as draw
from autobalance.augmentation._pipeline import kind_of as kind_of
from autobalance.augmentation._policy import Policy as Policy
from autobalance.augmentation._policy import changed_by as changed_by
from autobalance.augmentation._space import AUGMENT_TIES as AUGMENT_TIES
from autobalance.augmentation._space import AugmentationSpace as AugmentationSpace

__all__ = [
    "AUGMENT_TIES",
    "OPERATIONS",
    "AugmentationSpace",
    "Policy",
    "apply",
    "changed_by",
    "check_operations",
    "default_operations",
    "draw",
    "gates",
    "kind_of",
    "load_augmentation",
    "save_augmentation",
]
