"""Implicit differentiation against dense matrices, and against the optimum of a convex problem that is solved anew."""

from dataclasses import replace

import pytest
import torch
from hypergradient_cases import MODELS, Case, differentiate, mlp, objective, train_loss, worst
from torch import Tensor, nn
from torch.func import functional_call

from autobalance.hypergradients import SGD, Adam, ConjugateGradients, Implicit, Neumann, SolverWarning
from autobalance.hypergradients._solvers import largest_eigenvalue

DECAY = 0.1
EXACT = ConjugateGradients(200, 1e-14)


def linear() -> nn.Module:
    return nn.Linear(4, 3).double()


def flat_case(case: Case):
    """The state after the inner steps, flat, with G(θ, α) and F(θ) as functions of flat θ."""
    state, _ = differentiate(Implicit(case.steps, ConjugateGradients(1)), case)
    model, (batches, outer) = case.model(), case.batches()
    shapes = {name: p.shape for name, p in state.parameters.items()}

    def logits(theta: Tensor, x: Tensor) -> Tensor:
        parts = theta.split([s.numel() for s in shapes.values()])
        values = {n: part.view(s) for (n, s), part in zip(shapes.items(), parts, strict=True)}
        return functional_call(model, values, (x,))

    def training(theta: Tensor, hyper: dict[str, Tensor]) -> Tensor:
        decay = DECAY * hyper["log_weight_decay"].exp() if "log_weight_decay" in hyper else DECAY
        losses = [train_loss(hyper, logits(theta, b.x), b) for b in batches]
        return torch.stack(losses).mean() + decay / 2 * (theta**2).sum()

    theta = torch.cat([p.reshape(-1) for p in state.parameters.values()])
    return theta, training, logits, lambda t: objective(logits(t, outer.x), outer)


def dense(case: Case, invert) -> dict[str, Tensor]:
    """The hypergradient with A⁻¹ v replaced by ``invert(A, v)`` on dense matrices."""
    theta, training, _, value = flat_case(case)
    hyper = {name: v.requires_grad_() for name, v in case.hyper().items()}
    matrix = torch.autograd.functional.hessian(lambda t: training(t, hyper), theta)
    solution = invert(matrix, torch.autograd.functional.jacobian(value, theta))
    at = theta.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(training(at, hyper), at, create_graph=True)
    found = torch.autograd.grad(-(gradient @ solution), list(hyper.values()))
    return dict(zip(hyper, found, strict=True))


RECIPE_PARAMETERS = {"log_weight_decay": torch.tensor(0.3).double()}
CONVEX = Case(linear, SGD(0.5, weight_decay=DECAY), recipe_parameters=RECIPE_PARAMETERS)


@pytest.mark.parametrize("optimiser", [CONVEX.optimiser, Adam(0.05, weight_decay=DECAY)], ids=["sgd", "adam"])
def test_conjugate_gradients_equal_the_dense_solution(optimiser):
    case = replace(CONVEX, optimiser=optimiser)
    _, found = differentiate(Implicit(3, EXACT), case)
    assert worst(found.gradient, dense(case, torch.linalg.solve)) < 1e-9


def test_frozen_parameters_are_no_part_of_the_matrix():
    def frozen() -> nn.Module:
        model = mlp()
        model[0].requires_grad_(False)
        return model

    case = replace(CONVEX, make_model=frozen)
    _, found = differentiate(Implicit(3, EXACT), case)
    assert worst(found.gradient, dense(case, torch.linalg.solve)) < 1e-9


def test_damping_is_added_to_the_matrix():
    _, found = differentiate(Implicit(3, EXACT, damping=0.7), CONVEX)
    expected = dense(CONVEX, lambda a, v: torch.linalg.solve(a + 0.7 * torch.eye(len(v)).double(), v))
    assert worst(found.gradient, expected) < 1e-9


def test_five_neumann_terms_are_the_polynomial_of_the_dense_matrix():
    def polynomial(a: Tensor, v: Tensor) -> Tensor:
        remainder = torch.eye(len(v)).double() - 0.4 * a
        return 0.4 * sum(torch.linalg.matrix_power(remainder, j) @ v for j in range(6))

    _, found = differentiate(Implicit(3, Neumann(5, 0.4)), CONVEX)
    assert worst(found.gradient, dense(CONVEX, polynomial)) < 1e-9


def test_many_neumann_terms_with_their_own_step_approach_the_solution():
    _, found = differentiate(Implicit(3, Neumann(150, None)), CONVEX)
    assert worst(found.gradient, dense(CONVEX, torch.linalg.solve)) < 1e-8


