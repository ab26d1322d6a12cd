"""The published losses by their names."""

from autobalance.losses.named._class_points import effective_number_weights as effective_number_weights
from autobalance.losses.named._group_points import check_cells as check_cells
from autobalance.losses.named._points import fixed_point as fixed_point
from autobalance.losses.named._points import fixed_points as fixed_points
from autobalance.losses.named._points import head_of as head_of
from autobalance.losses.named._points import hyper_parameters as hyper_parameters
from autobalance.losses.named._regression_points import IN_DEVIATIONS as IN_DEVIATIONS
