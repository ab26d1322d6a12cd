"""Sources of data, their splits, and long-tailed class profiles."""

from autobalance.data._convert import Part, as_number_samples, as_samples
from autobalance.data._crop_flip import crop_and_flip
from autobalance.data._fingerprint import keep_or_check
from autobalance.data._folds import Fold, FoldedSamples, side_by_side, stratified_folds, stratum
from autobalance.data._image_files import ImageFiles, image_files
from autobalance.data._load import SOURCES, load
from autobalance.data._long_tail import long_tail_counts
from autobalance.data._parts import check_names
from autobalance.data._samples import Batch, Problem, Samples

__all__ = [
    "SOURCES",
    "Batch",
    "Fold",
    "FoldedSamples",
    "ImageFiles",
    "Part",
    "Problem",
    "Samples",
    "as_number_samples",
    "as_samples",
    "check_names",
    "crop_and_flip",
    "image_files",
    "keep_or_check",
    "load",
    "long_tail_counts",
    "side_by_side",
    "stratified_folds",
    "stratum",
]
