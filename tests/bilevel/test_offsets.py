"""Offsets found on outputs: against a grid, the frequency law, and what they stand for in a training loss."""

import math

import pytest
import torch

from autobalance.bilevel._offsets import Offsets, cross_validated, frequency_law, scale_of
from autobalance.data import Batch
from autobalance.tasks.objectives import make_objective

COUNTS = torch.tensor([60, 25, 15])


def outputs(seed=0, shift=(1.5, 0.0, -1.5)):
    """Logits whose classes are shifted against one another, so that offsets have something to mend."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.repeat_interleave(torch.arange(3), COUNTS)
    noise = torch.randn(len(y), 3, generator=generator, dtype=torch.float64)
    return 2 * torch.eye(3, dtype=torch.float64)[y] + noise + torch.tensor(shift), Batch(torch.empty(0), y)


def problem(objective="balanced_error", basis=None):
    basis = torch.eye(3) if basis is None else basis
    return Offsets(make_objective(objective).soft_confusion, frequency_law(COUNTS), basis)


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
        return found.smooth(z + offsets, batch, 0.2, 0.05).item() + 0.003 * cost.item()

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
    b = problem(basis=torch.zeros(3, 0)).fit(z, batch, 0.003)
    law = frequency_law(COUNTS)
    torch.testing.assert_close(b, (b * law).mean() * law)
    assert (b * law).mean().item() < -0.5  # the frequent classes' logits were too large


def test_cross_validation_judges_each_sample_with_offsets_that_were_found_without_it():
    z, batch = outputs()
    objective, deal = make_objective("balanced_error"), torch.arange(len(z)) % 5
    plain, crossed = cross_validated(problem(), z, batch, objective.metric, (math.inf, 0.03), deal)
    assert torch.equal(plain.outputs, z) and plain.figure == objective.metric(z, batch)
    assert crossed.figure < plain.figure
    held = deal == 2
    rest = Batch(batch.x, batch.y[~held])
    torch.testing.assert_close(crossed.outputs[held], z[held] + problem().fit(z[~held], rest, 0.03))
    assert crossed.figure == objective.metric(crossed.outputs, batch)
