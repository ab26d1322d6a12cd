"""Folds trained together give the mean of what each gives alone."""

from dataclasses import replace

import pytest
import torch
from hypergradient_cases import MODELS, Case, differences, mlp, tensors, train_loss, worst
from torch import nn

from autobalance.hypergradients import (
    SGD,
    Adam,
    Clipped,
    ConjugateGradients,
    Groups,
    Implicit,
    OneStep,
    Replay,
    Unrolled,
    folds,
    stack_batches,
)

SGD_OPTIONS = SGD(0.3, 0.9, True, 0.05)
ENGINES = {
    "replay": (Replay(3), SGD_OPTIONS),
    "replay-adam": (Replay(3), Adam(0.05, eps=1e-3)),
    "replay-clipped": (Replay(3), Clipped(SGD_OPTIONS, 0.4)),
    "replay-clipped-adamw": (Replay(3), Clipped(Adam(0.05, eps=1e-3, weight_decay=0.1, decoupled=True), 0.4)),
    "one-step": (OneStep(), SGD_OPTIONS),
    "one-step-clipped": (OneStep(), Clipped(SGD_OPTIONS, 0.4)),
    "implicit": (Implicit(3, ConjugateGradients(300, 1e-13)), SGD(0.3, weight_decay=2.0)),
}


@pytest.mark.parametrize(("engine", "optimiser"), ENGINES.values(), ids=ENGINES.keys())
@pytest.mark.parametrize("model", ["mlp-bn", "conv-bn"])
def test_together_equals_apart(model, engine, optimiser):
    check_together(MODELS[model], engine, optimiser)


class Looking(nn.Module):
    """A model whose way depends on values, which vmap cannot follow."""

    def __init__(self, *given):
        super().__init__()
        self.model = MODELS["mlp-bn"](*given)

    def forward(self, x):
        if (x < 0).all():
            raise AssertionError("no batch is like that")
        return self.model(x)


@pytest.mark.parametrize("name", ["replay", "one-step"])
def test_models_that_look_at_values_are_called_one_by_one(name):
    check_together(Looking, *ENGINES[name])


def check_together(make, engine, optimiser):
    cases = [Case(make, optimiser, steps=engine.steps, seed=seed) for seed in range(3)]
    drawn = [case.batches() for case in cases]
    together = folds(cases[0].inner(), [case.model() for case in cases])
    batches = [stack_batches(step) for step in zip(*(each for each, _ in drawn), strict=True)]
    outer = stack_batches([each for _, each in drawn])
    hyper = cases[0].hyper()
    state, found = engine(together, together.init(), hyper, batches, outer)

    apart = []
    for case, (own, own_outer) in zip(cases, drawn, strict=True):
        inner = case.inner()
        apart.append(engine(inner, inner.init(), hyper, own, own_outer))
    mean = {name: torch.stack([g.gradient[name] for _, g in apart]).mean(0) for name in hyper}
    assert worst(found.gradient, mean) < 1e-9
    assert found.objective == pytest.approx(sum(g.objective for _, g in apart) / 3, rel=1e-12)
    state.copy_to(together.model)
    for model_apart, (own_state, _) in zip(together.model.unstack(), apart, strict=True):
        values = dict(model_apart.named_parameters()) | dict(model_apart.named_buffers())
        assert differences(values, tensors(own_state)) < 1e-12


def test_each_fold_is_clipped_by_its_own_norm():
    """Where all folds' gradients are joined, the bound takes hold of those that are small, too."""
    gradients = {"a": torch.tensor([[3.0, 0.0], [0.3, 0.0]]), "b": torch.tensor([4.0, 0.4])}
    start = {name: torch.zeros_like(g) for name, g in gradients.items()}
    new, _ = Clipped(SGD(1.0), 1.0).side_by_side().update(start, gradients, {}, 0, {})
    torch.testing.assert_close(new["a"], torch.tensor([[-0.6, 0.0], [-0.3, 0.0]]))
    torch.testing.assert_close(new["b"], torch.tensor([-0.8, -0.4]))


def test_what_would_join_the_folds_is_refused():
    case = Case(mlp, Groups(((frozenset(dict(mlp().named_parameters())), SGD()),)))
    with pytest.raises(ValueError, match="parameter group"):
        folds(case.inner(), [case.model(), case.model()])


def test_unrolled_refuses_folds():
    case = Case(mlp)
    together = folds(case.inner(), [case.model(), case.model()])
    batches, outer = case.batches()
    with pytest.raises(ValueError, match="unrolled does not work with `folds`"):
        Unrolled(3)(together, together.init(), case.hyper(), batches, outer)


def test_losses_of_their_own_side_by_side():
    cases = [Case(MODELS["conv-bn"], SGD_OPTIONS, seed=seed) for seed in range(3)]

    def scaled(factor):
        return lambda hyper, logits, batch: factor * train_loss(hyper, logits, batch)

    losses = [scaled(factor) for factor in (0.5, 1.0, 2.0)]
    together = folds(cases[0].inner(), [case.model() for case in cases], losses)
    drawn = [case.batches() for case in cases]
    hyper = cases[0].hyper()
    batches = [stack_batches(step) for step in zip(*(each for each, _ in drawn), strict=True)]
    _, found = Replay(3)(together, together.init(), hyper, batches, stack_batches([each for _, each in drawn]))
    apart = []
    for case, loss, (own, outer) in zip(cases, losses, drawn, strict=True):
        inner = replace(case.inner(), train_loss=loss)
        apart.append(Replay(3)(inner, inner.init(), hyper, own, outer)[1])
    assert worst(found.gradient, {n: torch.stack([g.gradient[n] for g in apart]).mean(0) for n in hyper}) < 1e-9


def test_a_loss_for_each_model_or_none():
    case = Case(mlp)
    with pytest.raises(ValueError, match="1 training losses for 2 models"):
        folds(case.inner(), [case.model(), case.model()], [train_loss])
