"""What a loss costs beside ``F.cross_entropy``: ``python -m experiments.bench_losses``.

The processor's time for a loss and its gradient in the logits, over that of torch's plain cross-entropy: the smallest
of many short measurements that take turns, so that other work on the machine disturbs them all alike. The logits are
cosines, which LDAM is made for; of larger ones its scale makes numbers that take processors longer.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from autobalance.losses.named import fixed_point
from autobalance.study.report import markdown_table

LOSSES = ("ce", "weighted", "la", "vs", "focal", "ldam")
#: Samples, classes, and calls a measurement.
SIZES = ((64, 10, 200), (256, 1000, 20))


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m experiments.bench_losses", description=__doc__.split(":")[0])
    parser.add_argument("--turns", type=int, default=30, metavar="N", help="measurements of each")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    rows = []
    for batch, classes, calls in SIZES:
        torch.manual_seed(0)
        logits, target = torch.empty(batch, classes).uniform_(-1, 1).requires_grad_(), torch.randint(classes, (batch,))
        counts = torch.randperm(classes) + 1
        ways: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"torch": F.cross_entropy}
        ways |= {name: fixed_point(name, counts) for name in LOSSES}
        best = dict.fromkeys(ways, float("inf"))
        for _ in range(options.turns):
            for name, loss in ways.items():
                best[name] = min(best[name], _seconds(loss, logits, target, calls))
        row = {"samples x classes": f"{batch} x {classes}", "torch, µs": f"{1e6 * best['torch']:.0f}"}
        rows.append(row | {name: f"{best[name] / best['torch']:.2f}" for name in LOSSES})
    print(markdown_table(rows))
    return 0


def _seconds(loss: Callable[[Tensor, Tensor], Tensor], logits: Tensor, target: Tensor, calls: int) -> float:
    """Of one call."""
    begun = time.process_time()
    for _ in range(calls):
        logits.grad = None
        loss(logits, target).backward()
    return (time.process_time() - begun) / calls


if __name__ == "__main__":
    sys.exit(main())
