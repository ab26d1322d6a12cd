"""Group DRO against its update written out as a loop, and its place beside the weighted loss."""

import math

import pytest
import torch
import torch.nn.functional as F

from autobalance.common import InputError
from autobalance.losses import GroupDRO, unreduced
from autobalance.losses.named import fixed_point

CELLS = torch.tensor([[60, 10], [5, 25], [20, 30]])


def batches(number=4, size=9):
    generator = torch.Generator().manual_seed(0)
    for _ in range(number):
        z = torch.randn(size, 3, generator=generator, dtype=torch.float64)
        draws = (torch.randint(high, (size,), generator=generator) for high in (3, 2))
        yield (z, *draws)


def by_hand(eta, adjustment=0.0):
    """The losses of the batches: algorithm 1 with a plain loop over samples and cells."""
    n, total = CELLS.tolist(), CELLS.sum().item()
    q = {(k, g): 1 / 6 for k in range(3) for g in range(2)}
    values = []
    for z, y, group in batches():
        means = dict.fromkeys(q, 0.0)
        for row, k, g in zip(z.tolist(), y.tolist(), group.tolist(), strict=True):
            loss = math.log(sum(math.exp(v) for v in row)) - row[k]
            means[k, g] += loss * total / (n[k][g] * len(y))
        q = {c: q[c] * math.exp(eta * (means[c] + adjustment / math.sqrt(n[c[0]][c[1]]))) for c in q}
        q = {c: value / sum(q.values()) for c, value in q.items()}
        values.append(sum(q[c] * means[c] for c in q))
    return values, q


@pytest.mark.parametrize("hyper", [{"eta": 0.01}, {"eta": 0.7}, {"eta": 0.5, "adjustment": 2.0}])
def test_losses_and_weights_are_those_of_the_loop(hyper):
    loss = fixed_point("group-dro", cell_counts=CELLS, dtype=torch.float64, **hyper)
    found = [loss(z, y, group=group).item() for z, y, group in batches()]
    values, q = by_hand(**hyper)
    assert found == pytest.approx(values, rel=1e-12)
    for (k, g), weight in q.items():
        assert loss.log_q[k, g].exp().item() == pytest.approx(weight, rel=1e-12)


def test_with_eta_zero_it_is_the_group_balanced_loss():
    dro = fixed_point("group-dro", cell_counts=CELLS, eta=0.0, dtype=torch.float64)
    weighted = fixed_point("group-weighted", cell_counts=CELLS, reduction="batch_mean", dtype=torch.float64)
    for z, y, group in batches():
        for reduction in ("batch_mean", "sum", "none"):
            dro.reduction = reduction
            other = weighted.replace(reduction=reduction)
            torch.testing.assert_close(dro(z, y, group=group), other(z, y, group=group), rtol=1e-12, atol=0)


def test_the_gradient_takes_the_weights_as_they_are():
    loss = fixed_point("group-dro", cell_counts=CELLS, eta=0.9, dtype=torch.float64)
    z, y, group = next(batches())
    z.requires_grad_()
    loss(z, y, group=group).backward()
    scale = (loss.log_q.exp() * CELLS.sum() / CELLS)[y, group]
    (wanted,) = torch.autograd.grad((scale * F.cross_entropy(z, y, reduction="none")).mean(), z)
    torch.testing.assert_close(z.grad, wanted)


def test_weights_stay_in_evaluation_mode_start_anew_with_a_training_and_go_with_the_state():
    loss = fixed_point("group-dro", cell_counts=CELLS, eta=1.0)
    uniform = loss.log_q.clone()
    z, y, group = next(batches())
    loss.eval()(z, y, group=group)
    assert torch.equal(loss.log_q, uniform)
    loss.train()(z, y, group=group)
    assert not torch.allclose(loss.log_q, uniform)
    again = fixed_point("group-dro", cell_counts=CELLS, eta=1.0)
    again.load_state_dict(loss.state_dict())
    assert torch.equal(again.log_q, loss.log_q)
    loss.start_epoch(0.5)
    assert torch.equal(again.log_q, loss.log_q)
    loss.start_epoch(0.0)
    assert torch.equal(loss.log_q, uniform)