def test_a_series_that_diverges_is_reported_with_the_eigenvalue():
    case = Case(linear, SGD(0.5, weight_decay=30.0), steps=1)
    with pytest.warns(SolverWarning, match=r"largest eigenvalue 30\.\d"):
        differentiate(Implicit(1, Neumann(5, 1.0, power_iterations=40)), case)


def test_power_iteration_finds_the_largest_eigenvalue():
    a = torch.diag(torch.tensor([0.5, 3.0, 1.0])).double()
    assert largest_eigenvalue(lambda v: a @ v, torch.ones(3).double(), 40) == pytest.approx(3, rel=1e-9)


def test_a_step_that_cannot_be_chosen_is_refused():
    with pytest.raises(ValueError, match="power_iterations"):
        Neumann(5, None, 0)


def test_curvature_that_is_not_positive_is_reported():
    a = torch.diag(torch.tensor([1.0, -2.0])).double()
    with pytest.warns(SolverWarning, match="not positive definite"):
        ConjugateGradients()(lambda v: a @ v, torch.tensor([1.0, 2.0]).double())


def test_gauss_newton_of_a_network_is_the_dense_one():
    case = Case(mlp, SGD(0.5, weight_decay=DECAY))
    batches, _ = case.batches()
    theta, _, logits, _ = flat_case(case)
    matrix = DECAY * torch.eye(len(theta)).double()
    for batch in batches:
        jacobian = torch.autograd.functional.jacobian(lambda t, x=batch.x: logits(t, x), theta)
        of_logits = torch.autograd.functional.hessian(
            lambda z, b=batch: train_loss(case.hyper(), z, b), logits(theta, batch.x).detach()
        )
        matrix += torch.einsum("bkp,bkcl,clq->pq", jacobian, of_logits, jacobian) / len(batches)
    _, found = differentiate(Implicit(3, EXACT, curvature="gauss-newton"), case)
    assert worst(found.gradient, dense(case, lambda _, v: torch.linalg.solve(matrix, v))) < 1e-9


def test_at_rest_it_is_the_derivative_of_the_optimum():
    """Central differences of the optimum that Newton's method finds for each changed hyper-parameter."""
    case = Case(linear, SGD(0.5, weight_decay=DECAY), steps=1)
    theta, training, _, value = flat_case(case)

    def optimum(hyper: dict[str, Tensor], at: Tensor, steps: int) -> Tensor:
        for _ in range(steps):
            slope = torch.autograd.functional.jacobian(lambda t: training(t, hyper), at)
            at = at - torch.linalg.solve(torch.autograd.functional.hessian(lambda t: training(t, hyper), at), slope)
        return at

    best = optimum(case.hyper(), theta, 12)
    inner = case.inner()
    batches, outer = case.batches()
    parts = best.split([p.numel() for p in inner.init().parameters.values()])
    start = {n: part.view_as(p) for (n, p), part in zip(inner.init().parameters.items(), parts, strict=True)}
    _, found = Implicit(1, EXACT)(inner, replace(inner.init(), parameters=start), case.hyper(), batches, outer)
    for name in ("w", "l", "delta"):
        for index in range(3):
            ends = []
            for sign in (1, -1):
                moved = case.hyper()
                moved[name][index] += sign * 1e-5
                ends.append(value(optimum(moved, best, 3)).item())
            assert found.gradient[name][index].item() == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-6, abs=1e-9)


def test_dropout_is_the_same_in_every_product():
    case = Case(MODELS["dropout"], SGD(0.3, weight_decay=3.0))
    _, found = differentiate(Implicit(3, ConjugateGradients(30, 1e-13)), case)
    after = torch.rand(1)
    _, again = differentiate(Implicit(3, Neumann(40, 0.3)), case)
    assert worst(found.gradient, again.gradient) < 1e-9
    assert torch.equal(after, torch.rand(1))


def test_what_has_no_effect_or_no_meaning_is_refused():
    with pytest.raises(ValueError, match="`lr` being searched: use `hypergradient` replay or one-step"):
        differentiate(Implicit(3), replace(CONVEX, recipe_parameters={"log_lr": torch.tensor(0.0).double()}))
    with pytest.raises(ValueError, match="AdamW"):
        differentiate(Implicit(3), Case(linear, Adam(0.1, weight_decay=0.1, decoupled=True)))
    with pytest.raises(ValueError, match="kfac"):
        Implicit(curvature="kfac")
