"""Taking over the optimiser that a person's own training code already has."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from autobalance.hypergradients._adam import Adam
from autobalance.hypergradients._combined import Groups
from autobalance.hypergradients._optimiser import Optimiser
from autobalance.hypergradients._sgd import SGD

# Options that choose an implementation or whether it is recorded, not what is computed.
_IMMATERIAL = {"params", "foreach", "fused", "differentiable", "capturable"}
_HONOURED = {
    torch.optim.SGD: {"lr", "momentum", "nesterov", "weight_decay", "dampening"},
    torch.optim.Adam: {"lr", "betas", "eps", "weight_decay", "decoupled_weight_decay"},
    torch.optim.AdamW: {"lr", "betas", "eps", "weight_decay", "decoupled_weight_decay"},
}


def optimiser_from_torch(optimiser: torch.optim.Optimizer, model: nn.Module) -> Optimiser:
    """The same update as one of torch's optimisers makes. Its memory (momentum) is not taken over.

    Args:
        optimiser: a ``torch.optim.SGD``, ``Adam`` or ``AdamW`` with any number of parameter groups.
        model: whose parameters it steps; their names come from here.

    Returns:
        `SGD` or `Adam` for one parameter group, `Groups` of them for several.

    Raises:
        ValueError: another class, or an option that the hypergradients do not honour (``maximize``, ``amsgrad``, a
            learning-rate scheduler): none is ever ignored.
    """
    kind = type(optimiser)
    if kind not in _HONOURED:
        names = ", ".join(k.__name__ for k in _HONOURED)
        raise ValueError(f"{kind.__name__} cannot be differentiated through here; use one of {names}")
    parts = [(group["params"], _of_group(kind, group)) for group in optimiser.param_groups]
    if len(parts) == 1:
        return parts[0][1]
    names_of = {id(p): name for name, p in model.named_parameters()}
    return Groups(tuple((frozenset(names_of[id(p)] for p in params), part) for params, part in parts))


def _of_group(kind: type[torch.optim.Optimizer], group: dict[str, Any]) -> Optimiser:
    for name, value in group.items():
        if name == "initial_lr":
            raise ValueError("a scheduler is attached; give the learning rate as a function of the step instead")
        if name not in _HONOURED[kind] | _IMMATERIAL and value:
            raise ValueError(f"{kind.__name__}({name}={value!r}) is not honoured by the hypergradients; leave it out")
    options = {name: group[name] for name in _HONOURED[kind]}
    if kind is torch.optim.SGD:
        return SGD(**options)
    options["decoupled"] = options.pop("decoupled_weight_decay") and options["weight_decay"] != 0
    return Adam(**options)
