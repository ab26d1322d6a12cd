"""Losses as small JSON files: plain numbers that a person can read, loaded without running anything."""

from __future__ import annotations

import os
from typing import Any, TypedDict, Unpack

import torch

from autobalance.common import Fault, InputError, JsonFormat, check_keys, check_number, check_table, fault_in
from autobalance.losses._base import REDUCTIONS
from autobalance.losses._kinds import KINDS, Kind
from autobalance.losses._member import Member
from autobalance.losses._parametric import ParametricLoss
from autobalance.losses._schedule import ScheduledLoss
from autobalance.losses._terms import check_terms, describe, innermost, numbers_of, rebuild

FORMAT = JsonFormat("autobalance-loss", 2, "a loss file", (1,))
_REQUIRED = {"task", "parameters", "reduction"}
_OPTIONAL = {"schedule", "terms", "provenance"}


def save_loss(
    loss: Member | ScheduledLoss, path: str | os.PathLike[str], provenance: dict[str, Any] | None = None
) -> None:
    """Writes a member of a family, with its schedule if it has one, as JSON.

    ``parameters`` are those of the first stage; each further stage is an entry of ``schedule``: its ``start`` and those
    ``parameters`` that differ from the first stage's. ``terms`` are what modifies the loss in all its stages, such as
    `CSL`, with what that has collected in training; its numbers are among the parameters.

    Args:
        loss: the loss.
        path: the file to write or replace.
        provenance: where the loss comes from (data, class counts, search settings); plain JSON values.

    Raises:
        InputError: the loss, or one of its stages, is no member of a family, or its stages have different terms.
    """
    FORMAT.write(path, _content(loss, provenance, fault_in(path)))


def loss_to_dict(loss: Member | ScheduledLoss) -> dict[str, Any]:
    """What `save_loss` writes, as plain values for a place that is no file.

    Raises:
        InputError: see `save_loss`.
    """
    return FORMAT.marked(_content(loss, None, InputError))


def _content(loss: Member | ScheduledLoss, provenance: dict[str, Any] | None, fault: Fault) -> dict[str, Any]:
    members = []
    for stage in loss.stages:
        if not isinstance(stage.loss, Member):
            raise fault(f"a loss file holds members of the family, {type(stage.loss).__name__} is a plug-in; build it "
                        "by its name")  # fmt: skip
        members.append((stage.start, stage.loss))
    (_, base), *later = members
    kind, terms = KINDS[base.task], describe(base)
    if any(describe(stage) != terms for _, stage in later):
        raise fault("the stages of the loss have different terms: give a term that comes later the strength 0 before")
    schedule = [{"start": start, "parameters": _changes(base, stage)} for start, stage in later]
    return {
        "task": base.task,
        **kind.describe(innermost(base)),
        "parameters": {name: getattr(base, name).tolist() for name in base.defaults},
        **({"terms": terms} if terms else {}),
        **({"schedule": schedule} if schedule else {}),
        "reduction": base.reduction,
        "provenance": provenance or {},
    }


def _changes(base: Member, stage: Member) -> dict[str, Any]:
    values = {name: (getattr(base, name), getattr(stage, name)) for name in base.defaults}
    return {name: new.tolist() for name, (old, new) in values.items() if not torch.equal(old, new)}


class CallSettings(TypedDict, total=False):
    """What `load_loss` takes beside the file: see `ParametricLoss`."""

    reduction: str
    ignore_index: int
    label_smoothing: float


def load_loss(
    path: str | os.PathLike[str], dtype: torch.dtype | None = None, **settings: Unpack[CallSettings]
) -> Member | ScheduledLoss:
    """Reads a loss that `save_loss` or the search wrote.

    Args:
        path: a ``loss.json``.
        dtype: of the loss's numbers; torch's default where None.
        **settings: ``reduction`` in place of the file's; for classes ``ignore_index`` and ``label_smoothing``.

    Returns:
        an ``nn.Module``: a `ParametricLoss`, ``loss(logits, target)`` or, with groups, ``loss(logits, target,
        group=g)``; a `RegressionLoss`, ``loss(prediction, target)``; a `ScheduledLoss` where the file has a schedule.

    Raises:
        InputError (a ValueError): the file is torn, of another format or version, has unknown or missing keys, lists
            of wrong lengths or values that are not finite numbers. Names the file and the fault.
        FileNotFoundError: there is no such file.
    """
    loss = _loss(*FORMAT.read(path), dtype)
    if not settings:
        return loss
    stages = [(stage.start, stage.loss.replace(**settings)) for stage in loss.stages if isinstance(stage.loss, Member)]
    return stages[0][1] if len(stages) == 1 else ScheduledLoss(stages)


