"""What can be done around a training with any loss: one file a step, which says `register_step`.

`losses`, `samples` and `classifier` hold the steps that change one of these; the others, which change the model or
train before it, are here.
"""

# isort: off
from autobalance.study.steps import losses as losses
from autobalance.study.steps import samples as samples
from autobalance.study.steps import classifier as classifier
from autobalance.study.steps import _ssp as _ssp
from autobalance.study.steps import _oltr as _oltr
from autobalance.study.steps import _lfme as _lfme

# isort: on
from autobalance.study.steps._resampled import Resampled as Resampled
from autobalance.study.steps._ssp import Turned as Turned
from autobalance.study.steps._step import Step as Step
from autobalance.study.steps._step import register_step as register_step
from autobalance.study.steps._step import steps as steps
from autobalance.study.steps._step import unregister_step as unregister_step
