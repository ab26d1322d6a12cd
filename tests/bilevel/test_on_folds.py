"""The search over folds: F models side by side, one loss for all."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from search_cases import interleaved, make_trainee
from toy import gaussians, linear

from autobalance.bilevel import LossSpace, OuterLoop, run
from autobalance.bilevel.space._recipe import BOUNDS
from autobalance.data import Batch, FoldedSamples
from autobalance.hypergradients import Replay
from autobalance.losses.named import fixed_point
from autobalance.tasks.metrics import Context
from autobalance.tasks.objectives import make_objective
from autobalance.training import Recipe

COUNTS = [40, 17, 6]
POOL = gaussians(COUNTS, 0)
RECIPE = Recipe(epochs=6, batch_size=16, lr=0.1, warmup_epochs=1)
OUTER = OuterLoop(warmup=0.25, every=4, lr=0.1)


def dealt(folds=3):
    """Training and validation parts of folds: sample i is held out by fold i modulo F."""
    place = torch.arange(len(POOL)) % folds
    labels = np.asarray(POOL.y)
    parts = [[(place != f).nonzero()[:, 0] for f in range(folds)], [(place == f).nonzero()[:, 0] for f in range(folds)]]
    return [FoldedSamples.of(POOL, part, labels) for part in parts]


def search(engine=None, names=(), outer=OUTER):
    space = LossSpace(fixed_point("la", COUNTS, dtype=torch.float64), torch.tensor(COUNTS), ("l",), "class")
    return interleaved(make_trainee(linear(3), dealt(), space, recipe=RECIPE, names=names), engine or Replay(3), outer)


def test_a_folds_search_ends_the_same_after_an_interruption():
    problem = search(names=("weight_decay",))
    whole = run(problem)
    state = problem.init()
    for _ in range(3):
        state, _ = problem.step(state)
    again = run(search(names=("weight_decay",)), type(state).from_dict(state.to_dict()))
    assert whole.outer_steps == again.outer_steps > 2
    for name, value in whole.found.items():
        assert torch.equal(value, again.found[name]) and value.any()


def test_the_record_is_of_all_held_out_samples():
    problem = search()
    seen = []

    def watch(output, batch):
        seen.append((output, batch.y))
        return {"number": float(len(batch.y))}

    problem.trainee.watch = watch
    state, record = problem.step(problem.init())
    trained = problem.trainee.inner.model
    state.inner.copy_to(trained)
    validation = problem.trainee.validation_samples.all()
    assert record["number"] == validation.y.numel() == 63
    for model, x, y, part, target in zip(
        trained.unstack(), validation.x, validation.y, seen[0][0].split(21), seen[0][1].split(21), strict=True
    ):
        torch.testing.assert_close(model.eval()(x), part)
        assert torch.equal(y, target)
    assert math.isfinite(record["objective"]) and state.done == 1


def test_one_outer_step_is_along_the_mean_of_the_folds_hypergradients():
    """Against an engine of each fold for itself."""
    given = []

    class Watched:
        abilities, steps = Replay.abilities, 3

        def __call__(self, inner, state, hyper, batches, outer_batch):
            result = Replay(3)(inner, state, hyper, batches, outer_batch)
            given.append((state, hyper, batches, outer_batch, result[1]))
            return result

    problem = search(Watched())
    run(problem)
    state, hyper, batches, outer_batch, found = given[0]
    trainee = problem.trainee
    single = RECIPE.inner(linear(3), trainee.space.loss.train_loss, trainee.objective, len(trainee.train_samples))
    apart = []
    for fold in range(3):

        def own(batch, fold=fold):
            return Batch(batch.x[fold], batch.y[fold])

        weights = {name.removeprefix("model."): value[fold] for name, value in state.parameters.items()}
        memory = {
            slot: {name.removeprefix("model."): value[fold] for name, value in values.items()}
            for slot, values in state.optimiser.items()
        }
        own_state = replace(state, parameters=weights, optimiser=memory, buffers={})
        apart.append(Replay(3)(single, own_state, hyper, [own(b) for b in batches], own(outer_batch))[1].gradient["l"])
    torch.testing.assert_close(found.gradient["l"], torch.stack(apart).mean(0), rtol=1e-10, atol=1e-14)


def test_multipliers_count_in_each_fold():
    text = "error subject to recall(rare)>=0.9"
    objective = make_objective(text, Context(3, class_names=("a", "b", "rare")))
    space = LossSpace(fixed_point("ce", COUNTS, dtype=torch.float64), torch.tensor(COUNTS), ("l",), "class")
    trainee = make_trainee(linear(3), dealt(), space, objective, RECIPE)
    held, multipliers = trainee.validation_samples.all(), torch.tensor([3.0])
    output = torch.randn(3, 21, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    folds = [objective(output[f], Batch(held.x[f], held.y[f]), multipliers).item() for f in range(3)]
    found = trainee.problem(0.0, multipliers).objective(output, held).item()
    assert found == pytest.approx(sum(folds) / 3) and len({round(each, 6) for each in folds}) == 3
    assert found > trainee.problem(0.0).objective(output, held).item()


def test_a_recipe_parameter_stays_within_its_bound():
    problem = search(names=("weight_decay", "lr"), outer=replace(OUTER, lr=2.0))
    found = problem.trainee.space.recipe.found(run(problem).found)
    for name, bound in BOUNDS.items():
        factor = getattr(found, name) / getattr(RECIPE, name)
        assert 1 / bound * 0.999 < factor < bound * 1.001 and factor != 1
