"""The hypergradient of one window, and the weights that it reached: in one process or in several."""

import torch
import torch.distributed as dist
from torch import nn

from autobalance.data import Batch
from autobalance.hypergradients import SGD, Adam, Inner, Replay
from autobalance.losses import parametric_loss
from autobalance.tasks.objectives import make_objective

OPTIMISERS = {"sgd": SGD(0.3, momentum=0.9, nesterov=True, weight_decay=1e-2), "adam": Adam(0.05)}


def train_loss(hyper, logits, batch):
    return parametric_loss(logits, batch.y, {"w": hyper["w"].exp(), "l": hyper["l"], "delta": hyper["delta"].exp()})


def window():
    """What each optimiser finds, as lists of numbers."""
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        return {name: _found(optimiser) for name, optimiser in OPTIMISERS.items()}
    finally:
        torch.set_default_dtype(default)


def shared_window():
    """The same, of a process that torchrun started."""
    dist.init_process_group("gloo")
    try:
        return window()
    finally:
        dist.destroy_process_group()


def _found(optimiser):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3))
    inner = Inner(model, train_loss, make_objective("balanced_error"), optimiser)
    batches = [Batch(torch.randn(13, 5), torch.randint(0, 3, (13,))) for _ in range(4)]  # 13: the shares are uneven
    outer_batch = Batch(torch.randn(21, 5), torch.randint(0, 3, (21,)))
    hyper = {name: 0.3 * torch.randn(3) for name in ("w", "l", "delta")} | {"log_lr": torch.tensor(0.1)}
    state, found = Replay(4, checkpoint_every=2)(inner, inner.init(), hyper, batches, outer_batch)
    tensors = {**found.gradient, **state.parameters, "objective": torch.tensor(found.objective)}
    return {name: tensor.tolist() for name, tensor in tensors.items()}
