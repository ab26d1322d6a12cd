"""What a search found, as plain JSON values: a loss, rates, a policy, a strength of feature smoothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autobalance.bilevel import SEARCHED, SearchResult
from autobalance.data.augmentation import Policy
from autobalance.losses import loss_to_dict
from autobalance.training import Recipe

#: What a search can change of a recipe.
RATES = ("lr", "weight_decay")

Found = dict[str, Any]


def found_by(result: SearchResult, recipe: Recipe) -> Found:
    """What to train with after a search.

    Args:
        result: of the search.
        recipe: what it was given; the rates that differ from it were found.
    """
    rates = {name: getattr(result.recipe, name) for name in RATES}
    about: dict[str, Any] = {"skipped": result.skipped_steps, "steps": result.outer_steps}
    if result.choice is not None:
        about |= {name: getattr(result.choice, name) for name in ("chosen", "margin", "confidence")}
    fixed = result.choice is not None and result.choice.chosen != SEARCHED
    policy = None if fixed else result.augmentation
    return {
        "loss": loss_to_dict(result.loss.cpu()),
        "recipe": {name: rate for name, rate in rates.items() if rate != getattr(recipe, name)},
        "policy": None if policy is None else policy_to_dict(policy.cpu()),
        "strength": None if fixed else result.fds_strength,
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
