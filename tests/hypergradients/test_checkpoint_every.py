"""Storing every k-th step's weights changes what is held, not what is found."""

import gc

import pytest
from hypergradient_cases import MODELS, Case, differences, differentiate, tensors

from autobalance.hypergradients import SGD, Adam, InnerState, Replay, _replay


@pytest.mark.parametrize("every", [2, 3, 4, 9])
@pytest.mark.parametrize("optimiser", [SGD(0.3, 0.9, True, 0.01), Adam(0.05, eps=1e-3)], ids=["sgd", "adam"])
@pytest.mark.parametrize("model", ["conv-bn", "dropout"])
def test_result_is_the_same_to_the_last_bit(model, optimiser, every):
    case = Case(MODELS[model], optimiser, steps=7)
    state, found = differentiate(Replay(7), case)
    other_state, other = differentiate(Replay(7, checkpoint_every=every), case)
    assert differences(other.gradient, found.gradient) == 0
    assert differences(tensors(other_state), tensors(state)) == 0


def test_fewer_states_are_held(monkeypatch):
    held = []
    step_adjoint = _replay.step_adjoint

    def counting(*args, **options):
        held.append(sum(type(thing) is InnerState for thing in gc.get_objects()))
        return step_adjoint(*args, **options)

    monkeypatch.setattr(_replay, "step_adjoint", counting)
    most = {}
    for every in (1, 4):
        held.clear()
        gc.freeze()  # what was there before is not looked through at every step
        try:
            differentiate(Replay(16, checkpoint_every=every), Case(steps=16))
        finally:
            gc.unfreeze()
        most[every] = max(held)
    assert most[1] >= 16
    assert most[4] <= 4 + 4 + 2  # stored, of one segment, the first and the last


def test_an_interval_below_one_is_refused():
    with pytest.raises(ValueError, match="checkpoint_every"):
        Replay(5, checkpoint_every=0)