def test_a_cell_that_stays_bad_comes_to_weigh_most():
    loss = fixed_point("group-dro", cell_counts=CELLS, eta=0.5)
    y, group = torch.tensor([0, 1, 2, 0, 1, 2]), torch.tensor([0, 0, 0, 1, 1, 1])
    z = 4 * F.one_hot(y, 3).float()
    z[4] = -z[4]  # class 1 of group 1 is always wrong
    for _ in range(30):
        loss(z, y, group=group)
    assert loss.log_q.argmax() == 1 * 2 + 1 and loss.log_q.exp().max() > 0.9


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"cell_counts": [[3, 0], [1, 1]]}, "class 0 of group 1 has 0 training samples"),
        ({"cell_counts": [3, 4]}, r"cell_counts must be a count for each class in each group, \(K, G\)"),
        ({"class_counts": [3, 4]}, "group-dro needs cell_counts"),
        ({"cell_counts": CELLS, "weight": CELLS}, "weight has no effect on group-dro"),
        ({"cell_counts": CELLS, "eta": -1.0}, "eta is -1.0"),
        ({"cell_counts": CELLS, "tau": 1.0}, "group-dro has no hyper-parameter 'tau'; it has eta, adjustment"),
    ],
)
def test_what_cannot_be_is_refused(arguments, words):
    with pytest.raises(ValueError, match=words) as caught:
        fixed_point("group-dro", **arguments)
    assert isinstance(caught.value, InputError) or "eta" in words


def test_groups_are_needed_in_a_call():
    loss = fixed_point("group-dro", cell_counts=CELLS)
    with pytest.raises(ValueError, match="the loss has 2 groups: call loss"):
        loss(torch.zeros(1, 3), torch.tensor([0]))


@pytest.mark.parametrize("name, hyper", [("la", {"tau": 1.5}), ("focal", {"gamma": 2.0}), ("weighted", {})])
def test_around_another_loss_it_weights_that_losses_values(name, hyper):
    base = fixed_point(name, CELLS.sum(1), dtype=torch.float64, **hyper)
    loss = GroupDRO(CELLS, eta=0.6, dtype=torch.float64, base=base)
    alone, q = base.replace(reduction="none"), torch.full((3, 2), 1 / 6, dtype=torch.float64)
    for z, y, group in batches():
        means = torch.zeros(3, 2, dtype=torch.float64)
        for value, k, g in zip(alone(z, y), y, group, strict=True):
            means[k, g] += value * CELLS.sum() / (CELLS[k, g] * len(y))
        q = q * torch.exp(0.6 * means)
        q = q / q.sum()
        torch.testing.assert_close(loss(z, y, group=group), (q * means).sum(), rtol=1e-12, atol=0)
    assert base.reduction == "mean", "the base itself stays as it is"


def test_without_groups_the_cells_are_the_classes():
    counts = torch.tensor([60, 25, 5])
    loss = GroupDRO(counts, eta=0.4, dtype=torch.float64)
    twice = GroupDRO(counts[:, None], eta=0.4, dtype=torch.float64)
    for z, y, _ in batches():
        torch.testing.assert_close(loss(z, y), twice(z, y, group=torch.zeros_like(y)), rtol=1e-12, atol=0)
    assert loss.num_groups == 0 and loss.log_q.shape == (3,)


def test_a_base_with_a_schedule_and_features_is_told_of_both():
    counts = torch.tensor([60, 25, 5])
    loss = GroupDRO(counts, eta=0.0, dtype=torch.float64, base=fixed_point("ib", counts, dtype=torch.float64))
    late = fixed_point("ib", counts, dtype=torch.float64)
    late.start_epoch(0.9)
    late = unreduced(late)
    z, y, _ = next(batches())
    norms = torch.rand(len(y), dtype=torch.float64) + 0.5
    assert loss.needs_features
    loss.start_epoch(0.9)
    each = late(z, y, features=norms)
    expected = (each * (90 / counts.double())[y] / 3).mean()
    torch.testing.assert_close(loss(z, y, features=norms), expected, rtol=1e-12, atol=0)
    with pytest.raises(InputError, match="the base loss has 2 classes and 0 groups"):
        GroupDRO(counts, base=fixed_point("ce", [3, 2]))
