"""What models are judged by: a record and a small file a metric.

To add one, write its file beside these and a line for it below; the order is that in which people see them. A metric of
one's own, outside the package, is made known by `register` in the same way.
"""

from autobalance.tasks.metrics._confusion import Confusion as Confusion
from autobalance.tasks.metrics._confusion import exact_matrix as exact_matrix
from autobalance.tasks.metrics._confusion import of_confusion as of_confusion
from autobalance.tasks.metrics._confusion import soft_matrix as soft_matrix
from autobalance.tasks.metrics._errors import of_errors as of_errors
from autobalance.tasks.metrics._family import MetricFamily as MetricFamily
from autobalance.tasks.metrics._family import class_of as class_of
from autobalance.tasks.metrics._family import group_of as group_of
from autobalance.tasks.metrics._largest import Largest as Largest
from autobalance.tasks.metrics._largest import Outputs as Outputs
from autobalance.tasks.metrics._largest import Seen as Seen
from autobalance.tasks.metrics._largest import isfinite as isfinite
from autobalance.tasks.metrics._losses import SURROGATES as SURROGATES
from autobalance.tasks.metrics._losses import TEMPERATURE as TEMPERATURE
from autobalance.tasks.metrics._losses import balanced_weights as balanced_weights
from autobalance.tasks.metrics._losses import of_losses as of_losses
from autobalance.tasks.metrics._metric import SHOTS as SHOTS
from autobalance.tasks.metrics._metric import Context as Context
from autobalance.tasks.metrics._metric import Metric as Metric
from autobalance.tasks.metrics._metric import predicted as predicted
from autobalance.tasks.metrics._metric import soft_maximum as soft_maximum
from autobalance.tasks.metrics._registry import families as families
from autobalance.tasks.metrics._registry import metric_named as metric_named
from autobalance.tasks.metrics._registry import metrics as metrics
from autobalance.tasks.metrics._registry import register as register
from autobalance.tasks.metrics._registry import register_family as register_family
from autobalance.tasks.metrics._registry import unregister as unregister

# isort: off
from autobalance.tasks.metrics import _balanced_error as _balanced_error
from autobalance.tasks.metrics import _error as _error
from autobalance.tasks.metrics import _worst_class as _worst_class
from autobalance.tasks.metrics import _macro_f1 as _macro_f1
from autobalance.tasks.metrics import _g_mean as _g_mean
from autobalance.tasks.metrics import _h_mean as _h_mean
from autobalance.tasks.metrics import _mcc as _mcc
from autobalance.tasks.metrics import _kappa as _kappa
from autobalance.tasks.metrics import _quadratic_kappa as _quadratic_kappa
from autobalance.tasks.metrics import _of_class as _of_class
from autobalance.tasks.metrics import _cost as _cost
from autobalance.tasks.metrics import _group_balanced_error as _group_balanced_error
from autobalance.tasks.metrics import _worst_group as _worst_group
from autobalance.tasks.metrics import _deo as _deo
from autobalance.tasks.metrics import _equalised_odds as _equalised_odds
from autobalance.tasks.metrics import _demographic_parity as _demographic_parity
from autobalance.tasks.metrics import _balanced_ce as _balanced_ce
from autobalance.tasks.metrics import _balanced_mae as _balanced_mae
from autobalance.tasks.metrics import _mae as _mae
from autobalance.tasks.metrics import _mse as _mse
from autobalance.tasks.metrics import _gm as _gm
from autobalance.tasks.metrics import _worst_bin as _worst_bin
from autobalance.tasks.metrics import _few_shot_mae as _few_shot_mae
from autobalance.tasks.metrics import _correlations as _correlations
# isort: on
