"""Whether an operation is on: a Bernoulli variable, and one relaxed so that it can be differentiated."""

from __future__ import annotations

import torch
from torch import Tensor


def gates(probability: Tensor, uniform: Tensor, temperature: float | None = None) -> Tensor:
    """1 where an operation is on and 0 where it is off, or relaxed to between:

        b = σ((logit π + logit v) / τ),    b = 1[v > 1 - π] in the limit τ → 0

    With v uniform the limit is a Bernoulli variable of probability π, and b is above 1/2 exactly where the limit is 1.

    Sources: the binary concrete distribution (Maddison et al. 2017; Jang et al. 2017), with which DADA (Li et al. 2020)
    relaxes its choices.

    Args:
        probability: π, above 0 and below 1 where it is differentiated in.
        uniform: v, of the same shape.
        temperature: τ; None for the limit.
    """
    if temperature is None:
        return (uniform > 1 - probability).to(uniform.dtype)
    tiny = torch.finfo(uniform.dtype).tiny  # a uniform number may be exactly 0
    return torch.sigmoid((torch.logit(probability) + torch.logit(uniform.clamp_min(tiny))) / temperature)
