"""From the names on the command line to methods."""

from __future__ import annotations

from functools import partial

from torch import Tensor

from autobalance.common import InputError
from autobalance.losses import Loss
from autobalance.losses.named import fixed_points, named_loss
from autobalance.tasks import Task
from experiments.methods._method import STEPS, Hyper, Method
from experiments.methods._searched import from_file, own_search
from experiments.options import CompareOptions
from experiments.ranges import ranges_of

#: Short names.
SHORT = {"la-posthoc": "ce+posthoc", "crt": "ce+crt", "csl-released": "ce+csl-released"}
#: Losses for classes that have an order, which ``all`` cannot know.
ORDERED = ("lds",)
#: What ``all`` adds to the fixed losses.
MORE = ("la-posthoc", "crt", "ce+drw", "csl-released")


def parse_methods(options: CompareOptions, grouped: bool = False) -> list[Method]:
    """The rows of the table in the order asked for, each once.

    Args:
        options: what was asked for.
        grouped: whether the samples have groups, for which ``all`` has losses too.

    Raises:
        InputError: an unknown name, or a file that holds no loss.
    """
    names: list[str] = []
    for name in options.names:
        every = [*fixed_points(options.task), *(fixed_points("groups") if grouped else ())]
        every += MORE if options.task == "classification" else ()
        names += every if name.strip() == "all" else [name.strip()]
    methods = [named(name, options.task) for name in dict.fromkeys(names)]
    if options.searched is not None:
        methods.append(from_file(options.searched))
    if options.include_search:
        methods.append(own_search())
    return methods


def named(name: str, task: str = "classification") -> Method:
    """The method of a name such as ``la`` or ``la+crt``.

    Raises:
        InputError: no fixed loss of the task, or no step, is called so.
    """
    known = [*fixed_points(task), *([*fixed_points("groups"), *ORDERED] if task == "classification" else [])]
    if task == "regression" and name not in known:
        raise InputError(f"--losses: {name!r} is no method for --task regression; there are {', '.join(known)}, and "
                         "all")  # fmt: skip
    base, *rest = SHORT.get(name, name).split("+")
    steps = [f"+{step}" for step in rest]
    if base not in known:
        raise InputError(f"--losses: {name!r} is no method; there are {', '.join([*known, *SHORT])}, "
                         f"with {', '.join(STEPS)} behind any of them, and all")  # fmt: skip
    if unknown := [step for step in steps if step not in STEPS]:
        raise InputError(f"--losses: {name!r} has the unknown step {unknown[0]!r}; there are {', '.join(STEPS)}")
    if len(set(steps)) < len(steps):
        raise InputError(f"--losses: {name!r} has a step twice")
    parts = [base, *steps]
    loss = named_loss(base)
    defaults: Hyper = loss.tuned
    for step in steps:
        defaults |= STEPS[step]
    ranges_of(parts)
    return Method(name, tuple(parts), defaults, partial(_make, base), loss.head)


def _make(base: str, goal: Task, counts: Tensor, hyper: Hyper) -> Loss:
    return goal.fixed_loss(base, counts, **hyper)