def provenance_of(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What a loss file says of where its loss comes from; empty where it says nothing.

    Raises:
        InputError (a ValueError): the file is torn, or of another format or version.
        FileNotFoundError: there is no such file.
    """
    found: dict[str, Any] = FORMAT.read(path)[0].get("provenance", {})
    return found


def loss_from_dict(content: Any) -> Member | ScheduledLoss:
    """The loss that `loss_to_dict` described.

    Raises:
        InputError (a ValueError): see `load_loss`.
    """
    return _loss(FORMAT.unmarked(content, InputError), InputError, None)


def _loss(content: dict[str, Any], fault: Fault, dtype: torch.dtype | None) -> Member | ScheduledLoss:
    kind, terms = _check_content(content, fault), content.get("terms", [])
    names = [*kind.loss.defaults, *numbers_of(terms)]
    _check_parameters("parameters", content["parameters"], kind, names, fault)
    if set(content["parameters"]) != set(names):
        raise fault(f"parameters should be exactly {sorted(names)}, found {sorted(content['parameters'])}")
    schedule = content.get("schedule", [])
    _check_schedule(schedule, kind, names, fault)
    stages = [(0.0, {}), *((entry["start"], entry["parameters"]) for entry in schedule)]
    shared: dict[str, Any] = {}

    def built(values: dict[str, Any]) -> Member:
        own = {name: values[name] for name in kind.loss.defaults}
        return rebuild(kind.build(content, own, dtype), terms, values, shared)

    try:
        losses = [(at, built({**content["parameters"], **changes})) for at, changes in stages]
        return ScheduledLoss(losses) if schedule else losses[0][1]
    except ValueError as error:
        raise fault(str(error)) from None


def _check_content(content: dict[str, Any], fault: Fault) -> Kind:
    """All but the parameters and the schedule; what kind of file it is."""
    check_keys(content, {"task"}, set(content), fault)
    if content["task"] not in list(KINDS):
        raise fault(f"task {content['task']!r} is none of {', '.join(KINDS)}")
    kind = KINDS[content["task"]]
    check_keys(content, _REQUIRED | {*kind.keys}, _OPTIONAL | {*kind.optional}, fault)
    if content["reduction"] not in REDUCTIONS:
        raise fault(f"reduction {content['reduction']!r} is none of {', '.join(REDUCTIONS)}")
    kind.check(content, fault)
    check_terms(content.get("terms", []), fault)
    if content.get("terms") and content["task"] != ParametricLoss.task:
        raise fault("terms are for classification alone")
    return kind


def _check_schedule(schedule: Any, kind: Kind, names: list[str], fault: Fault) -> None:
    """A list of objects with a start and some parameters; the order of the starts is checked where it is built."""
    if not isinstance(schedule, list):
        raise fault("schedule is not a list of stages")
    for number, entry in enumerate(schedule, 1):
        where = f"stage {number} of the schedule"
        if not isinstance(entry, dict) or set(entry) != {"start", "parameters"}:
            raise fault(f"{where} should be an object with exactly a start and parameters")
        check_number(f"the start of {where}", entry["start"], fault)
        _check_parameters(where, entry["parameters"], kind, names, fault)


def _check_parameters(where: str, parameters: Any, kind: Kind, names: list[str], fault: Fault) -> None:
    """Known names; a list of numbers or of equally long lists of numbers for a table, else a number; all finite."""
    if not isinstance(parameters, dict):
        raise fault(f"the parameters of {where} are no object" if where != "parameters" else "parameters is no object")
    if unknown := set(parameters) - set(names):
        raise fault(f"{where} has unknown parameters {sorted(unknown)}; there are {sorted(names)}")
    for name, value in parameters.items():
        check = check_table if name in kind.loss.tables else check_number
        check(f"{name} in {where}", value, fault)
