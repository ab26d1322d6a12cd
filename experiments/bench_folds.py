"""What models trained together cost against one after the other: ``python -m experiments.bench_folds``.

Plain steps and `Replay` of F models on their own batches, together (`folds`) and apart, in turns; processor seconds of
one thread, which other work on the machine disturbs less than time on the clock; the smallest of the repetitions.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from autobalance.data import Batch
from autobalance.hypergradients import SGD, Inner, Replay, folds, inner_step, stack_batches
from autobalance.models import make_model
from experiments.bench_hypergradients import CLASSES, objective, train_loss

#: Networks by what the table calls them: name, shape of the samples.
MODELS = {"mlp": ("mlp", (64,)), "cnn 8 x 8": ("cnn", (1, 8, 8)), "cnn 16 x 16": ("cnn", (3, 16, 16))}
BATCH, STEPS = 64, 5


def seconds(run: Callable[[], Any]) -> float:
    begin = time.process_time()
    run()
    return time.process_time() - begin


def measure(name: str, number: int, repetitions: int) -> dict[str, Any]:
    """Milliseconds a step of ``number`` models, together and apart."""
    torch.manual_seed(0)
    kind, shape = MODELS[name]
    models = [make_model(kind, shape, CLASSES).train() for _ in range(number)]
    apart = [Inner(model, train_loss, objective, SGD(0.05, 0.9, weight_decay=5e-4)) for model in models]
    together = folds(apart[0], models)
    hyper = {"w": torch.ones(CLASSES), "l": torch.zeros(CLASSES), "delta": torch.ones(CLASSES)}
    batches = [
        [Batch(torch.randn(BATCH, *shape), torch.randint(CLASSES, (BATCH,))) for _ in models] for _ in range(STEPS)
    ]

    def steps(inner: Inner, own: list[Batch]) -> None:
        state = inner.init()
        for batch in own:
            state, _ = inner_step(inner, state, hyper, batch)

    def replay(inner: Inner, own: list[Batch]) -> None:
        Replay(STEPS)(inner, inner.init(), hyper, own, own[0])

    stacked, each = [stack_batches(step) for step in batches], list(zip(*batches, strict=True))
    row: dict[str, Any] = {"model": name, "folds": number}
    for what, run in {"plain": steps, "replay": replay}.items():
        times: dict[str, list[float]] = {"together": [], "apart": []}
        for _ in range(repetitions + 1):  # the first warms up
            times["together"].append(seconds(lambda: run(together, stacked)))  # noqa: B023
            times["apart"].append(seconds(lambda: [run(i, list(b)) for i, b in zip(apart, each, strict=True)]))  # noqa: B023
        for way, values in times.items():
            row[f"{what}_{way}_ms"] = min(values[1:]) / STEPS * 1e3
    return row


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m experiments.bench_folds", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="where the rows are written, after each setting")
    parser.add_argument("--folds", nargs="+", type=int, default=[3, 5], metavar="F")
    parser.add_argument("--repetitions", type=int, default=5, metavar="N")
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    print("| model | F | plain, together / apart | replay, together / apart |")
    print("| --- | ---: | ---: | ---: |")
    for name in MODELS:
        for number in args.folds:
            row = measure(name, number, args.repetitions)
            ratios = [row[f"{what}_together_ms"] / row[f"{what}_apart_ms"] for what in ("plain", "replay")]
            print(f"| {name} | {number} | {ratios[0]:.2f} | {ratios[1]:.2f} |", flush=True)
            rows.append(row)
            if args.json:
                args.json.write_text(json.dumps(rows, indent=1) + "\n")
    print("milliseconds a step of all models: " + json.dumps(rows), file=sys.stderr)


if __name__ == "__main__":
    main()
