"""Steps that change the loss: what is trained with."""

# isort: off
from autobalance.study.steps.losses import _drw as _drw
from autobalance.study.steps.losses import _csl as _csl
from autobalance.study.steps.losses import _group_dro as _group_dro
from autobalance.study.steps.losses import _smoothing as _smoothing
# isort: on
