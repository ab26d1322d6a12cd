"""The engine without second derivatives equals replay with T = 1, and finite differences."""

from dataclasses import replace

import pytest
import torch
from hypergradient_cases import MODELS, Case, assert_exact, differences, differentiate, tensors, worst

from autobalance.hypergradients import SGD, Adam, Clipped, OneStep, Replay, inner_step

RECIPE_PARAMETERS = {"log_lr": torch.tensor(0.2).double(), "log_weight_decay": torch.tensor(-0.3).double()}
OPTIMISERS = {
    "sgd": SGD(0.3, 0.9, True, 0.1),
    "adamw": Adam(0.05, eps=1e-3, weight_decay=0.1, decoupled=True),
    "clipped": Clipped(SGD(0.5, weight_decay=0.1), 0.1),
}


@pytest.mark.parametrize("model", MODELS)
def test_equals_finite_differences(model):
    options = {"lr": 0.5, "weight_decay": 0.1}
    case = Case(MODELS[model], SGD(**options), lambda m: torch.optim.SGD(m.parameters(), **options), steps=1)
    assert_exact(replace(case, recipe_parameters=RECIPE_PARAMETERS), lambda steps: OneStep())


@pytest.mark.parametrize("optimiser", OPTIMISERS.values(), ids=OPTIMISERS.keys())
@pytest.mark.parametrize("model", MODELS)
def test_equals_replay_under_way(model, optimiser):
    case = Case(MODELS[model], optimiser, steps=1, recipe_parameters=RECIPE_PARAMETERS)
    inner = case.inner()
    (batch,), outer = case.batches()
    state, _ = inner_step(inner, inner.init(), case.hyper(), batch)
    results = []
    for engine in (Replay(1), OneStep()):
        torch.manual_seed(5)
        results.append((*engine(inner, state, case.hyper(), [batch], outer), torch.rand(1)))
    (replay_state, replay, random), (one_state, one, one_random) = results
    assert worst(one.gradient, replay.gradient) < 1e-9
    assert differences(tensors(one_state), tensors(replay_state)) < 1e-13
    assert (one.objective, one.train_loss) == pytest.approx((replay.objective, replay.train_loss), rel=1e-12)
    assert torch.equal(random, one_random)


def test_several_batches_are_refused():
    with pytest.raises(ValueError, match="3 batches for 1 unrolled steps"):
        differentiate(OneStep(), Case(steps=3))
