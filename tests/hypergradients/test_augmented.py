"""Hyper-parameters that change the training inputs, by every operation, through the engines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch
from hypergradient_cases import MODELS, differences, objective, tensors, train_loss, worst
from torch import Tensor, nn
from torch.func import functional_call

from autobalance.bilevel import AugmentationSpace
from autobalance.data import Batch
from autobalance.data.augmentation import OPERATIONS
from autobalance.hypergradients import (
    SGD,
    Adam,
    ConjugateGradients,
    Head,
    Implicit,
    Inner,
    OneStep,
    Replay,
    Unrolled,
    folds,
    inner_step,
    stack_batches,
)

K, B = 3, 8
SHAPES = {"image": (3, 5, 5), "table": (4,)}
COUNTS = torch.tensor([20, 7, 3])


def network(kind: str) -> nn.Module:
    if kind == "table":
        return MODELS["mlp"]()
    convolutions = [nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Tanh()]
    return nn.Sequential(*convolutions, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, K)).double()


class Augmented:
    """An inner problem whose augmentation is searched beside its loss."""

    def __init__(self, kind: str, tie: str = "all", operations=None, optimiser=None, steps: int = 3, seed: int = 0):
        generator = torch.Generator().manual_seed(seed + 1)

        def draw(size: int) -> Batch:
            x = torch.randn(size, *SHAPES[kind], generator=generator, dtype=torch.float64)
            return Batch(x, torch.randint(K, (size,), generator=generator))

        torch.manual_seed(seed)
        model = network(kind).train()
        self.outer = draw(10)
        self.space = AugmentationSpace(self.outer.x, COUNTS, operations, tie)
        self.batches = [self.space.draw(draw(B), generator) for _ in range(steps)]
        self.inner = Inner(
            model, train_loss, objective, optimiser or SGD(0.4, 0.9, True, 0.05), transform=self.space.transform
        )
        raw = {
            name: value + 0.3 * torch.randn(value.shape, generator=torch.Generator().manual_seed(7), dtype=value.dtype)
            for name, value in self.space.init().items()
        }
        self.hyper = {
            "w": torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64),
            "l": torch.tensor([0.3, -0.4, 0.1], dtype=torch.float64),
            "delta": torch.tensor([0.8, 1.3, 1.0], dtype=torch.float64),
            **raw,
        }

    def differentiate(self, engine):
        return engine(self.inner, self.inner.init(), self.hyper, self.batches, self.outer)

    def reached(self, hyper: Mapping[str, Tensor]) -> float:
        """The objective after plain training steps."""
        state = self.inner.init()
        for batch in self.batches:
            state, _ = inner_step(self.inner, state, hyper, batch)
        buffers = {name: b.clone() for name, b in state.buffers.items()}
        return objective(
            functional_call(self.inner.model, (state.parameters, buffers), (self.outer.x,)), self.outer
        ).item()

    def finite_differences(self, epsilon: float = 1e-6) -> dict[str, Tensor]:
        gradient = {}
        for name, value in self.hyper.items():
            slopes = []
            for place in range(value.numel()):
                ends = []
                for sign in (1, -1):
                    moved = {key: each.clone() for key, each in self.hyper.items()}
                    moved[name].view(-1)[place] += sign * epsilon
                    ends.append(self.reached(moved))
                slopes.append((ends[0] - ends[1]) / (2 * epsilon))
            gradient[name] = torch.tensor(slopes, dtype=value.dtype).view_as(value)
        return gradient


@pytest.mark.parametrize("kind", OPERATIONS)
def test_exact_engines_equal_finite_differences_with_all_operations(kind):
    case = Augmented(kind)
    expected = case.finite_differences()
    assert min(value.abs().max() for value in expected.values()) > 1e-5
    states = []
    for engine in (Replay(3), Unrolled(3), Replay(3, checkpoint_every=2)):
        state, found = case.differentiate(engine)
        assert worst(found.gradient, expected) < 1e-5
        states.append(tensors(state))
    assert differences(states[0], states[1]) < 1e-13


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in OPERATIONS for name in OPERATIONS[kind]])
def test_each_operation_by_itself(kind, name):
    case = Augmented(kind, "class", [name], steps=2)
    expected = case.finite_differences()
    (_, replay), (_, unrolled) = (case.differentiate(engine) for engine in (Replay(2), Unrolled(2)))
    assert worst(replay.gradient, expected) < 1e-5
    assert worst(replay.gradient, unrolled.gradient) < 1e-9


def test_adam_and_policies_along_the_frequency():
    case = Augmented("table", "frequency", optimiser=Adam(0.05, eps=1e-3))
    _, found = case.differentiate(Replay(3))
    assert worst(found.gradient, case.finite_differences()) < 1e-5


def test_plain_steps_on_inputs_that_were_changed_beforehand_are_the_same():
    case = Augmented("image")
    state, _ = case.differentiate(Replay(3))
    plain, by_hand = replace(case.inner, transform=None), case.inner.init()
    for batch in case.batches:
        by_hand, _ = inner_step(plain, by_hand, case.hyper, case.space.transform(case.hyper, batch))
    assert differences(tensors(state), tensors(by_hand)) == 0
    without, _ = Replay(3)(plain, plain.init(), case.hyper, case.batches, case.outer)
    assert differences(tensors(state), tensors(without)) > 1e-3


def test_implicit_differentiates_the_point_of_rest_of_augmented_training():
    """Against the dense matrices of the same function."""
    case = Augmented("table", optimiser=SGD(0.3, weight_decay=0.5))
    state, found = case.differentiate(Implicit(3, ConjugateGradients(300, 1e-13)))
    shapes = {name: p.shape for name, p in state.parameters.items()}
    theta = torch.cat([p.reshape(-1) for p in state.parameters.values()])

    def logits(at: Tensor, x: Tensor) -> Tensor:
        parts = at.split([shape.numel() for shape in shapes.values()])
        values = {name: part.view(shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}
        return functional_call(case.inner.model, values, (x,))

    def training(at: Tensor, hyper: Mapping[str, Tensor]) -> Tensor:
        batches = [case.space.transform(hyper, batch) for batch in case.batches]
        losses = [train_loss(hyper, logits(at, batch.x), batch) for batch in batches]
        return torch.stack(losses).mean() + 0.25 * (at**2).sum()

    leaves = {name: value.clone().requires_grad_() for name, value in case.hyper.items()}
    matrix = torch.autograd.functional.hessian(lambda at: training(at, case.hyper), theta)
    slope = torch.autograd.functional.jacobian(lambda at: objective(logits(at, case.outer.x), case.outer), theta)
    solution = torch.linalg.solve(matrix, slope)
    at = theta.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(training(at, leaves), at, create_graph=True)
    expected = torch.autograd.grad(-(gradient @ solution), list(leaves.values()))
    assert worst(found.gradient, dict(zip(leaves, expected, strict=True))) < 1e-7
    # The Gauss-Newton matrix is taken on the same changed inputs: with a linear model it is the exact one.
    case.inner = replace(case.inner, model=nn.Linear(4, K).double())
    pair = [
        case.differentiate(Implicit(3, ConjugateGradients(300, 1e-13), curvature=curvature))[1].gradient
        for curvature in ("exact", "gauss-newton")
    ]
    assert worst(pair[1], pair[0]) < 1e-8


def test_folds_together_equal_apart():
    cases = [Augmented("table", seed=seed) for seed in range(2)]
    together = folds(cases[0].inner, [case.inner.model for case in cases])
    batches = [stack_batches(step) for step in zip(*(case.batches for case in cases), strict=True)]
    outer = stack_batches([case.outer for case in cases])
    _, found = Replay(3)(together, together.init(), cases[0].hyper, batches, outer)
    apart = [case.differentiate(Replay(3))[1].gradient for case in cases]
    mean = {name: (apart[0][name] + apart[1][name]) / 2 for name in apart[0]}
    assert worst(found.gradient, mean) < 1e-9


@pytest.mark.parametrize("engine", [OneStep(), Head(1, "2")])
def test_engines_that_act_on_the_loss_alone_refuse_an_augmentation(engine):
    with pytest.raises(ValueError, match=r"does not work with an augmentation .*: use `hypergradient` replay"):
        Augmented("table", steps=1).differentiate(engine)
