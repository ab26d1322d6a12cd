"""The one shape that all reference models have: a body that makes features, a head that makes logits of them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class FeatureModel(nn.Module):
    """A classifier in two steps that can hand out its features, which some losses (IB, FDS) need.

    Args:
        body: maps inputs (B, ...) to features (B, D).
        head: maps features (B, D) to logits (B, K).
    """

    def __init__(self, body: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.head = head

    def features(self, x: Tensor) -> Tensor:
        """Features of shape (B, D): what the head is given."""
        return self.body(x)

    def forward(self, x: Tensor, return_features: bool = False) -> Tensor | tuple[Tensor, Tensor]:
        """Logits (B, K), or the pair (logits, features) where ``return_features`` is set."""
        features = self.features(x)
        logits = self.head(features)
        return (logits, features) if return_features else logits


class CosineLinear(nn.Module):
    """Cosines between the features and one direction a class (the head of LDAM, Cao et al. 2019).

    Logit k is ``<f / |f|, W_k / |W_k|>``, in [-1, 1] and without bias: the loss has to scale it up
    (by 30 in LDAM).

    Args:
        in_features: D.
        out_features: K.
    """

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        self.weight = nn.Parameter(torch.empty(out_features, in_features).uniform_(-1, 1))

    def forward(self, features: Tensor) -> Tensor:
        """Logits of shape (B, K) for features of shape (B, D)."""
        return F.linear(F.normalize(features), F.normalize(self.weight))
