"""The ways in which a member of the family can be modified: by name, in files, and absent at first in a search."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature
from typing import Any

import torch
from torch import Tensor

from autobalance.common import Fault, InputError, check_keys, check_number, check_strings
from autobalance.losses._base import Loss
from autobalance.losses._csl import CSL
from autobalance.losses._equalization import Equalization
from autobalance.losses._influence import InfluenceBalanced
from autobalance.losses._member import Member
from autobalance.losses._modified import Modified, in_every_stage, layers

#: Each kind by its name, in the order in which they go around a loss.
MODIFICATIONS: Mapping[str, type[Modified]] = {each.kind: each for each in (Equalization, InfluenceBalanced, CSL)}


def innermost(member: Member) -> Member:
    """The member of the family inside all that modifies it."""
    for each in layers(member):
        member = each.base
    return member


def describe(member: Member) -> list[dict[str, Any]]:
    """Each modification of a member, the innermost first: its kind, settings, and what it has collected, if anything.
    Its numbers are among the loss's parameters."""
    described = []
    for each in reversed(list(layers(member))):
        settings = {name: _plain(getattr(each, name)) for name in each.settings}
        collected = {
            name: {key: value.tolist() for key, value in part.state_dict().items()}
            for name, part in each.shared.items()
        }
        described.append({"kind": each.kind, "settings": settings, **({"collected": collected} if collected else {})})
    return described


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, Tensor) else value


def check_terms(terms: Any, fault: Fault) -> None:
    """Raises what is wrong with the description of modifications."""
    if not isinstance(terms, list):
        raise fault("terms is not a list")
    for term in terms:
        if not isinstance(term, dict) or term.get("kind") not in list(MODIFICATIONS):
            raise fault(f"a term is an object whose kind is one of {', '.join(MODIFICATIONS)}")
        kind = MODIFICATIONS[term["kind"]]
        check_keys(term, {"kind", "settings"}, {"collected"}, fault)
        if not isinstance(term["settings"], dict) or set(term["settings"]) != set(kind.settings):
            raise fault(f"the settings of {kind.kind} should be exactly {sorted(kind.settings)}")
        for name, value in term["settings"].items():
            published = signature(kind).parameters[name].default
            if isinstance(published, float):
                check_number(f"{name} of {kind.kind}", value, fault)
            elif isinstance(published, str):
                check_strings(f"{name} of {kind.kind}", [value], fault)
            elif not isinstance(value, list) or not all(isinstance(each, bool) for each in value):
                raise fault(f"{name} of {kind.kind} is not a list of true and false")


def numbers_of(terms: list[dict[str, Any]]) -> list[str]:
    """The names of the numbers that a loss with such modifications has beside its family's."""
    return [name for term in terms for name in MODIFICATIONS[term["kind"]].numbers]


def rebuild(base: Member, terms: list[dict[str, Any]], numbers: Mapping[str, Any], shared: dict[str, Any]) -> Member:
    """``base`` with the modifications that `describe` described.

    Args:
        base: the member inside.
        terms: checked.
        numbers: the numbers of all, by name.
        shared: what was collected, by kind: filled by the first stage of a schedule, taken by the others.

    Raises:
        InputError: values that cannot be.
    """
    for term in terms:
        kind = MODIFICATIONS[term["kind"]]
        own = {name: numbers[name] for name in kind.numbers}
        settings = {
            name: torch.tensor(value, dtype=torch.bool) if isinstance(value, list) else value
            for name, value in term["settings"].items()
        }
        built = kind.around(base, **own, **settings, **shared.get(kind.kind, {}))
        if kind.kind not in shared:
            _restore(built, term.get("collected", {}))
            shared[kind.kind] = built.shared
        base = built
    return base


def _restore(built: Modified, collected: Any) -> None:
    """Puts back what a modification had collected."""
    if not isinstance(collected, dict) or set(collected) - set(built.shared):
        raise InputError(f"what {built.kind} has collected should be an object with {sorted(built.shared)}")
    for name, state in collected.items():
        part = built.shared[name]
        expected = part.state_dict()
        if not isinstance(state, dict) or set(state) != set(expected):
            raise InputError(f"{name} of {built.kind} should be exactly {sorted(expected)}")
        try:
            values = {key: torch.tensor(value, dtype=expected[key].dtype) for key, value in state.items()}
        except (TypeError, ValueError, RuntimeError):
            raise InputError(f"{name} of {built.kind} holds what is no number") from None
        if any(values[key].shape != expected[key].shape or not values[key].isfinite().all() for key in values):
            raise InputError(f"{name} of {built.kind} holds lists of wrong lengths, or what is not finite")
        part.load_state_dict(values)


def with_absent(loss: Loss, kind: str, class_counts: Tensor) -> Loss:
    """``loss`` with a modification at strength 0 in each of its stages, for a search that lets the strength rise.

    Args:
        loss: a member of the classification family without it, or a schedule of such members.
        kind: of `MODIFICATIONS`.
        class_counts: training samples of each class, (K,).

    Raises:
        InputError: another loss, or a modification that can have no effect.
    """
    made = MODIFICATIONS[kind]
    return in_every_stage(loss, made, lambda member, shared: _inserted(member, made, class_counts, shared))


def _inserted(member: Member, kind: type[Modified], class_counts: Tensor, shared: dict[str, Any]) -> Member:
    if isinstance(member, Modified) and member.outermost:
        return member.with_base(_inserted(member.base, kind, class_counts, shared))
    absent = kind.absent(member, class_counts)
    return absent.with_base(member, **shared) if shared else absent
