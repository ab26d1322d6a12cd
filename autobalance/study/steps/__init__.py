"""What can be done around a training with any loss: one file a step, which says `register_step`."""

from autobalance.study.steps import _drw as _drw

from autobalance.study.steps import _csl as _csl  # isort: skip
from autobalance.study.steps import _posthoc as _posthoc  # isort: skip
from autobalance.study.steps import _crt as _crt  # isort: skip
from autobalance.study.steps import _ssp as _ssp  # isort: skip
from autobalance.study.steps import _subsample as _subsample  # isort: skip
from autobalance.study.steps import _jtt as _jtt  # isort: skip
from autobalance.study.steps._crt import ClassBalanced as ClassBalanced
from autobalance.study.steps._ssp import Turned as Turned
from autobalance.study.steps._step import Step as Step
from autobalance.study.steps._step import register_step as register_step
from autobalance.study.steps._step import steps as steps
from autobalance.study.steps._step import unregister_step as unregister_step
