"""Every kind of model against central differences of whole trainings, with each engine that is exact."""

import pytest

from autobalance.common import InputError
from experiments.bench_models import ENGINES, largest_error
from experiments.hypergradient_models import MODELS


# torch's forward mode starts with a deprecation warning of its own making
@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:FutureWarning")
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("model", MODELS)
def test_models_are_exact(model, engine):
    if (model, engine) == ("frozen parts", "unrolled"):
        with pytest.raises(InputError, match="frozen parameters: use `hypergradient` replay"):
            largest_error(ENGINES[engine], model)
        return
    assert largest_error(ENGINES[engine], model) < 1e-6
