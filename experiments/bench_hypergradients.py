"""What the hypergradient engines cost: ``python -m experiments.bench_hypergradients --json FILE``.

Time: every engine and plain training of the same number of steps take turns in one process; the figure is the median
over the repetitions of an engine's time over that of the plain steps beside it. On a CPU it is the processor time of
one thread, which other work on the machine disturbs less than time on the clock. Memory: the peak of a fresh process
for each row over what it held before its first step. Agreement: in float64 against `Replay`.

The plain steps, `higher` and TorchOpt run on the model as it was made. Our engines lay out images with the channels
next to one another; the rows ``...-channels-last`` give the others the same.
"""

from __future__ import annotations

import argparse
import importlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from autobalance.data import Batch
from autobalance.hypergradients import SGD, Engine, Implicit, Inner, OneStep, Replay, Unrolled
from autobalance.models import make_model

#: Shape of the images and size of the batches for each network.
MODELS = {"cnn": ((3, 16, 16), 64), "resnet32": ((3, 32, 32), 32)}
STEPS = (1, 2, 4, 8, 16)
CLASSES = 10
#: Batches on which the engines' results are compared, in float64.
SMALL = 4
RATE, MOMENTUM, DECAY = 0.1, 0.9, 5e-4
#: Engines whose result is the derivative itself, up to rounding.
EXACT = ("replay", "replay-every-4", "unrolled", "torchopt", "one-step")


@dataclass(frozen=True)
class Setting:
    """One inner problem, the same for every engine."""

    model: nn.Module
    batches: list[Batch]
    outer: Batch
    hyper: dict[str, Tensor]

    @classmethod
    def make(
        cls, model: str, steps: int, device: str, batch: int, validation: int, dtype: torch.dtype = torch.float32
    ) -> Setting:
        torch.manual_seed(0)
        shape = MODELS[model][0]
        network = make_model(model, shape, CLASSES).to(device, dtype).train()

        def draw(size: int) -> Batch:
            x = torch.randn(size, *shape, dtype=dtype, device=device)
            return Batch(x, torch.randint(CLASSES, (size,), device=device))

        ones = torch.ones(CLASSES, dtype=dtype, device=device)
        hyper = {"w": ones, "l": 0 * ones, "delta": ones}
        return cls(network, [draw(batch) for _ in range(steps)], draw(validation), hyper)

    @cached_property
    def channels_last(self) -> Setting:
        def moved(batch: Batch) -> Batch:
            return batch._replace(x=batch.x.contiguous(memory_format=torch.channels_last))

        model = deepcopy(self.model).to(memory_format=torch.channels_last)
        return Setting(model, [moved(batch) for batch in self.batches], moved(self.outer), self.hyper)


def train_loss(hyper: Mapping[str, Tensor], logits: Tensor | tuple[Tensor, ...], batch: Batch) -> Tensor:
    """Cross-entropy of Δ z + l with weights w; of several heads the mean."""
    if isinstance(logits, tuple):
        return torch.stack([train_loss(hyper, head, batch) for head in logits]).mean()
    losses = F.cross_entropy(hyper["delta"] * logits + hyper["l"], batch.y, reduction="none")
    return (hyper["w"][batch.y] * losses).mean()


def objective(logits: Tensor | tuple[Tensor, ...], batch: Batch) -> Tensor:
    """Cross-entropy; of several heads that of the first."""
    logits = logits[0] if isinstance(logits, tuple) else logits
    return F.cross_entropy(logits, batch.y)


def plain(setting: Setting) -> dict[str, Tensor]:
    """T steps of torch's own SGD with the same loss: the unit."""
    optimiser = torch.optim.SGD(setting.model.parameters(), RATE, MOMENTUM, weight_decay=DECAY)
    for batch in setting.batches:
        optimiser.zero_grad()
        train_loss(setting.hyper, setting.model(batch.x), batch).backward()
        optimiser.step()
    return {}


