"""Started by torchrun, or alone: writes the hypergradient of one window, and the weights that it reached, to a file."""

import sys

import torch
import torch.distributed as dist
from torch import nn

from autobalance.data import Batch
from autobalance.hypergradients import SGD, Adam, Inner, Replay
from autobalance.losses import parametric_loss
from autobalance.objectives import make_objective


def train_loss(hyper, logits, batch):
    return parametric_loss(logits, batch.y, {"w": hyper["w"].exp(), "l": hyper["l"], "delta": hyper["delta"].exp()})


def main(path, kind):
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    model = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3))
    optimiser = {"sgd": SGD(0.3, momentum=0.9, nesterov=True, weight_decay=1e-2), "adam": Adam(0.05)}[kind]
    inner = Inner(model, train_loss, make_objective("balanced_error"), optimiser)
    batches = [Batch(torch.randn(13, 5), torch.randint(0, 3, (13,))) for _ in range(4)]  # 13: the shares are uneven
    outer_batch = Batch(torch.randn(21, 5), torch.randint(0, 3, (21,)))
    hyper = {name: 0.3 * torch.randn(3) for name in ("w", "l", "delta")} | {"log_lr": torch.tensor(0.1)}
    state, found = Replay(4, checkpoint_every=2)(inner, inner.init(), hyper, batches, outer_batch)
    if not dist.is_initialized() or dist.get_rank() == 0:
        torch.save({**found.gradient, **state.parameters, "objective": torch.tensor(found.objective)}, path)


if __name__ == "__main__":
    if sys.argv[3:] == ["parallel"]:
        dist.init_process_group("gloo")
    main(sys.argv[1], sys.argv[2])
    if dist.is_initialized():
        dist.destroy_process_group()
