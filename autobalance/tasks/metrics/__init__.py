"""What models are judged by: a record and a small file a metric.

To add one, write its file beside these and a line for it below; the order is that in which people see them. A metric of
one's own, outside the package, is made known by `register` in the same way.
"""

from autobalance.tasks.metrics._errors import of_errors as of_errors
from autobalance.tasks.metrics._losses import SURROGATES as SURROGATES
from autobalance.tasks.metrics._losses import TEMPERATURE as TEMPERATURE
from autobalance.tasks.metrics._losses import balanced_weights as balanced_weights
from autobalance.tasks.metrics._losses import of_losses as of_losses
from autobalance.tasks.metrics._metric import SHOTS as SHOTS
from autobalance.tasks.metrics._metric import Context as Context
from autobalance.tasks.metrics._metric import Metric as Metric
from autobalance.tasks.metrics._metric import soft_maximum as soft_maximum
from autobalance.tasks.metrics._registry import metric_named as metric_named
from autobalance.tasks.metrics._registry import metrics as metrics
from autobalance.tasks.metrics._registry import register as register
from autobalance.tasks.metrics._registry import unregister as unregister

# isort: off
from autobalance.tasks.metrics import _balanced_error as _balanced_error
from autobalance.tasks.metrics import _error as _error
from autobalance.tasks.metrics import _group_balanced_error as _group_balanced_error
from autobalance.tasks.metrics import _worst_group as _worst_group
from autobalance.tasks.metrics import _deo as _deo
from autobalance.tasks.metrics import _balanced_ce as _balanced_ce
from autobalance.tasks.metrics import _balanced_mae as _balanced_mae
from autobalance.tasks.metrics import _mae as _mae
from autobalance.tasks.metrics import _mse as _mse
from autobalance.tasks.metrics import _gm as _gm
from autobalance.tasks.metrics import _correlations as _correlations
# isort: on
