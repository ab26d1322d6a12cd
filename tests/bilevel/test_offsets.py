"""Offsets found on outputs: against a grid, the frequency law, and what they stand for in a training loss."""

import math

import numpy as np
import pytest
import torch

from autobalance.bilevel._offsets import (
    Offsets,
    best_of,
    cross_validated,
    dealt,
    frequency_law,
    refitted,
    scale_of,
    within_bounds,
)
from autobalance.bilevel.space import Tied, Untied
from autobalance.data import Batch
from autobalance.tasks.metrics import Context
from autobalance.tasks.objectives import Standing, make_objective, standing

COUNTS = torch.tensor([60, 25, 15])


def outputs(seed=0, shift=(1.5, 0.0, -1.5), counts=COUNTS):
    """Logits whose classes are shifted against one another, so that offsets have something to mend."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.repeat_interleave(torch.arange(3), counts)
    noise = torch.randn(len(y), 3, generator=generator, dtype=torch.float64)
    return 2 * torch.eye(3, dtype=torch.float64)[y] + noise + torch.tensor(shift), Batch(torch.empty(0), y)


def problem(objective="balanced_error", tie=None, counts=COUNTS):
    tie = Untied(counts.double()) if tie is None else tie
    made = make_objective(objective, Context(3, class_names=("a", "b", "rare")))
    return Offsets(made, frequency_law(counts), tie)


def test_the_law_is_log_n_with_mean_zero_and_deviation_one():
    law = frequency_law(COUNTS)
    assert law.mean().item() == pytest.approx(0, abs=1e-12) and law.square().mean().item() == pytest.approx(1)
    logs = COUNTS.double().log()
    torch.testing.assert_close(law, (logs - logs.mean()) / (logs - logs.mean()).square().mean().sqrt())
    assert not frequency_law(torch.tensor([7, 7])).any()
    torch.testing.assert_close(frequency_law(torch.tensor([[20, 40], [5, 20], [10, 5]])), law)


def test_the_scale_is_the_median_gap():
    z = torch.tensor([[0.0, 1.0, 3.0], [5.0, 1.0, 1.0], [0.0, 0.5, 0.25]])
    assert scale_of(z).item() == 2.0


@pytest.mark.parametrize("name", ["balanced_error", "worst_class", "macro_f1"])
def test_what_is_found_is_about_as_good_as_the_best_of_a_grid(name):
    z, batch = outputs()
    found = problem(name)
    b = found.fit(z, batch, 0.003)
    assert b.sum().item() == pytest.approx(0, abs=1e-9)

    def value(offsets):
        law, beside = found.law, offsets - (offsets * found.law).mean() * found.law
        cost = beside.square().mean() + 0.3 * (offsets * law).mean() ** 2
        return found.objective.soft_confusion(z + offsets, batch, 0.2, 0.05).item() + 0.003 * cost.item()

    steps = torch.linspace(-4, 4, 33, dtype=torch.float64)
    grid = [torch.stack([a, c, -a - c]) for a in steps for c in steps]
    assert value(b) <= min(map(value, grid)) + 0.005
    assert value(b) < value(torch.zeros(3, dtype=torch.float64)) - 0.02


def test_a_large_penalty_holds_them_and_an_infinite_one_stops_them():
    z, batch = outputs()
    sizes = [problem().fit(z, batch, penalty).norm().item() for penalty in (0.003, 0.3, 3.0, math.inf)]
    assert sizes == sorted(sizes, reverse=True) and sizes[-1] == 0


def test_without_a_basis_they_follow_the_frequency_law():
    z, batch = outputs()
    b = problem(tie=Tied(torch.zeros(3, 0))).fit(z, batch, 0.003)
    law = frequency_law(COUNTS)
    torch.testing.assert_close(b, (b * law).mean() * law)
    assert (b * law).mean().item() < -0.5  # the frequent classes' logits were too large


def test_cross_validation_judges_each_sample_with_offsets_that_were_found_without_it():
    z, batch = outputs()
    objective, deal = make_objective("balanced_error"), torch.arange(len(z)) % 5
    plain, crossed = cross_validated(problem(), z, batch, (math.inf, 0.03), deal)
    assert torch.equal(plain.outputs, z) and plain.standing == Standing(0.0, objective.metric(z, batch))
    assert crossed.standing.figure < plain.standing.figure
    held = deal == 2
    rest = Batch(batch.x, batch.y[~held])
    torch.testing.assert_close(crossed.outputs[held], z[held] + problem().fit(z[~held], rest, 0.03))
    assert crossed.standing.figure == objective.metric(crossed.outputs, batch)


# Constraints

MANY = 5 * COUNTS


def by_brute_force(z, batch):
    """The confusion matrices, (G, 3, 3), true classes in rows, of every pair of offsets on a fine grid."""
    steps, y = np.linspace(-4, 4, 81), batch.y.numpy()
    grid = np.stack(np.meshgrid(steps, [0.0], steps), -1).reshape(-1, 1, 3)
    answers = (z.numpy() + grid).argmax(2)
    return np.stack([[(answers[:, y == k] == j).sum(1) for j in range(3)] for k in range(3)]).transpose(2, 0, 1)


def error(tables):
    return 100 * (1 - tables.trace(axis1=1, axis2=2) / tables.sum((1, 2)))


def one_less_macro_f1(tables):
    hits = tables.diagonal(axis1=1, axis2=2)
    return 100 * (1 - (2 * hits / (tables.sum(1) + tables.sum(2))).mean(1))


def recall(tables, k):
    return tables[:, k, k] / tables[:, k].sum(1)


@pytest.mark.parametrize(
    ("text", "main", "meets"),
    [
        ("error subject to recall(rare)>=0.9", error, lambda t: recall(t, 2) >= 0.9),
        ("macro_f1 subject to coverage(rare)<=0.1", one_less_macro_f1, lambda t: t[:, :, 2].sum(1) <= 50),
        (
            "error subject to recall(rare)>=0.9 and recall(b)>=0.85",
            error,
            lambda t: (recall(t, 2) >= 0.9) & (recall(t, 1) >= 0.85),
        ),
    ],
)
def test_constraints_are_met_at_nearly_the_least_that_they_cost(text, main, meets):
    z, batch = outputs(counts=MANY)
    z = z / scale_of(z)
    made, deal, tables = problem(text, counts=MANY), dealt(batch.y, 0), by_brute_force(z, batch)
    alone = best_of(problem(text.split(" subject")[0], counts=MANY), z, batch, deal)
    assert not standing(made.objective, alone.outputs, batch).met  # the constraint matters
    best, least = best_of(made, z, batch, deal), main(tables)[meets(tables)].min()
    assert best.standing.met and best.standing.figure <= least + 2.0  # of hindsight
    again = standing(made.objective, z + refitted(z, batch, best), batch)
    assert again.violation <= 0.01 and least - 0.1 <= again.figure <= least + 2.0


def test_what_cannot_be_met_comes_as_near_as_can_be():
    z, batch = outputs(counts=MANY)
    z = z / scale_of(z)
    made = problem("error subject to recall(a)>=0.95 and recall(b)>=0.95 and recall(rare)>=0.95", counts=MANY)
    best, tables = best_of(made, z, batch, dealt(batch.y, 0)), by_brute_force(z, batch)
    nearest = np.stack([np.maximum(0, 0.95 - recall(tables, k)) for k in range(3)]).sum(0).min()
    assert nearest > 0.1 and best.standing.violation <= nearest + 0.03
    for stands in best.standing.constraints.values():
        assert stands["violation"] == pytest.approx(max(0, 0.95 - stands["value"]))


def test_a_constraint_that_the_objective_meets_by_itself_changes_nothing():
    z, batch = outputs()
    z = z / scale_of(z)
    plain = best_of(problem("balanced_error"), z, batch, dealt(batch.y, 0))
    bound = best_of(problem("balanced_error subject to error<=0.9"), z, batch, dealt(batch.y, 0))
    assert bound.standing.figure == plain.standing.figure and torch.equal(bound.outputs, plain.outputs)
    assert bound.problem.multipliers is None


def test_multipliers_rise_until_the_constraint_is_met_and_halve_the_way_back():
    z, batch = outputs(counts=MANY)
    made = problem("error subject to recall(rare)>=0.95", counts=MANY)
    trials = within_bounds(made, z / scale_of(z), batch, (0.3,), dealt(batch.y, 0))
    met = [trial.standing.met for trial in trials]
    values = [trial.problem.multipliers.item() for trial in trials]
    first = met.index(True)
    assert first > 1 and values[0] == 0 and len(trials) == first + 6
    for k in range(first):
        step = 4**k * 10 * trials[k].standing.violation
        assert values[k + 1] == pytest.approx(values[k] + step)
    low, high = values[first - 1], values[first]
    for k in range(first + 1, first + 4):
        assert values[k] == pytest.approx((low + high) / 2)
        low, high = (low, values[k]) if met[k] else (values[k], high)
    assert values[-2:] == [low, low]
    assert [trial.problem.steepness for trial in trials] == [*[10] * (first + 4), 30, 100]


def test_what_costs_more_than_ten_to_one_is_not_met_and_says_so():
    """One sample of the rare class among many that look like the common one: all of those would have to be wrong."""
    y = torch.tensor([0] * 90 + [2] * 10)
    z = 4 * torch.nn.functional.one_hot(torch.where(torch.arange(100) == 99, 0, y), 3).double()
    z[:90, 0] += torch.linspace(-0.5, 0.5, 90, dtype=torch.float64)
    z[99, 0] += 3  # more surely common than any of the common ones
    made = problem("error subject to recall(rare)>=0.95", counts=torch.tensor([90, 0, 10]))
    best = best_of(made, z, Batch(torch.empty(0), y), dealt(y, 0))
    assert best.standing == Standing(pytest.approx(0.05), pytest.approx(1.0))  # 9 of 10, and one error
