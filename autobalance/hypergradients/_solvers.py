"""Solving A p = v for a symmetric A that is known by its products only."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Product = Callable[[Tensor], Tensor]
Solver = Callable[[Product, Tensor], Tensor]


class SolverWarning(UserWarning):
    """The solution is not to be trusted: the series diverges, or A is not positive definite."""


def largest_eigenvalue(product: Product, start: Tensor, iterations: int) -> float:
    """The eigenvalue of largest magnitude, by power iteration from ``start``: approached from below."""
    vector, value = start / start.norm(), 0.0
    for _ in range(iterations):
        image = product(vector)
        value = float((vector @ image).detach())
        vector = image / image.norm().clamp_min(torch.finfo(image.dtype).tiny)
    return value


@dataclass(frozen=True)
class Neumann:
    """The Neumann series: p = s Σ_j (I - s A)^j v over j = 0..n; converges to A⁻¹ v where 0 < s λ < 2 for all λ of A.

    Source: Lorraine et al. 2020; AutoBalance (Li et al. 2021) takes n = 5 and s = 1.

    Args:
        terms: n, the products taken.
        step: s; None chooses 1 / λ_max.
        power_iterations: products spent on λ_max, to choose the step or to check the given one; 0 leaves a given step
            unchecked.

    Warns:
        SolverWarning: s λ_max is 2 or more.
    """

    terms: int = 5
    step: float | None = 1.0
    power_iterations: int = 10

    def __post_init__(self) -> None:
        if self.step is None and self.power_iterations < 1:
            raise ValueError("power_iterations is 0, so no step can be chosen: give one")

    def __call__(self, product: Product, vector: Tensor) -> Tensor:
        """p for ``vector``."""
        step = self.step
        if self.power_iterations and vector.any():
            largest = largest_eigenvalue(product, vector, self.power_iterations)
            step = 1 / abs(largest) if step is None else step
            if step * largest >= 2:
                warnings.warn(
                    f"the Neumann series diverges: step {step:.3g} times the largest eigenvalue {largest:.4g} is 2 or "
                    f"more; take a step below {2 / largest:.3g}, or step=None",
                    SolverWarning,
                    stacklevel=3,
                )
        step = step or 1.0
        term = total = vector
        for _ in range(self.terms):
            term = term - step * product(term)
            total = total + term
        return step * total


@dataclass(frozen=True)
class ConjugateGradients:
    """The method of conjugate gradients (Hestenes & Stiefel 1952).

    Args:
        iterations: at most.
        tolerance: stops where the residual is this small relative to the vector.

    Warns:
        SolverWarning: A is not positive definite along a direction that was met; the iteration stops before it.
    """

    iterations: int = 20
    tolerance: float = 1e-6

    def __call__(self, product: Product, vector: Tensor) -> Tensor:
        """p for ``vector``."""
        solution, residual = torch.zeros_like(vector), vector
        direction, size = residual, float(residual @ residual)
        enough = self.tolerance**2 * size
        for _ in range(self.iterations):
            if size <= enough:
                break
            image = product(direction)
            curvature = float(direction @ image)
            if curvature <= 0:
                warnings.warn(
                    f"the curvature is {curvature / float(direction @ direction):.3g} along a direction: it is not "
                    "positive definite; damp it, or take the Gauss-Newton one",
                    SolverWarning,
                    stacklevel=3,
                )
                return solution if solution.any() else vector
            length = size / curvature
            solution, residual = solution + length * direction, residual - length * image
            previous, size = size, float(residual @ residual)
            direction = residual + (size / previous) * direction
        return solution