def ours(make: Callable[[int], Engine]) -> Callable[[Setting], dict[str, Tensor]]:
    def run(setting: Setting) -> dict[str, Tensor]:
        inner = Inner(setting.model, train_loss, objective, SGD(RATE, MOMENTUM, weight_decay=DECAY))
        _, found = make(len(setting.batches))(inner, inner.init(), setting.hyper, setting.batches, setting.outer)
        return found.gradient

    return run


def torchopt_sgd(setting: Setting) -> dict[str, Tensor]:
    """TorchOpt's differentiable SGD, its functional form."""
    import torchopt

    optimiser = torchopt.sgd(RATE, momentum=MOMENTUM, weight_decay=DECAY)
    parameters = {name: p.detach().clone().requires_grad_() for name, p in setting.model.named_parameters()}
    buffers = {name: b.clone() for name, b in setting.model.named_buffers()}
    hyper = {name: value.detach().requires_grad_() for name, value in setting.hyper.items()}
    state = optimiser.init(parameters)
    for batch in setting.batches:
        loss = train_loss(hyper, functional_call(setting.model, (parameters, buffers), (batch.x,)), batch)
        found = torch.autograd.grad(loss, list(parameters.values()), create_graph=True)
        updates, state = optimiser.update(
            dict(zip(parameters, found, strict=True)), state, params=parameters, inplace=False
        )
        parameters = torchopt.apply_updates(parameters, updates, inplace=False)
    value = objective(functional_call(setting.model, (parameters, buffers), (setting.outer.x,)), setting.outer)
    return dict(zip(hyper, torch.autograd.grad(value, list(hyper.values())), strict=True))


def in_channels_last(run: Callable[[Setting], dict[str, Tensor]]) -> Callable[[Setting], dict[str, Tensor]]:
    return lambda setting: run(setting.channels_last)


ENGINES: dict[str, Callable[[Setting], dict[str, Tensor]]] = {
    "replay": ours(Replay),
    "replay-every-4": ours(lambda steps: Replay(steps, checkpoint_every=4)),
    "unrolled": ours(Unrolled),
    "torchopt": torchopt_sgd,
    "plain-channels-last": in_channels_last(plain),
    "unrolled-channels-last": in_channels_last(ours(Unrolled)),
    "torchopt-channels-last": in_channels_last(torchopt_sgd),
    "one-step": ours(lambda steps: OneStep()),
    "implicit": ours(Implicit),
}


def fits(engine: str, steps: int) -> bool:
    """Whether an engine is measured at T: one-step has T = 1 alone, and storing every 4th step needs more than 4."""
    return {"one-step": steps == 1, "replay-every-4": steps > 4}.get(engine, True)


def seconds(run: Callable[[Setting], Any], setting: Setting) -> float:
    device = setting.outer.x.device
    if device.type != "cuda":
        begin = time.process_time()
        run(setting)
        return time.process_time() - begin
    torch.cuda.synchronize(device)
    begin = time.perf_counter()
    run(setting)
    torch.cuda.synchronize(device)
    return time.perf_counter() - begin


def times(engines: list[str], setting: Setting, warm_up: Setting, repetitions: int) -> dict[str, float]:
    """The median over repetitions of each engine's time over that of plain steps, taken in turns."""
    ratios: dict[str, list[float]] = {name: [] for name in engines}
    for name in engines:
        if fits(name, 1):
            ENGINES[name](warm_up)
    for _ in range(repetitions):
        for name in engines:
            unit = seconds(plain, setting)
            ratios[name].append(seconds(ENGINES[name], setting) / unit)
    return {name: statistics.median(values) for name, values in ratios.items()}


def differences(engines: list[str], setting: Setting) -> dict[str, float | None]:
    """The largest relative difference of each exact engine's gradient from replay's."""
    expected = ENGINES["replay"](setting)
    result: dict[str, float | None] = {}
    for name in engines:
        if name in EXACT:
            found = ENGINES[name](setting)
            result[name] = max(((found[k] - expected[k]).norm() / expected[k].norm()).item() for k in expected)
        else:
            result[name] = None
    return result


