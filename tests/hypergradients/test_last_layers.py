"""Last layers on fixed features: their optimum against scikit-learn, the derivative through it against differences."""

import pytest
import torch
from sklearn.linear_model import LogisticRegression

from autobalance.data import Batch
from autobalance.hypergradients import LastLayers
from autobalance.losses import ParametricLoss

N, D, DECAY = 60, 4, 0.02


def case(classes, exact=1e-12):
    generator = torch.Generator().manual_seed(classes)
    y, group = (torch.randint(0, k, (N,), generator=generator) for k in (classes, 2))
    features = torch.randn(N, D, generator=generator, dtype=torch.float64)
    features[:, 0] += y + group
    parts = torch.rand(2, N, generator=generator) < 0.7
    tables = {
        name: torch.rand(classes, 2, generator=generator, dtype=torch.float64) + 0.5 for name in ("w", "l", "delta")
    }
    loss = ParametricLoss(classes, dtype=torch.float64, **tables)
    layers = LastLayers(loss.losses, features, Batch(features[:0], y, group), parts, classes, 0.0, exact)
    return layers, loss.parameters_in_effect, features, y, group, parts


def test_the_optimum_is_that_of_a_weighted_logistic_regression():
    layers, parameters, features, y, group, parts = case(3)
    plain = {name: parameters[name] for name in ("w",)}
    weights = layers.solved(layers.zeros(), plain, DECAY, 1e-10)
    for part, mask in enumerate(parts):
        wide = torch.cat([features, torch.ones(N, 1)], 1)[mask].numpy()
        weight = parameters["w"][y, group][mask]
        oracle = LogisticRegression(C=1 / (DECAY * float(weight.sum())), fit_intercept=False, tol=1e-10, max_iter=2000)
        oracle.fit(wide, y[mask].numpy(), sample_weight=weight.numpy())
        expected = torch.from_numpy(oracle.predict_log_proba(wide))
        found = layers.logits(weights, features)[part][mask].log_softmax(1)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
        torch.testing.assert_close(layers.logits(weights)[part], layers.logits(weights, features)[part])


@pytest.mark.parametrize("classes", [2, 4])
def test_the_derivative_through_the_optimum_is_that_of_differences(classes):
    layers, parameters, _, y, _, _ = case(classes)

    def objective(weights):
        logits = layers.logits(weights)
        return torch.nn.functional.cross_entropy(logits[0], y) + 0.1 * logits[1].square().mean()

    def at(name, place, change):
        moved, decay = {key: value.clone() for key, value in parameters.items()}, DECAY
        if name == "decay":
            decay += change
        else:
            moved[name][place] += change
        return float(objective(layers.solved(solved, moved, decay, 1e-13)))

    solved = layers.solved(layers.zeros(), parameters, DECAY, 1e-13)
    weights = solved.clone().requires_grad_()
    (of_weights,) = torch.autograd.grad(objective(weights), weights)
    searched = {name: value.clone().requires_grad_() for name, value in parameters.items()}
    decay = torch.tensor(DECAY, dtype=torch.float64, requires_grad=True)
    moved = [*searched.values(), decay]
    found = torch.autograd.grad(layers.pull(solved, of_weights, searched, decay), moved)
    places = [(name, (1, 1)) for name in searched] + [("decay", None)]
    for (name, place), slope in zip(places, found, strict=True):
        step = 1e-5
        expected = (at(name, place, step) - at(name, place, -step)) / (2 * step)
        assert float(slope if place is None else slope[place]) == pytest.approx(expected, rel=1e-4, abs=1e-8), name


def test_axes_with_next_to_no_moment_are_left_out():
    layers, *_, features, y, group, parts = (*case(2)[:1], *case(2)[2:])
    wide = torch.cat([features, 1e-6 * torch.randn(N, 20, dtype=torch.float64)], 1)
    loss = ParametricLoss(2, dtype=torch.float64)
    narrow = LastLayers(loss.losses, wide, Batch(wide[:0], y, group), parts, 2)
    assert narrow.features.shape == (N, D + 1) and layers.features.shape == (N, D + 1)
