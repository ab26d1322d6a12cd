"""The largest logits of each sample in the place of all of them: exact where all are kept or the rest is small."""

import pytest
import torch
from torch.nn import functional as F

from autobalance.data import Batch
from autobalance.tasks.metrics import Context, Largest, isfinite
from autobalance.tasks.objectives import make_objective, of_largest

K, N = 30, 400
CONTEXT = Context(K, class_names=tuple(map(str, range(K))))
OF_GROUPS = Context(K, 2, CONTEXT.class_names, ("a", "b"))
NAMES = ["balanced_error", "worst_class", "error", "macro_f1", "g_mean", "mcc", "quadratic_kappa", "recall(3)"]
WITH_GROUPS = ["deo", "worst_group", "equalised_odds", "demographic_parity", "0.5*error + 0.5*deo"]


def draw(spread=2.0, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    y = torch.randint(K, (N,), generator=generator)
    z = spread * torch.randn(N, K, generator=generator, dtype=dtype) + 2 * F.one_hot(y, K)
    return z, Batch(torch.empty(0), y, torch.randint(2, (N,), generator=generator))


def offsets(seed=0):
    return torch.randn(K, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).requires_grad_()


@pytest.mark.parametrize("name", NAMES + WITH_GROUPS + ["error subject to recall(3)>=0.8", "balanced_error(smooth)"])
def test_where_all_logits_are_kept_every_form_of_an_objective_is_that_of_the_logits(name):
    z, batch = draw()
    objective, b = make_objective(name, OF_GROUPS if name in WITH_GROUPS else CONTEXT), offsets()
    if name not in WITH_GROUPS:
        batch = batch._replace(group=None)
    found, order = Largest.of(z, batch.y, K) + b, torch.randperm(N)
    assert of_largest(objective) and found.shape == (N, K)
    for form in (objective, lambda output, given: objective.soft_confusion(output, given, 0.5, 0.05)):
        value, expected = form(found, batch), form(z + b, batch)
        torch.testing.assert_close(value, expected)
        slopes = [torch.autograd.grad(each, b, retain_graph=True)[0] for each in (value, expected)]
        torch.testing.assert_close(*slopes)
        assert slopes[0].any()
    assert objective.metric(found, batch) == objective.metric(z + b, batch)
    assert torch.equal(objective.looked_at(found[order]), (z + b)[order].argmax(1))


def test_the_largest_and_the_own_logit_are_kept_and_the_rest_counts_in_cross_entropy():
    z, batch = draw()
    found = Largest.of(z, batch.y, 5)
    own = z.gather(1, batch.y[:, None])[:, 0]
    assert torch.equal(found.of_own, own) and torch.equal(found.predicted, z.argmax(1))
    assert found.values.shape == (N, 5) and found.index.dtype == torch.int32
    for row in range(20):
        kept = dict(zip(found.index[row].tolist(), found.values[row].tolist(), strict=True))
        assert all(z[row, k].item() == value for k, value in kept.items()) and len(kept) == 5
        assert set(z[row].topk(4).indices.tolist()) | {int(batch.y[row])} <= set(kept)
    torch.testing.assert_close(found.cross_entropy(), F.cross_entropy(z, batch.y, reduction="none"))
    both = Largest.joined([found[:7], found[torch.arange(7, N)]])
    assert torch.equal(both.values, found.values) and len(both) == N and both.classes == K


def test_what_is_left_out_hardly_counts_in_a_sharp_softmax():
    z, batch = draw()
    batch, b = batch._replace(group=None), 0.5 * offsets().detach()
    found = Largest.of(z, batch.y, 15) / 2.0 + b
    for name in ("balanced_error", "macro_f1", "worst_class"):
        objective = make_objective(name, CONTEXT)
        value = objective.soft_confusion(found, batch, 0.2, 0.05).item()
        assert value == pytest.approx(objective.soft_confusion(z / 2.0 + b, batch, 0.2, 0.05).item(), abs=5e-4)
        assert objective.metric(found, batch) == objective.metric(z / 2.0 + b, batch)


def test_each_sample_can_have_offsets_of_its_own_part():
    z, batch = draw()
    table, part = torch.stack([offsets(1).detach(), offsets(2).detach()]), torch.arange(N) % 2
    found = Largest.of(z, batch.y, K).plus_rows(table, part)
    assert torch.equal(found.predicted, (z + table[part]).argmax(1))
    torch.testing.assert_close(found.of_own, (z + table[part]).gather(1, batch.y[:, None])[:, 0])


def test_objectives_that_look_at_more_than_the_largest_logits_say_so():
    assert not of_largest(make_objective(lambda output, target, group: output.square().mean(), CONTEXT))
    assert not of_largest(lambda output, batch: output.mean())
    z, batch = draw()
    z[3, 4] = torch.nan
    assert not isfinite(Largest.of(z, batch.y, 5)) and isfinite(Largest.of(z[:3], batch.y[:3], 5))
