"""Sources of data, their splits, and long-tailed class profiles."""

from autobalance.data._convert import Part as Part
from autobalance.data._convert import as_number_samples as as_number_samples
from autobalance.data._convert import as_samples as as_samples
from autobalance.data._crop_flip import crop_and_flip as crop_and_flip
from autobalance.data._fingerprint import keep_or_check as keep_or_check
from autobalance.data._folds import Fold as Fold
from autobalance.data._folds import FoldedSamples as FoldedSamples
from autobalance.data._folds import side_by_side as side_by_side
from autobalance.data._folds import stratified_folds as stratified_folds
from autobalance.data._folds import stratum as stratum
from autobalance.data._image_files import ImageFiles as ImageFiles
from autobalance.data._image_files import image_files as image_files
from autobalance.data._load import known_sources as known_sources
from autobalance.data._load import load as load
from autobalance.data._load import register_source as register_source
from autobalance.data._load import unregister_source as unregister_source
from autobalance.data._long_tail import long_tail_counts as long_tail_counts
from autobalance.data._options import DataOptions as DataOptions
from autobalance.data._parts import check_names as check_names
from autobalance.data._problem import Problem as Problem
from autobalance.data._redraw import fewer_samples as fewer_samples
from autobalance.data._redraw import split_again as split_again
from autobalance.data._samples import Batch as Batch
from autobalance.data._samples import Samples as Samples
from autobalance.data._source import Source as Source
