"""What every command opens first: the data and the model that the options name, on their device."""

from __future__ import annotations

import inspect
import math
import platform
import resource
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

import autobalance
from autobalance.cli._options import GroupOptions, ProblemOptions
from autobalance.common import InputError
from autobalance.data import Problem, load
from autobalance.models import default_model, make_model, rescaled
from autobalance.training import Recipe, on_features

#: Below this many numbers a sample, a training step is so short that threads cost more than they bring: on two busy
#: cores the default search took five times as long with two threads as with one.
SMALL_SAMPLE = 1024


@dataclass(frozen=True)
class Task:
    """A problem with its samples on the device, and the model for it.

    Args:
        problem: the data.
        model_name: a name of `autobalance.models`, or "own" where the data source brings its model.
        device: where the models go.
    """

    problem: Problem
    model_name: str
    device: str

    def new_model(self, seed: int, head: str = "linear") -> nn.Module:
        """The model with the weights that ``seed`` draws.

        Raises:
            InputError: the head is none of the source's own model.
        """
        torch.manual_seed(seed)
        if self.problem.make_model is not None:
            return self._own_model(self.problem.make_model, head).to(self.device)
        model = make_model(self.model_name, self.problem.train.shape, self.problem.num_outputs, head=head)
        if self.problem.bin_edges is not None:
            model = rescaled(model, self.problem.train.y.cpu())
        return model.to(self.device)

    def _own_model(self, make: Callable[..., nn.Module], head: str) -> nn.Module:
        if head == "linear":
            return make()
        if "head" not in inspect.signature(make).parameters:
            raise InputError(
                f"LDAM needs a head of cosines, which the model of {self.problem.name} does not offer: give its "
                'function an argument head="linear", and end the model in autobalance.models.CosineLinear where '
                f"it is {head!r}; or leave the losses ldam and ldam-drw out"
            )
        return make(head=head)


def open_task(options: ProblemOptions) -> Task:
    """Loads the data and chooses the model.

    Raises:
        InputError: what is wrong and what helps.
    """
    if options.device == "cuda" and not torch.cuda.is_available():
        raise InputError("--device cuda: torch finds no CUDA device here; use --device cpu")
    if options.compiled and options.device == "cpu" and not any(map(shutil.which, ("c++", "g++", "clang++"))):
        raise InputError("--compiled needs a C++ compiler on a CPU, and there is none on the PATH; leave it out")
    groups: dict[str, Any] = {}
    if isinstance(options, GroupOptions):
        groups = {"group": options.group, "group_as_feature": options.group_as_feature}
    fraction: dict[str, Any] = {} if options.validation is None else {"validation_fraction": options.validation}
    problem = load(
        options.data,
        target=options.target,
        imbalance=options.imbalance,
        imbalance_type=options.imbalance_type,
        seed=options.seed,
        task=options.task,
        bins=options.bins,
        text=options.text.split(",") if options.text else (),
        drop=options.drop.split(",") if options.drop else (),
        split=options.split,
        images=options.images,
        image_size=options.image_size,
        **fraction,
        **groups,
    )
    if problem.make_model is not None and options.model is not None:
        raise InputError(f"--model {options.model} has no effect: {options.data} brings its own model")
    if options.features_only:
        if options.model is not None:
            raise InputError(f"--model {options.model} has no effect: --features-only trains one linear layer")
        problem, name = on_features(problem, options.device), "linear"
    else:
        name = "own" if problem.make_model is not None else options.model or default_model(problem.train.shape)
    if options.augment != "none" and len(problem.train.shape) != 3:
        raise InputError(f"--augment {options.augment} is for images; the samples of {options.data} are vectors")
    if options.device == "cpu" and math.prod(problem.train.shape) < SMALL_SAMPLE:
        torch.set_num_threads(1)
    return Task(problem.to(options.device), name, options.device)


def recipe_of(options: ProblemOptions) -> Recipe:
    """The recipe that the options describe."""
    names = ("epochs", "batch_size", "lr", "weight_decay", "schedule", "augment", "precision", "compiled")
    return Recipe(**{name: getattr(options, name) for name in names})


def versions() -> dict[str, str]:
    """What the results were computed with."""
    return {"autobalance": autobalance.__version__, "torch": torch.__version__, "python": platform.python_version()}


def peak_memory_mb(device: str) -> float:
    """The most memory that was in use: of the device where it is a GPU, else of this process."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    try:
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024
    except (OSError, IndexError):  # no Linux
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def reset_peak_memory(device: str) -> None:
    """Lets `peak_memory_mb` count from here on. On a CPU this needs Linux; elsewhere the count goes on."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        return
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return
