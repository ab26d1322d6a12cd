"""What people hand to `search_loss`: arrays, tables, Datasets, DataLoaders, several inputs a sample; as samples."""

from autobalance.data.intake._opened import to_given as to_given
from autobalance.data.intake._packing import Packing as Packing
from autobalance.data.intake._taken import Part as Part
from autobalance.data.intake._taken import Taken as Taken
from autobalance.data.intake._taken import taken as taken
