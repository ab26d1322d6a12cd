"""What a searched augmentation costs: ``python -m experiments.bench_augmentation --json FILE``.

Searches with and without it take turns in one process, with the same recipe, outer loop and seed. The figure is the
median over the repetitions of a search's time over that of the one beside it, by the clock and by this process's
processor time, which other work on the machine disturbs less.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import torch

import autobalance
from autobalance.data import Problem, Samples, load
from autobalance.models import default_model, make_model
from autobalance.training import Recipe

#: What is searched beside the loss, in turns; ``without`` first.
FREE = {"without": ("w", "l", "delta"), "with": ("w", "l", "delta", "augment")}


def images(size: int, number: int) -> Problem:
    """Noise in place of images of size x size pixels: what costs time is their shape."""
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(number) % 10
    y[: number // 4] = 0

    def part() -> Samples:
        return Samples(torch.randn(number, 3, size, size, generator=generator), y)

    return Problem(f"noise {size} x {size}", part(), part(), part(), tuple(map(str, range(10))))


def problem_of(name: str, samples: int) -> Problem:
    """A data source of the search; or ``noise-SIZE``."""
    return images(int(name.removeprefix("noise-")), samples) if name.startswith("noise-") else load(name)


def seconds(problem: Problem, free: tuple[str, ...], epochs: int) -> dict[str, float]:
    """The time of one search by the clock and of the processor."""
    torch.manual_seed(0)
    shape = problem.train.shape
    model = make_model(default_model(shape), shape, problem.num_classes)
    wall, processor = time.perf_counter(), time.process_time()
    autobalance.search_loss(
        model, problem.train, problem.validation, free=free, recipe=Recipe(epochs=epochs), strategy="interleaved"
    )
    return {"wall": time.perf_counter() - wall, "processor": time.process_time() - processor}


def measure(problem: Problem, name: str, epochs: int, repetitions: int) -> dict[str, Any]:
    """A row of the table."""
    found: dict[str, list[dict[str, float]]] = {which: [] for which in FREE}
    for repetition in range(repetitions + 1):
        for which, free in FREE.items():
            taken = seconds(problem, free, epochs)
            if repetition:  # the first pair warms up
                found[which].append(taken)
    row: dict[str, Any] = {"data": name, "epochs": epochs, "repetitions": repetitions}
    for clock in ("wall", "processor"):
        pairs = zip(found["with"], found["without"], strict=True)
        ratios = [one[clock] / other[clock] for one, other in pairs]
        row |= {f"{clock}_ratio": statistics.median(ratios), f"{clock}_range": [min(ratios), max(ratios)]}
        row |= {f"{clock}_without": statistics.median(each[clock] for each in found["without"])}
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="digits,noise-16,noise-32", help="(%(default)s)")
    parser.add_argument("--epochs", type=int, default=8, help="of each search (%(default)s)")
    parser.add_argument("--samples", type=int, default=640, help="of noise to train on (%(default)s)")
    parser.add_argument("--repetitions", type=int, default=5, help="(%(default)s)")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    print(
        "| data | processor time, with / without | range | by the clock | range |\n| --- | ---: | ---: | ---: | ---: |"
    )
    for name in options.data.split(","):
        row = measure(problem_of(name, options.samples), name, options.epochs, options.repetitions)
        rows.append(row)
        cells = [
            f"{row[f'{clock}_ratio']:.2f} | {row[f'{clock}_range'][0]:.2f} to {row[f'{clock}_range'][1]:.2f}"
            for clock in ("processor", "wall")
        ]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
    if options.json is not None:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
