"""What a search found, as plain JSON values: a loss, changes of the recipe, a policy, a smoothing of features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from autobalance.bilevel import SearchPlan, conduct, member
from autobalance.data.augmentation import Policy
from autobalance.losses import loss_to_dict
from autobalance.training import Setting, changes

#: ``loss``, the model's ``head``, ``recipe`` (what is changed), ``policy`` and ``smoothing`` (None where there is
#: none), and ``about``.
Found = dict[str, Any]


def find(plan: SearchPlan, setting: Setting) -> Found:
    """Runs a search, and the choice that its plan asks for.

    Raises:
        InputError: the plan does not fit the problem.
    """
    done = conduct(plan, setting)
    arm, choice = done.arm, done.choice
    about: dict[str, Any] = {"skipped": done.state.skipped, "steps": done.state.outer_steps}
    if choice is not None:
        about |= {name: getattr(choice, name) for name in ("chosen", "margin", "confidence")}
    return {
        "loss": loss_to_dict(member(arm.name, arm.loss.cpu())),
        "head": arm.head,
        "recipe": changes(done.checked.recipe, arm.recipe),
        "policy": None if arm.policy is None else policy_to_dict(arm.policy.cpu()),
        "smoothing": None if arm.smoothing is None else asdict(arm.smoothing),
        "about": about,
    }


def policy_to_dict(policy: Policy) -> dict[str, Any]:
    """A policy as plain values."""
    names = {"class_names": policy.class_names, "group_names": policy.group_names}
    return {
        "kind": policy.kind,
        "operations": policy.to_dict(),
        **{key: None if value is None else list(value) for key, value in names.items()},
    }


def policy_from_dict(content: Mapping[str, Any]) -> Policy:
    """The policy that `policy_to_dict` was given."""
    operations = content["operations"]
    strength, probability = (
        {name: tables[what] for name, tables in operations.items()} for what in ("strength", "probability")
    )
    return Policy(content["kind"], strength, probability, content["class_names"], content["group_names"])
