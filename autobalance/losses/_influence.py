"""Influence balancing: each sample's loss over its influence on the last layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from autobalance.common import InputError
from autobalance.losses._base import feature_norms, full_precision
from autobalance.losses._member import Member
from autobalance.losses._modified import Modified


class InfluenceBalanced(Modified):
    """Influence-balanced loss (Park et al. 2021, and its released code) of any member of the classification family.

        v    = the base loss of a sample, its weight included;    p = softmax(z)
        loss = [α / (|p - e_y|_1 |h|_1 + ε) · (1 - exp(-v))^γ]^s v

    |p - e_y|_1 |h|_1 is the L1 norm of the gradient that the sample's cross-entropy gives the last layer; it equals
    2 (1 - p_y) |h|_1, and is not detached: the gradient goes through it, and through the features where they carry one.
    The focusing acts on the weighted loss v, as in the released code, whose base is weighted cross-entropy. The
    strength s is 1 as published; between 0, the base, and 1 the factor is taken to the power of s.

    Args:
        base: a member of the classification family, without a `CSL` term (that goes around this).
        influence: s, from 0 to 1.
        alpha, epsilon, focus: α, ε, γ.
    """

    kind = "influence"
    numbers: ClassVar[Mapping[str, float]] = {"influence": 1.0}
    most = 1.0
    settings = ("alpha", "epsilon", "focus")

    influence: Tensor

    def __init__(
        self,
        base: Member,
        influence: float = 1.0,
        alpha: float = 1000.0,
        epsilon: float = 1e-3,
        focus: float = 0.0,
    ) -> None:
        super().__init__(base, {"influence": influence})
        if not (alpha > 0 and epsilon > 0 and focus >= 0):
            raise InputError(f"alpha {alpha} and epsilon {epsilon} should be above 0, focus {focus} at least 0")
        self.alpha, self.epsilon, self.focus, self.needs_features = float(alpha), float(epsilon), float(focus), True

    def losses(
        self,
        output: Tensor,
        target: Tensor,
        parameters: Mapping[str, Tensor],
        group: Tensor | None = None,
        features: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        losses, weights = self.base.losses(output, target, parameters, group, features)
        if self.kind not in parameters:
            return losses, weights
        norms = feature_norms(features, len(output), 1, "the influence-balanced loss").to(losses.dtype)
        misses = -torch.expm1(-F.cross_entropy(full_precision(output), target, reduction="none"))
        factor = self.alpha / (2 * misses * norms + self.epsilon)
        if self.focus:
            # the floor keeps the power differentiable where p rounds to one
            factor = (-torch.expm1(-losses)).clamp_min(torch.finfo(losses.dtype).tiny) ** self.focus * factor
        return factor ** parameters["influence"].to(losses.dtype) * losses, weights
