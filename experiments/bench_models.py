"""Hypergradients through many kinds of models: ``python -m experiments.bench_models --json FILE``.

For each kind of `experiments.hypergradient_models` and each engine that differentiates exactly:

* error: in a tiny size and float64, the largest relative difference from central differences of whole trainings by
  torch's own optimiser, along random directions of the hyper-parameters;
* time: of T steps with the hypergradient over that of T plain steps of torch, in a larger size, in processor time of
  one thread; the median over repetitions, plain steps before and after each;
* memory: the peak of a fresh process over what it held before its first step, in MB.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from copy import deepcopy
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from autobalance.common import InputError
from autobalance.data import Batch
from autobalance.hypergradients import SGD, Engine, Inner, OneStep, Replay, Unrolled
from experiments.bench_hypergradients import (
    DECAY,
    MOMENTUM,
    RATE,
    Setting,
    memory_kb,
    objective,
    ours,
    plain,
    seconds,
    train_loss,
)
from experiments.hypergradient_models import CLASSES, LARGE, MODELS, TINY, Size

ENGINES: dict[str, Callable[[int], Engine]] = {
    "replay": Replay,
    "one-step": lambda steps: OneStep(),
    "unrolled": Unrolled,
}
#: Samples a batch, tiny and large.
FEW, MANY = 6, 32


def setting_of(model: str, size: Size, number: int, steps: int, dtype: torch.dtype = torch.float32) -> Setting:
    """The inner problem of a kind of model: random inputs and labels, and weights away from zero."""
    torch.manual_seed(0)
    kind = MODELS[model]
    network = kind.make(size).to(dtype).train()
    with torch.no_grad():
        for parameter in network.parameters():  # zeros hide derivatives
            parameter.add_(torch.randn_like(parameter), alpha=0.05)

    def draw() -> Batch:
        x = kind.draw(size, number)
        return Batch(x.to(dtype) if x.is_floating_point() else x, torch.arange(number) % CLASSES)

    ones = torch.ones(CLASSES, dtype=dtype)
    return Setting(network, [draw() for _ in range(steps)], draw(), {"w": ones, "l": 0 * ones, "delta": ones})


def reached(setting: Setting, hyper: Mapping[str, Tensor]) -> float:
    """The objective after plain steps of torch's own optimiser with these hyper-parameters."""
    model = deepcopy(setting.model)
    optimiser = torch.optim.SGD(model.parameters(), RATE, MOMENTUM, weight_decay=DECAY)
    torch.manual_seed(1)
    for batch in setting.batches:
        optimiser.zero_grad()
        train_loss(hyper, model(batch.x), batch).backward()
        optimiser.step()
    model.eval()
    for module in model.modules():  # which normalises by the batch in the objective too
        if isinstance(module, nn.modules.batchnorm._NormBase):
            module.train()
    return objective(model(setting.outer.x), setting.outer).item()


def largest_error(engine: Callable[[int], Engine], model: str, directions: int = 2, epsilon: float = 1e-6) -> float:
    """The largest relative difference of ⟨dF/dα, u⟩ from (F(α + ε u) - F(α - ε u)) / 2 ε, over random u."""
    steps = engine(2).steps
    setting = setting_of(model, TINY, FEW, steps, torch.float64)
    inner = Inner(setting.model, train_loss, objective, SGD(RATE, MOMENTUM, weight_decay=DECAY))
    torch.manual_seed(1)
    found = engine(steps)(inner, inner.init(), setting.hyper, setting.batches, setting.outer)[1].gradient
    worst = 0.0
    generator = torch.Generator().manual_seed(2)
    for _ in range(directions):
        u = {name: torch.randn(value.shape, generator=generator).to(value) for name, value in setting.hyper.items()}
        up, down = (
            reached(setting, {name: value + sign * epsilon * u[name] for name, value in setting.hyper.items()})
            for sign in (1, -1)
        )
        slope = (up - down) / (2 * epsilon)
        worst = max(worst, abs(sum((found[name] * u[name]).sum().item() for name in u) - slope) / abs(slope))
    return worst


