"""Tiny inner problems in float64, and a slow oracle: torch's own optimisers and central finite differences."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from autobalance.data import Batch
from autobalance.hypergradients import SGD, Engine, Hypergradient, Inner, InnerState, Optimiser

K = 3


def mlp(*between: nn.Module) -> nn.Module:
    # No bias in front of batch norm: its gradient is rounding noise, which Adam would blow up into a step.
    return nn.Sequential(nn.Linear(4, 6, bias=not between), *between, nn.Tanh(), nn.Linear(6, K)).double()


def conv(*between: nn.Module) -> nn.Module:
    last = [nn.SiLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(12, K)]
    return nn.Sequential(nn.Unflatten(1, (1, 2, 2)), nn.Conv2d(1, 3, 2, padding=1), *between, *last).double()


#: Networks by name; all take inputs of shape (B, 4).
MODELS: dict[str, Callable[[], nn.Module]] = {
    "mlp": mlp,
    "mlp-bn": lambda: mlp(nn.BatchNorm1d(6)),
    "conv": conv,
    "conv-bn": lambda: conv(nn.BatchNorm2d(3)),
    "dropout": lambda: mlp(nn.Dropout(0.4)),
}


def train_loss(hyper: Mapping[str, Tensor], logits: Tensor, batch: Batch) -> Tensor:
    """Weighted cross-entropy of Δ z + l, w for weight."""
    adjusted = hyper["delta"] * logits + hyper["l"]
    return (hyper["w"][batch.y] * nn.functional.cross_entropy(adjusted, batch.y, reduction="none")).mean()


def objective(logits: Tensor, batch: Batch) -> Tensor:
    return nn.functional.cross_entropy(logits, batch.y)


@dataclass(frozen=True)
class Case:
    """One inner problem, ready to be differentiated.

    Args:
        make_model: builds the network.
        optimiser: ours.
        torch_optimiser: torch's, which has to take the same steps; made from the model.
        schedule: learning rate at each step, for torch's optimiser, where it changes.
        steps: T.
        recipe_parameters: hyper-parameters of the recipe that are searched besides those of the loss.
    """

    make_model: Callable[[], nn.Module] = mlp
    optimiser: Optimiser = field(default_factory=lambda: SGD(0.5))
    torch_optimiser: Callable[[nn.Module], torch.optim.Optimizer] = lambda m: torch.optim.SGD(m.parameters(), 0.5)
    schedule: Callable[[int], float] | None = None
    steps: int = 3
    recipe_parameters: Mapping[str, Tensor] = field(default_factory=dict)
    seed: int = 0

    def model(self) -> nn.Module:
        torch.manual_seed(self.seed)
        return self.make_model().train()

    def inner(self) -> Inner:
        return Inner(self.model(), train_loss, objective, self.optimiser)

    def batches(self) -> tuple[list[Batch], Batch]:
        """T training batches and a validation batch."""
        generator = torch.Generator().manual_seed(self.seed + 1)

        def draw(size: int) -> Batch:
            x = torch.randn(size, 4, generator=generator, dtype=torch.float64)
            return Batch(x, torch.randint(K, (size,), generator=generator))

        return [draw(8) for _ in range(self.steps)], draw(10)

    def hyper(self) -> dict[str, Tensor]:
        return {
            "w": torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64),
            "l": torch.tensor([0.3, -0.4, 0.1], dtype=torch.float64),
            "delta": torch.tensor([0.8, 1.3, 1.0], dtype=torch.float64),
            **{name: value.clone() for name, value in self.recipe_parameters.items()},
        }


def factor_of(name: str, hyper: Mapping[str, Tensor], group: int) -> float:
    """What a searched recipe parameter multiplies an option of a parameter group by."""
    if name not in hyper:
        return 1.0
    return (hyper[name][group] if hyper[name].dim() else hyper[name]).exp().item()


def torch_training(case: Case, hyper: Mapping[str, Tensor], batches: Sequence[Batch]) -> nn.Module:
    """The model after plain steps of torch's own optimiser."""
    model = case.model()
    optimiser = case.torch_optimiser(model)
    torch.manual_seed(case.seed)
    for step, batch in enumerate(batches):
        for number, group in enumerate(optimiser.param_groups):
            if case.schedule is not None:
                group["lr"] = case.schedule(step) * factor_of("log_lr", hyper, number)
            elif step == 0 and "log_lr" in hyper:
                group["lr"] *= factor_of("log_lr", hyper, number)
            if step == 0 and "log_weight_decay" in hyper:
                group["weight_decay"] *= factor_of("log_weight_decay", hyper, number)
        optimiser.zero_grad()
        train_loss(hyper, model(batch.x), batch).backward()
        optimiser.step()
    return model


def finite_differences(case: Case, epsilon: float = 1e-5) -> dict[str, Tensor]:
    """The hypergradient by central differences of whole trainings."""
    batches, outer = case.batches()
    start = case.hyper()

    def reached(hyper: Mapping[str, Tensor]) -> float:
        model = torch_training(case, hyper, batches)
        for module in model.modules():
            if isinstance(module, nn.Dropout):
                module.eval()
        with torch.no_grad():
            return objective(model(outer.x), outer).item()

    gradient = {}
    for name, value in start.items():
        slopes = []
        for index in range(value.numel()):
            ends = []
            for sign in (1, -1):
                moved = deepcopy(start)
                moved[name].view(-1)[index] += sign * epsilon
                ends.append(reached(moved))
            slopes.append((ends[0] - ends[1]) / (2 * epsilon))
        gradient[name] = torch.tensor(slopes, dtype=value.dtype).view_as(value)
    return gradient


def worst(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> float:
    """The largest difference of any hyper-parameter's gradient, relative to the length of what was expected."""
    assert found.keys() == expected.keys()
    return max(((found[k] - expected[k]).norm() / expected[k].norm()).item() for k in expected)


def tensors(state: InnerState) -> dict[str, Tensor]:
    """All tensors of a state by name, copied."""
    return {name: t.clone() for name, t in (state.parameters | state.buffers).items()}


def differences(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> float:
    """The largest absolute difference between tensors of the same name."""
    assert first.keys() == second.keys()
    return max((first[name] - second[name]).abs().max().item() for name in first)


def differentiate(engine: Engine, case: Case) -> tuple[InnerState, Hypergradient]:
    inner = case.inner()
    batches, outer = case.batches()
    torch.manual_seed(case.seed)
    return engine(inner, inner.init(), case.hyper(), batches, outer)


def assert_exact(case: Case, *engines: Callable[[int], Engine]) -> None:
    """Each engine's gradient is the finite differences', and its state torch's own."""
    expected = finite_differences(case)
    model = torch_training(case, case.hyper(), case.batches()[0])
    for engine in engines:
        state, found = differentiate(engine(case.steps), case)
        assert worst(found.gradient, expected) < 1e-6
        assert differences(tensors(state), dict(model.named_parameters()) | dict(model.named_buffers())) < 1e-13
