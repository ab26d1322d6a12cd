"""Constraints: the penalty by hand, its multipliers, and that dual ascent finds what it should."""

import pytest
import torch
import torch.nn.functional as F

from autobalance.data import Batch, Problem, Samples
from autobalance.tasks import task_of
from autobalance.tasks.metrics import Context
from autobalance.tasks.objectives import make_objective

CONTEXT = Context(2, class_names=("common", "rare"))
TEXT = "error(smooth) subject to recall(rare)>=0.8 and coverage(common)<=0.9"


def draw(size=200, seed=0):
    generator = torch.Generator().manual_seed(seed)
    y = (torch.arange(size) >= 0.9 * size).long()
    z = torch.randn(size, 2, generator=generator, dtype=torch.float64) + F.one_hot(y, 2)
    return z, Batch(torch.empty(0), y)


def test_the_soft_form_is_an_augmented_lagrangian():
    z, batch = draw()
    p, objective = torch.softmax(z, 1), make_objective(TEXT, CONTEXT)
    error = (1 - p[torch.arange(200), batch.y]).mean().item()
    v = [0.8 - p[batch.y == 1, 1].mean().item(), p[:, 0].mean().item() - 0.9]
    assert v[0] > 0 > v[1]  # the first is violated, the second is met
    assert objective.violations(z, batch).tolist() == pytest.approx(v)
    assert objective(z, batch).item() == pytest.approx(error + 5 * v[0] ** 2)
    multipliers = torch.tensor([2.0, 3.0])
    raised = [2 + 10 * v[0], max(0, 3 + 10 * v[1])]
    expected = error + sum((up**2 - at**2) / 20 for up, at in zip(raised, (2, 3), strict=True))
    assert objective(z, batch, multipliers).item() == pytest.approx(expected)
    assert objective.soft_confusion(z, batch, multipliers=multipliers).item() == pytest.approx(expected)
    assert objective.raised(multipliers, objective.violations(z, batch)).tolist() == pytest.approx(raised)
    assert torch.autograd.gradcheck(lambda logits: objective(logits, batch, multipliers), z.requires_grad_())


def test_the_metric_adds_what_is_violated_and_the_figures_say_what():
    z, batch = draw()
    answer, objective = z.argmax(1), make_objective(TEXT.replace("0.8", "0.95"), CONTEXT)
    error = 100 * (answer != batch.y).double().mean().item()
    recall, share = (answer[batch.y == 1] == 1).double().mean().item(), (answer == 0).double().mean().item()
    found = objective.figures(z, batch)
    assert found["main_objective"] == pytest.approx(error)
    assert found["objective"] == objective.metric(z, batch) == pytest.approx(error + 1000 * (0.95 - recall))
    assert found["constraints"] == {
        "recall(rare)>=0.95": {"value": pytest.approx(recall), "violation": pytest.approx(0.95 - recall)},
        "coverage(common)<=0.9": {"value": pytest.approx(share), "violation": 0.0},
    }


def test_dual_ascent_meets_the_constraint_at_the_least_error():
    z, batch = draw(2000)
    objective = make_objective("error(smooth) subject to recall(rare)>=0.8", CONTEXT)
    offset, multipliers = torch.zeros(2, dtype=torch.float64, requires_grad=True), torch.zeros(1)
    optimiser = torch.optim.Adam([offset], lr=0.1)
    for step in range(600):
        value = objective.soft_confusion(z + offset, batch, 0.3, multipliers=multipliers)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        if step % 20 == 19:
            multipliers = objective.raised(multipliers, objective.violations(z + offset, batch, 0.3))
    assert objective.violations(z + offset, batch, 0.3).item() == pytest.approx(0, abs=2e-3)
    best = min(
        (objective.main.soft_confusion(z + torch.tensor([0.0, b]), batch, 0.3).item(), b)
        for b in torch.linspace(-1, 4, 1001).tolist()
        if objective.violations(z + torch.tensor([0.0, b]), batch, 0.3).item() <= 1e-3
    )
    assert (offset[1] - offset[0]).item() == pytest.approx(best[1], abs=0.05)


def test_numbers_have_constraints_in_their_unit():
    y = torch.tensor([0.5, 1.5, 2.5, 3.5], dtype=torch.float64)
    samples = Samples(torch.zeros(4, 1), y)
    problem = Problem("made up", samples, samples, samples, tuple("abcd"), bin_edges=(0.0, 1.0, 2.0, 3.0, 4.0))
    objective = task_of(problem).objective("mae subject to worst_bin<=7")
    f = y + torch.tensor([1.0, 0, 0, 9], dtype=torch.float64)
    found = objective.figures(f[:, None], samples.without_inputs())
    assert found["main_objective"] == pytest.approx(2.5) and found["objective"] == pytest.approx(2.5 + 10 * 2)
    assert found["constraints"]["worst_bin<=7"] == {"value": pytest.approx(9), "violation": pytest.approx(2)}


def test_without_a_context_the_batch_tells_it():
    z, batch = draw()
    plain = make_objective("error subject to worst_class<=0.3")
    assert plain.metric(z, batch) == make_objective(plain.text, CONTEXT).metric(z, batch)