def time_over_plain(engine: Callable[[int], Engine], setting: Setting, repetitions: int) -> float:
    """The median of an engine's time over that of the plain steps before and after it."""
    run, ratios = ours(engine), []
    run(setting)
    before = min(seconds(plain, setting) for _ in range(2))
    for _ in range(repetitions):
        own = seconds(run, setting)
        after = seconds(plain, setting)
        ratios.append(2 * own / (before + after))
        before = after
    return statistics.median(ratios)


def peak_mb(engine: str, model: str, steps: int) -> float:
    """Of one hypergradient, or of plain steps, over what this process, a fresh one, holds before."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", FutureWarning)
    run = plain if engine == "plain" else ours(ENGINES[engine])
    run(setting_of("MLP", TINY, FEW, steps))  # loads what is loaded late
    setting = setting_of(model, LARGE, MANY, steps)
    before = memory_kb("VmRSS")
    run(setting)
    return (memory_kb("VmHWM") - before) / 2**10


def in_fresh_process(engine: str, model: str, steps: int) -> float:
    context = get_context("forkserver")
    context.set_forkserver_preload(["experiments.bench_models"])
    with ProcessPoolExecutor(1, context, max_tasks_per_child=1) as pool:
        return pool.submit(peak_mb, engine, model, steps).result()


def measure(engine: str, model: str, steps: int, repetitions: int) -> dict[str, Any]:
    """A row of the table; where an engine refuses a model, with the reason in place of figures."""
    row: dict[str, Any] = {"engine": engine, "model": model, "steps": steps}
    make = ENGINES.get(engine)
    if make is None:
        return row | {"peak_mb": in_fresh_process(engine, model, steps)}
    steps = row["steps"] = make(steps).steps
    try:
        row["error"] = largest_error(make, model)
    except (InputError, ValueError) as error:
        return row | {"refused": str(error)}
    row["time_over_plain"] = time_over_plain(make, setting_of(model, LARGE, MANY, steps), repetitions)
    return row | {"peak_mb": in_fresh_process(engine, model, steps)}


def table(rows: list[dict[str, Any]]) -> str:
    """Models down, engines across: error, time over plain, peak in MB."""
    engines = list(ENGINES)
    lines = [
        "| model | plain, MB | " + " | ".join(f"{name}: error | time | MB" for name in engines) + " |",
        "| --- | ---: |" + " ---: | ---: | ---: |" * len(engines),
    ]
    for model in MODELS:
        own = {row["engine"]: row for row in rows if row["model"] == model}
        if not own:
            continue
        cells = [f"{own['plain']['peak_mb']:.0f}" if "plain" in own else ""]
        for name in engines:
            row = own.get(name, {})
            if "error" in row:
                cells += [f"{row['error']:.0e}", f"{row['time_over_plain']:.2f}", f"{row['peak_mb']:.0f}"]
            else:
                cells += ["refused" if "refused" in row else "", "", ""]
        lines.append(f"| {model} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m experiments.bench_models", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="where the rows are written; those in it are kept")
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--steps", type=int, default=5, metavar="T")
    parser.add_argument("--repetitions", type=int, default=7, metavar="N")
    args = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", FutureWarning)
    rows: list[dict[str, Any]] = json.loads(args.json.read_text()) if args.json and args.json.exists() else []
    for model in args.models:
        for engine in ("plain", *ENGINES):
            if any(row["model"] == model and row["engine"] == engine for row in rows):
                continue
            rows.append(measure(engine, model, args.steps, args.repetitions))
            print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
            if args.json:
                args.json.write_text(json.dumps(rows, indent=1) + "\n")
    print(table(rows))


if __name__ == "__main__":
    main()
