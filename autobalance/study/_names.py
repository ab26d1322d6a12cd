"""Methods by their names: ``la``, ``ldam+csl``, ``la+drw+crt``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from autobalance.common import InputError, nearest
from autobalance.losses.named import named_loss, named_losses
from autobalance.study._losses import Named
from autobalance.study._method import Method, Slowed
from autobalance.study.steps import steps

#: Short names.
SHORT = {
    "la-posthoc": "ce+posthoc",
    "crt": "ce+crt",
    "csl-released": "ce+csl-released",
    "oltr": "ce+oltr",
    "lfme": "ce+lfme",
}
#: What ``all`` adds to the fixed losses for classes.
MORE = ("la-posthoc", "crt", "ce+drw", "csl-released")


def named_method(name: str, task: str = "classification") -> Method:
    """The method of a name such as ``la`` or ``la+crt``, with the papers' hyper-parameters.

    Args:
        name: of a fixed loss, for classes with steps behind it.
        task: "classification", with or without groups, or "regression".

    Raises:
        InputError: no fixed loss of the task, or no step, is called so.
    """
    ordered = [loss for loss, its in named_losses("bins").items() if its.ordered]
    known = list(named_losses("bins"))
    if task == "classification":
        known = [*named_losses("classes"), *named_losses("cells"), *ordered]
    elif name not in known:
        raise InputError(f"{name!r} is no method for the `task` regression; there are {', '.join(known)}, and all")
    base, *behind = SHORT.get(name, name).split("+")
    if base not in known:
        raise InputError(f"{name!r} is no method; there are {', '.join([*known, *SHORT])}, "
                         f"with {', '.join(steps())} behind any of them, and all")  # fmt: skip
    wanted = [f"+{step}" for step in behind]
    if unknown := [step for step in wanted if step not in steps()]:
        raise InputError(
            f"{name!r} has the unknown step {unknown[0]!r}; there are {', '.join(steps())}"
            f"{nearest(unknown[0], steps())}"
        )
    if len(set(wanted)) < len(wanted):
        raise InputError(f"{name!r} has a step twice")
    loss, around = named_loss(base), tuple(steps()[step] for step in wanted)
    hyper, ranges = dict(loss.tuned), dict(loss.ranges)
    for step in around:
        if twice := set(step.hyper) & set(hyper):
            raise InputError(
                f"{name} has two hyper-parameters called {sorted(twice)[0]}: {step.name} does what the loss does "
                "already"
            )
        hyper |= step.hyper
        ranges |= step.ranges
    method = Method(name, Named(base, tuple(loss.tuned)), loss.head, around, hyper, ranges)
    return method if loss.slowed is None else replace(method, recipe=Slowed(base))


def methods_of(names: Sequence[str], task: str = "classification", grouped: bool = False) -> list[Method]:
    """The methods of several names, each once; "all" stands for every fixed loss of the task and some with steps.

    Args:
        names: in the order of the rows.
        task: "classification" or "regression".
        grouped: whether the samples have groups, for which "all" has losses too.
    """
    every = list(named_losses("bins" if task == "regression" else "classes"))
    every += named_losses("cells") if grouped else ()
    every += MORE if task == "classification" else ()
    wanted = [each for name in names for each in (every if name == "all" else [name])]
    return [named_method(name, task) for name in dict.fromkeys(wanted)]
