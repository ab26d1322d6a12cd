"""Steps that change what is trained on: which samples, how often each is drawn, and mixtures of two."""

# isort: off
from autobalance.study.steps.samples import _subsample as _subsample
from autobalance.study.steps.samples import _jtt as _jtt
from autobalance.study.steps.samples import _resampling as _resampling
from autobalance.study.steps.samples import _mixup as _mixup

# isort: on
from autobalance.study.steps.samples._mixup import Mixed as Mixed
