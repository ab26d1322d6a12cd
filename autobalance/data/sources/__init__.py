"""Where data come from: one file a kind of source, and a line for it here."""

from autobalance.data._table_file import SUFFIXES as TABLE_SUFFIXES
from autobalance.data._table_file import read_table as read_table
from autobalance.data.sources._annotations import ANNOTATIONS
from autobalance.data.sources._cifar import CIFAR10, CIFAR100
from autobalance.data.sources._columns import target_column as target_column
from autobalance.data.sources._diabetes import DIABETES
from autobalance.data.sources._digits import DIGITS
from autobalance.data.sources._digits_groups import DIGITS_GROUPS
from autobalance.data.sources._folder import FOLDER
from autobalance.data.sources._image_lists import LISTS
from autobalance.data.sources._image_table import IMAGE_TABLE
from autobalance.data.sources._npz import NPZ
from autobalance.data.sources._npz import read_arrays as read_arrays
from autobalance.data.sources._table import TABLE
from autobalance.data.sources._tiny_imagenet import TINY_IMAGENET
from autobalance.data.sources._user import USER

#: The sources that the package brings, in the order in which `load` asks them.
BUILT_IN = (
    DIGITS,
    DIGITS_GROUPS,
    CIFAR10,
    CIFAR100,
    DIABETES,
    IMAGE_TABLE,
    TABLE,
    LISTS,
    ANNOTATIONS,
    TINY_IMAGENET,
    FOLDER,
    NPZ,
    USER,
)

__all__ = ["BUILT_IN", "TABLE_SUFFIXES", "read_arrays", "read_table", "target_column"]
