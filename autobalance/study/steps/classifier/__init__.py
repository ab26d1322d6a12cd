"""Steps that change the classifier of a trained model, whose body stays: decoupled training (Kang et al. 2020)."""

# isort: off
from autobalance.study.steps.classifier import _posthoc as _posthoc
from autobalance.study.steps.classifier import _crt as _crt
from autobalance.study.steps.classifier import _lws as _lws
from autobalance.study.steps.classifier import _tau_norm as _tau_norm
from autobalance.study.steps.classifier import _gml as _gml

# isort: on
from autobalance.study.steps.classifier._retrain import features_of as features_of
