"""Training steps under autocast, and hypergradients that stay in float32."""

from dataclasses import replace

import torch
from torch import nn

from autobalance.data import Batch
from autobalance.hypergradients import SGD, Inner, Replay


def test_bfloat16_steps_leave_weights_and_hypergradients_in_float32():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 3))
    batches = [Batch(torch.randn(32, 6), torch.randint(0, 3, (32,))) for _ in range(3)]
    hyper = {"l": torch.tensor([0.3, 0.0, -0.3])}

    def train_loss(hyper, logits, batch):
        return nn.functional.cross_entropy(logits + hyper["l"], batch.y)

    def objective(logits, batch):
        return nn.functional.cross_entropy(logits, batch.y)

    inner = Inner(model, train_loss, objective, SGD(0.1, momentum=0.9))
    reduced = replace(inner, precision=torch.bfloat16)
    (state, exact), (rough_state, rough) = (
        Replay(3)(problem, problem.init(), hyper, batches, batches[0]) for problem in (inner, reduced)
    )
    for name, value in rough_state.parameters.items():
        assert value.dtype == torch.float32
        assert 0 < (value - state.parameters[name]).abs().max() < 1e-2
    assert rough.gradient["l"].dtype == torch.float32
    torch.testing.assert_close(rough.gradient["l"], exact.gradient["l"], rtol=0.05, atol=1e-4)
    assert not torch.equal(rough.gradient["l"], exact.gradient["l"])
