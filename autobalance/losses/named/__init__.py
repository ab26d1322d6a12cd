"""The published losses by their names: a record and a small file a loss.

To add one, write its file beside these and a line for it below; the order is that in which people see the names. A loss
of one's own, outside the package, is made known by `register` in the same way.
"""

from autobalance.losses.named._counts import check_cells as check_cells
from autobalance.losses.named._counts import effective_number_weights as effective_number_weights
from autobalance.losses.named._fixed_point import fixed_point as fixed_point
from autobalance.losses.named._fixed_point import fixed_points as fixed_points
from autobalance.losses.named._fixed_point import hyper_parameters as hyper_parameters
from autobalance.losses.named._member import family_member as family_member
from autobalance.losses.named._member import regression_member as regression_member
from autobalance.losses.named._range import Range as Range
from autobalance.losses.named._record import NamedLoss as NamedLoss
from autobalance.losses.named._record import Settings as Settings
from autobalance.losses.named._registry import named_loss as named_loss
from autobalance.losses.named._registry import named_losses as named_losses
from autobalance.losses.named._registry import register as register
from autobalance.losses.named._registry import unregister as unregister

# isort: off
from autobalance.losses.named import _ce as _ce
from autobalance.losses.named import _weighted as _weighted
from autobalance.losses.named import _cb as _cb
from autobalance.losses.named import _focal as _focal
from autobalance.losses.named import _cb_focal as _cb_focal
from autobalance.losses.named import _la as _la
from autobalance.losses.named import _balanced_softmax as _balanced_softmax
from autobalance.losses.named import _cdt as _cdt
from autobalance.losses.named import _vs as _vs
from autobalance.losses.named import _ldam as _ldam
from autobalance.losses.named import _ldam_drw as _ldam_drw
from autobalance.losses.named import _csl as _csl
from autobalance.losses.named import _ib as _ib
from autobalance.losses.named import _equalization as _equalization
from autobalance.losses.named import _group_weighted as _group_weighted
from autobalance.losses.named import _group_la as _group_la
from autobalance.losses.named import _group_vs as _group_vs
from autobalance.losses.named import _group_dro as _group_dro
from autobalance.losses.named import _errors as _errors
from autobalance.losses.named import _inverse_counts as _inverse_counts
from autobalance.losses.named import _lds as _lds
from autobalance.losses.named import _focal_r as _focal_r
from autobalance.losses.named import _balanced_mse as _balanced_mse
# isort: on
