"""Post-hoc logit adjustment (Menon et al. 2021, section 4.2): a trained model, its logits less τ log π."""

from __future__ import annotations

from torch import Tensor, nn


class LogitAdjusted(nn.Module):
    """A model whose logits are lowered by ``adjustment``, (K,)."""

    def __init__(self, model: nn.Module, adjustment: Tensor) -> None:
        super().__init__()
        self.model = model
        self.adjustment: Tensor
        self.register_buffer("adjustment", adjustment)

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x) - self.adjustment
