"""Last layers on features that are there already: several at once, solved to their optima and differentiated there.

The training of a last layer is convex. `Head` solves one within the training of the whole model; here the features of
a finished model stay as they are, which leaves a problem of a few thousand numbers, and a search of seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from autobalance.data import Batch

#: (logits (M, K), target (M,), parameters, group (M,) or None) -> losses with their weights, (M,), and weights or None.
Losses = Callable[[Tensor, Tensor, Mapping[str, Tensor], Tensor | None], tuple[Tensor, Tensor | None]]
#: Directions of the features that hold together less than this share of their second moments are left out.
NEGLIGIBLE = 1e-3
#: Newton steps and halvings of each at most; products in one system at most.
NEWTON, HALVINGS, PRODUCTS = 30, 10, 200
#: How exactly the systems of Newton's method are solved, and the one of the derivative.
ROUGH, EXACT = 0.1, 1e-3


class LastLayers:
    """P last layers W_p, each trained on a part of N samples, whose features φ have a constant beside them:

        W_p* = argmin  Σ_n∈p L_n(W φ_n) / Σ_n∈p w_n  +  λ/2 |W|²

    The features are turned to the axes of their second moment, which changes neither |W| nor what is minimised, and
    makes a diagonal preconditioner of conjugate gradients a good one. Axes with next to no moment are left out: the
    decay keeps weights along them near 0.

    Args:
        losses: L and w of each sample, convex in the logits.
        features: (N, D), float64.
        batch: classes y and, where the loss has groups, group of the N samples; no inputs.
        parts: (P, N), bool: which samples each last layer is trained on.
        num_classes: K.
        negligible: the share of the features' moments that may be left out.
        exact: how exactly the system of the derivative is solved.
    """

    def __init__(
        self,
        losses: Losses,
        features: Tensor,
        batch: Batch,
        parts: Tensor,
        num_classes: int,
        negligible: float = NEGLIGIBLE,
        exact: float = EXACT,
    ) -> None:
        self._losses, self._classes, self._exact = losses, num_classes, exact
        wide = torch.cat([features, features.new_ones(len(features), 1)], 1)
        moments, axes = torch.linalg.eigh(wide.T @ wide / len(wide))
        kept = moments.clamp_min(0).cumsum(0) > negligible * moments.sum()
        self.axes, self.moments = axes[:, kept], moments[kept]
        self.features = wide @ self.axes
        self.rows = [part.nonzero()[:, 0] for part in parts]
        self._batches = [
            Batch(batch.x, batch.y[row], None if batch.group is None else batch.group[row]) for row in self.rows
        ]

    def zeros(self) -> Tensor:
        """Last layers, (P, D', K), to begin from."""
        return self.features.new_zeros(len(self.rows), self.features.shape[1], self._classes)

    def logits(self, weights: Tensor, features: Tensor | None = None) -> Tensor:
        """What each last layer answers for all samples, (P, N, K), or for others' features (M, D)."""
        inputs = self.features if features is None else self._turned(features)
        return inputs @ weights

    def _turned(self, features: Tensor) -> Tensor:
        return torch.cat([features, features.new_ones(len(features), 1)], 1) @ self.axes

    def solved(
        self, weights: Tensor, parameters: Mapping[str, Tensor], decay: float, tolerance: float = 1e-4
    ) -> Tensor:
        """W*, (P, D', K), by Newton's method from ``weights``: until the gradient is ``tolerance`` times that at 0."""
        fixed = {name: value.detach() for name, value in parameters.items()}
        return torch.stack(
            [self._solved(place, start, fixed, decay, tolerance) for place, start in enumerate(weights.detach())]
        )

    def _solved(
        self, place: int, start: Tensor, parameters: Mapping[str, Tensor], decay: float, tolerance: float
    ) -> Tensor:
        enough = tolerance * _Slope(self, place, torch.zeros_like(start), parameters, decay).size
        at = _Slope(self, place, start, parameters, decay)
        for _ in range(NEWTON):
            if at.size <= enough:
                break
            direction, length = at.inverse(at.value, ROUGH), 1.0
            for _ in range(HALVINGS):
                moved = _Slope(self, place, at.weights - length * direction, parameters, decay)
                if moved.size < at.size:
                    break
                length /= 2
            else:
                break
            at = moved
        return at.weights

    def pull(self, weights: Tensor, of_weights: Tensor, parameters: Mapping[str, Tensor], decay: Tensor) -> Tensor:
        """A scalar whose derivative in ``parameters`` and ``decay`` is that of an objective through W*.

        With the gradient G(W, α) of what is minimised and F the objective, it is -G(W*, α) · q with W* and q held,
        where (∂G/∂W) q = ∂F/∂W*.

        Args:
            weights: W*.
            of_weights: ∂F/∂W*, (P, D', K).
            parameters: of the loss, differentiable in what is searched.
            decay: λ, a scalar, likewise.
        """
        fixed, total = {name: value.detach() for name, value in parameters.items()}, decay.new_zeros(())
        for place, (at, slope) in enumerate(zip(weights.detach(), of_weights, strict=True)):
            q = _Slope(self, place, at, fixed, float(decay.detach())).inverse(slope, self._exact)
            batch, phi = self._batches[place], self.features[self.rows[place]]
            z = (phi @ at).requires_grad_()
            (of_logits,) = torch.autograd.grad(self.mean_loss(z, batch, parameters), z, create_graph=True)
            total = total - (of_logits * (phi @ q)).sum() - decay * (at * q).sum()
        return total

    def mean_loss(self, logits: Tensor, batch: Batch, parameters: Mapping[str, Tensor]) -> Tensor:
        """The weighted mean of the samples' losses, a scalar."""
        losses, weights = self._losses(logits, batch.y, parameters, batch.group)
        return losses.sum() / (len(losses) if weights is None else weights.sum())


class _Slope:
    """The gradient of one last layer's problem at some weights, and its derivative.

    Attributes:
        weights, value: (D', K).
        size: the gradient's norm.
    """

    def __init__(
        self, layers: LastLayers, place: int, weights: Tensor, parameters: Mapping[str, Tensor], decay: float
    ) -> None:
        self.weights, self._decay = weights, decay
        self._phi, self._moments = layers.features[layers.rows[place]], layers.moments
        self._z = (self._phi @ weights).requires_grad_()
        loss = layers.mean_loss(self._z, layers._batches[place], parameters)
        (self._of_logits,) = torch.autograd.grad(loss, self._z, create_graph=True)
        self.value = self._phi.T @ self._of_logits.detach() + decay * weights
        self.size = float(self.value.norm())

    def _along(self, direction: Tensor) -> Tensor:
        """∂G/∂W · direction."""
        (curved,) = torch.autograd.grad(self._of_logits, self._z, self._phi @ direction, retain_graph=True)
        return self._phi.T @ curved + self._decay * direction

    def inverse(self, vector: Tensor, tolerance: float) -> Tensor:
        """(∂G/∂W)⁻¹ vector, by conjugate gradients; the preconditioner is the diagonal for one mean curvature."""
        curvature = self._mean_curvature()
        diagonal = (curvature * self._moments + self._decay)[:, None]
        found, left = torch.zeros_like(vector), vector.clone()
        scaled = left / diagonal
        direction, product = scaled, (left * scaled).sum()
        enough = tolerance * left.norm()
        for _ in range(PRODUCTS):
            if left.norm() <= enough:
                break
            curved = self._along(direction)
            length = product / (direction * curved).sum()
            found, left = found + length * direction, left - length * curved
            scaled = left / diagonal
            product, before = (left * scaled).sum(), product
            direction = scaled + product / before * direction
        return found

    def _mean_curvature(self) -> float:
        """The trace of the curvature in the logits over the number of classes, estimated from one random vector."""
        probe = torch.randn(self._z.shape, generator=torch.Generator().manual_seed(0), dtype=self._z.dtype).to(self._z)
        (curved,) = torch.autograd.grad(self._of_logits, self._z, probe, retain_graph=True)
        return max(float((curved * probe).sum()) / self._z.shape[1], 1e-12)