def peak_mb(engine: str, setting: Setting) -> float:
    """The peak memory of one hypergradient over what this process holds before it."""
    run = plain if engine == "plain" else ENGINES[engine]
    for library in {"unrolled": ["higher"], "torchopt": ["torchopt"]}.get(engine.split("-")[0], []):
        importlib.import_module(library)
    if setting.outer.x.is_cuda:
        before = torch.cuda.memory_allocated()
        run(setting)
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    before = memory_kb("VmRSS")
    run(setting)
    return (memory_kb("VmHWM") - before) / 2**10


def memory_kb(kind: str) -> int:
    """What Linux says this process holds (VmRSS), or has held at most (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(kind + ":"))


def in_fresh_process(engine: str, model: str, steps: int, device: str, batch: int, validation: int) -> float:
    command = [sys.executable, "-m", "experiments.bench_hypergradients", "--device", device]
    command += ["--peak-of", engine, "--models", model, "--steps", str(steps)]
    command += ["--batch", str(batch), "--validation", str(validation)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def available() -> list[str]:
    """The engines whose libraries are installed."""
    try:
        import torchopt  # noqa: F401
    except ImportError:
        print("torchopt is not installed and left out: pip install 'autobalance[bench]'", file=sys.stderr)
        return [name for name in ENGINES if not name.startswith("torchopt")]
    return list(ENGINES)


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as a Markdown table."""
    lines = [
        "| model | batch | validation | T | engine | time / plain | peak MB | difference |",
        "| --- | ---: | ---: | ---: | --- | ---: | ---: | ---: |",
    ]
    for row in rows:
        gap = "" if row["max_relative_difference"] is None else f"{row['max_relative_difference']:.0e}"
        lines.append(
            f"| {row['model']} | {row['batch']} | {row['validation']} | {row['steps']} | {row['engine']} "
            f"| {row['time_over_plain']:.2f} | "
            f"{row['peak_mb']:.0f} | {gap} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m experiments.bench_hypergradients", description=__doc__)
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="where the rows are written, after each setting; those in it are kept"
    )
    parser.add_argument("--batch", type=int, metavar="B", help="training samples a step (64; resnet32: 32)")
    parser.add_argument("--validation", type=int, metavar="B", help="samples of the objective (as many)")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--steps", nargs="+", type=int, default=list(STEPS), metavar="T")
    parser.add_argument("--engines", nargs="+", choices=list(ENGINES), default=None)
    parser.add_argument("--repetitions", type=int, default=5, metavar="N")
    parser.add_argument("--quick", action="store_true", help="the small network alone, T = 1, 2, 4")
    parser.add_argument("--peak-of", choices=["plain", *ENGINES], help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.device == "cpu":
        torch.set_num_threads(1)
    models, all_steps = (["cnn"], [1, 2, 4]) if args.quick else (args.models, args.steps)
    chosen = args.engines or available()
    rows: list[dict[str, Any]] = json.loads(args.json.read_text()) if args.json and args.json.exists() else []
    for model in models:
        batch = args.batch or MODELS[model][1]
        validation = args.validation or batch
        for steps in all_steps:
            if args.peak_of:
                print(peak_mb(args.peak_of, Setting.make(model, steps, args.device, batch, validation)))
                return
            setting = {"model": model, "batch": batch, "validation": validation, "steps": steps}
            done = {row["engine"] for row in rows if setting.items() <= row.items()}
            engines = [name for name in chosen if fits(name, steps) and name not in done]
            if not engines:
                continue
            print(f"{model}, T = {steps}: {', '.join(engines)}", file=sys.stderr, flush=True)
            make = partial(Setting.make, model, device=args.device)
            full = make(steps, batch=batch, validation=validation)
            ratios = times(engines, full, make(1, batch=batch, validation=validation), args.repetitions)
            gaps = differences(engines, make(steps, batch=SMALL, validation=SMALL, dtype=torch.float64))
            for name in engines:
                peak = in_fresh_process(name, model, steps, args.device, batch, validation)
                figures = {"time_over_plain": ratios[name], "peak_mb": peak, "max_relative_difference": gaps[name]}
                rows.append({"engine": name, **setting, **figures})
            if args.json:
                args.json.write_text(json.dumps(rows, indent=1) + "\n")
    print(table(rows))


if __name__ == "__main__":
    main()
