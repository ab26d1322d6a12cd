"""The CSL term against a plain loop over a training run, its gradient, its state, and its silence in evaluation."""

import math

import loss_oracles
import pytest
import torch
import torch.nn.functional as F
from torch.autograd import gradcheck

from autobalance.losses import CSL, ParametricLoss, ReleasedCSL
from autobalance.losses.named import fixed_point

K, COUNTS = 4, [50, 20, 8, 3]


def batches(epochs=3, per_epoch=3, seed=0, dtype=torch.float64):
    g = torch.Generator().manual_seed(seed)
    for epoch in range(epochs):
        for size in range(5, 5 + per_epoch):
            logits = (2 * torch.randn(size, K, generator=g, dtype=torch.float64)).to(dtype)
            features = torch.randn(size, 6, generator=g, dtype=torch.float64).to(dtype)
            # The last class has no samples in the first epoch.
            yield epoch, logits, torch.randint(K - (epoch == 0), (size,), generator=g), features


def term(logits, cost, epsilon=1e-6):
    """Equation 2 as it is written: data points k, classes i."""
    total = 0.0
    for i in range(K):
        distance = sum((z - (j == i)) ** 2 for row in logits.tolist() for j, z in enumerate(row))
        total += cost[i] ** 2 / (distance + epsilon)
    return total / K


def run(loss, epochs=3, dtype=torch.float64):
    """The values of a loss over a training run."""
    values, last = [], -1
    for epoch, logits, target, features in batches(epochs, dtype=dtype):
        if epoch != last:
            loss.start_epoch(epoch / epochs)
        last = epoch
        values.append(loss(logits, target, features=features).item())
    return values


def paper_by_loop(epochs, k=2.0, floor=0.1, epsilon=1e-6):
    """Algorithm 1 with lists of all samples of the last epoch, over cross-entropy."""
    expected, done, last = [], [], []
    losses = []
    for epoch, logits, target, features in batches(epochs):
        if done and epoch != done[-1][0]:
            last, done = done, []
            losses.append(sum(s[4] for s in last) / len(last))
        cost = [0.0] * K
        if last:
            scale, gamma = [], []
            for i in range(K):
                norms = [s[1] for s in last if s[2] == i]
                scale.append((sum(norms) / len(norms)) ** 2 if norms else 0.0)
            for i in range(K):
                entropies = [s[3] for s in last if s[2] == i]
                entropy = max(floor, sum(entropies) / len(entropies) if entropies else 0.0)
                gamma.append(scale[i] / (epsilon + max(scale) * entropy))
            r = 0.0 if len(losses) < 2 else math.copysign(k, losses[-1] - losses[-2])
            predictions = [s[5] for s in last]
            cost = [gamma[i] * len(logits) * predictions.count(i) / len(last) + r for i in range(K)]
        samples = []
        for z, y, f in zip(logits.tolist(), target.tolist(), features.tolist(), strict=True):
            p = loss_oracles.softmax(z)
            entropy, ce = -sum(q * math.log(q) for q in p), loss_oracles.minus_log_softmax(z, y)
            samples.append((epoch, math.sqrt(sum(x * x for x in f)), y, entropy, ce, z.index(max(z))))
        done += samples
        expected.append(sum(s[4] for s in samples) / len(samples) + term(logits, cost))
    return expected


@pytest.mark.parametrize("settings", [{}, {"csl_reward": 0.5}, {"csl_floor": 0.0}, {"csl_floor": 1.0}])
def test_the_paper_variant_against_a_loop_over_three_epochs(settings):
    loss = CSL(ParametricLoss(K, dtype=torch.float64), **settings)
    expected = paper_by_loop(4, k=settings.get("csl_reward", 2.0), floor=settings.get("csl_floor", 0.1))
    assert run(loss, 4) == pytest.approx(expected, rel=1e-10)
    assert loss.statistics.epochs == 3 and loss.statistics.scale[-1] > 0
    if settings == {}:
        plain = run(ParametricLoss(K, dtype=torch.float64), 4)
        assert expected[:3] == pytest.approx(plain[:3])  # no statistics yet: no term
        assert all(e > p + 1e-3 for e, p in zip(expected[3:], plain[3:], strict=True))


def released_by_loop(epochs):
    expected, storage, previous = [], [[] for _ in range(K)], None
    for _, logits, target, _ in batches(epochs):
        rows, size = logits.tolist(), len(logits)
        for z, y in zip(rows, target.tolist(), strict=True):
            storage[y].append(math.sqrt(sum(x * x for x in z)))
        scale = [(sum(s) / len(s)) ** 2 if s else 0.0 for s in storage]
        predicted = [z.index(max(z)) for z in rows]
        n = [predicted.count(i) for i in range(K)]
        cost = []
        for i in range(K):
            entropy = -sum(1 / size * math.log(1 / size + 1e-6) for p in predicted if p == i)
            r = 0.0 if previous is None or n[i] == previous[i] else (-2.0 if n[i] > previous[i] else 2.0)
            cost.append(scale[i] / (1e-6 + (max(scale) + 1e-6) * entropy) * n[i] + r)
        previous = n
        ce = sum(loss_oracles.minus_log_softmax(z, y) for z, y in zip(rows, target.tolist(), strict=True)) / size
        expected.append(ce + term(logits, cost))
    return expected


def test_the_released_variant_against_a_loop():
    loss = ReleasedCSL(ParametricLoss(K, dtype=torch.float64))
    assert run(loss) == pytest.approx(released_by_loop(3), rel=1e-10)


def test_what_cancels_in_the_released_variant():
    """Cost less reinforcement does not depend on how often a class is predicted, once it is."""
    loss = ReleasedCSL(ParametricLoss(K, dtype=torch.float64))
    logits = torch.tensor([[9.0, 0, 0, 0], [9.0, 0, 0, 0], [9.0, 0, 0, 0], [0, 9.0, 0, 0]], dtype=torch.float64)
    costs = loss.costs(logits, torch.tensor([0, 1, 2, 3]))
    expected = 4 / math.log(4)
    assert costs.tolist() == pytest.approx([expected, expected, 0, 0], rel=1e-4)


@pytest.mark.parametrize("variant", ["paper", "released"])
def test_the_gradient_is_that_of_the_denominator_alone(variant):
    """d/dz_b = -(2/K) Σ_i cost_i² (z_b - e_i) / D_i², and counts give none."""
    loss = fixed_point("csl", COUNTS, variant=variant, dtype=torch.float64)
    run(loss)
    loss.start_epoch(0.9)
    _, logits, target, features = next(batches(seed=7))
    frozen = loss.costs(len(logits)).tolist() if variant == "paper" else None
    logits.requires_grad_()
    before = {name: value.clone() for name, value in loss.statistics.state_dict().items()}

    def term_of(z):
        loss.statistics.load_state_dict(before)
        return loss(z, target, features=features) - F.cross_entropy(z, target)

    if variant == "paper":  # the released costs move with the norms of the logits, without gradient
        assert gradcheck(term_of, logits)
    else:
        loss.statistics.load_state_dict(before)
        frozen = loss.costs(logits.detach(), target).tolist()
    gradient = torch.autograd.grad(term_of(logits), logits)[0]
    expected = torch.zeros_like(logits)
    eye = torch.eye(K, dtype=torch.float64)
    for i in range(K):
        difference = logits.detach() - eye[i]
        expected -= 2 / K * frozen[i] ** 2 * difference / (difference.square().sum() + 1e-6) ** 2
    assert expected.abs().max() > 1e-3
    torch.testing.assert_close(gradient, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("variant", ["paper", "released"])
@pytest.mark.parametrize("base", ["la", "ldam", "cb-focal"])
def test_any_base_in_every_reduction(variant, base):
    # The paper's reinforcement compares mean losses, which depend on the reduction.
    reward = 0.0 if variant == "paper" else 2.0

    def value(reduction, wrapped):
        plain = fixed_point(base, COUNTS, reduction=reduction, dtype=torch.float64)
        loss = fixed_point("csl", COUNTS, variant=variant, base=plain, reward=reward) if wrapped else plain
        run(loss if reduction not in ("none",) else _Mean(loss))
        loss.start_epoch(0.9)
        _, logits, target, features = next(batches(seed=3))
        return loss(logits, target, features=features)

    terms = {
        reduction: value(reduction, True) - value(reduction, False) for reduction in ("mean", "batch_mean", "none")
    }
    assert terms["mean"] > 1e-3
    for found in terms.values():
        torch.testing.assert_close(found, terms["mean"].expand_as(found), rtol=1e-9, atol=1e-12)
    total = value("sum", True) - value("sum", False)
    torch.testing.assert_close(total, 5 * terms["mean"], rtol=1e-9, atol=1e-12)


class _Mean:
    def __init__(self, loss):
        self.loss, self.start_epoch = loss, loss.start_epoch

    def __call__(self, *args, **kwargs):
        return self.loss(*args, **kwargs).mean()


@pytest.mark.parametrize("variant", ["paper", "released"])
def test_it_is_silent_in_evaluation_mode(variant):
    loss = fixed_point("csl", COUNTS, variant=variant, base="la", dtype=torch.float64)
    run(loss)
    before = {name: value.clone() for name, value in loss.state_dict().items()}
    _, logits, target, _ = next(batches(seed=5))
    assert torch.equal(loss.eval()(logits, target), fixed_point("la", COUNTS, dtype=torch.float64)(logits, target))
    assert all(torch.equal(before[name], value) for name, value in loss.state_dict().items())
    assert not torch.equal(loss.train()(logits, target), loss.eval()(logits, target))


@pytest.mark.parametrize("variant", ["paper", "released"])
@pytest.mark.parametrize("stop", [1, 2, 3])
def test_training_goes_on_exactly_from_a_saved_state(variant, stop, tmp_path):
    def loss():
        return fixed_point("csl", COUNTS, variant=variant, base=fixed_point("ldam-drw", COUNTS, drw_start=0.6))

    whole, first, second = loss(), loss(), loss()
    expected = run(whole, 4, torch.float32)
    values, current = [], first
    last = -1
    for epoch, logits, target, features in batches(4, dtype=torch.float32):
        if epoch != last and epoch == stop:
            torch.save(first.state_dict(), tmp_path / "state.pt")
            second.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
            current = second
        if epoch != last:
            current.start_epoch(epoch / 4)
        last = epoch
        values.append(current(logits, target, features=features).item())
    assert values == expected
    assert all(torch.equal(whole.state_dict()[name], value) for name, value in second.state_dict().items())


@pytest.mark.parametrize("variant", ["paper", "released"])
def test_a_new_training_run_begins_from_nothing(variant):
    loss = fixed_point("csl", COUNTS, variant=variant)
    assert run(loss) == run(loss)
    loss.start_epoch(0.5)
    loss.start_epoch(0.0)
    assert all(buffer.count_nonzero() == 0 for buffer in loss.statistics.buffers())


def test_an_epoch_without_samples_leaves_the_costs_as_they_are():
    loss = fixed_point("csl", COUNTS)
    run(loss)
    loss.start_epoch(0.8)
    before = {name: value.clone() for name, value in loss.state_dict().items()}
    loss.start_epoch(0.9)
    assert all(torch.equal(before[name], value) for name, value in loss.state_dict().items())


@pytest.mark.parametrize("variant", ["paper", "released"])
def test_memory_does_not_grow_with_training(variant):
    loss = fixed_point("csl", COUNTS, variant=variant)

    def size():
        return sum(buffer.numel() for buffer in loss.buffers())

    before, attributes = size(), set(vars(loss))
    run(loss, 6)
    assert size() == before <= 9 * K + 10 + sum(b.numel() for b in loss.base.buffers())
    assert set(vars(loss)) == attributes


def test_statistics_keep_their_precision_when_the_loss_moves():
    exact, moved = fixed_point("csl", COUNTS), fixed_point("csl", COUNTS)
    run(exact)
    run(moved)
    moved.to(torch.bfloat16).float()
    for (name, value), other in zip(exact.statistics.named_buffers(), moved.statistics.buffers(), strict=True):
        assert torch.equal(value, other), name
    assert moved.base.w.dtype == torch.float32
    assert moved.half().base.w.dtype == torch.float16 and moved.statistics.scale.dtype == torch.float64


def test_norms_or_logits_can_stand_for_the_features():
    _, logits, target, features = next(batches())
    states = []
    for given in (features, features.norm(dim=1), None, logits):
        loss = CSL(ParametricLoss(K))
        loss(logits, target, features=given)
        states.append(loss.statistics.norm_sum)
    torch.testing.assert_close(states[0], states[1])
    assert torch.equal(states[2], states[3]) and not torch.equal(states[0], states[2])
    with pytest.raises(ValueError, match=r"the CSL term needs \(5, D\)"):
        CSL(ParametricLoss(K))(logits, target, features=features[:2])


def test_half_precision_and_extreme_logits():
    loss = fixed_point("csl", COUNTS)
    run(loss, dtype=torch.float32)
    loss.start_epoch(0.9)
    for logits in (torch.randn(5, K).bfloat16(), 1e4 * torch.randn(5, K), torch.zeros(5, K)):
        logits.requires_grad_()
        value = loss(logits, torch.tensor([0, 1, 2, 3, 0]))
        value.backward()
        assert value.dtype == torch.float32 and value.isfinite() and logits.grad.isfinite().all()
    loss.start_epoch(0.95)
    assert loss.costs(5).isfinite().all()


def test_wrong_settings():
    for settings, message in [
        ({"csl": -1.0}, "csl. is -1"),
        ({"epsilon": 0.0}, "epsilon is 0"),
        ({"csl_floor": -1.0}, "csl_floor. is -1"),
        ({"counts": "test"}, "counts is 'test'; choose validation or training"),
    ]:
        with pytest.raises(ValueError, match=message):
            CSL(ParametricLoss(K), **settings)
    assert CSL(ParametricLoss(K)).needs_features and not ReleasedCSL(ParametricLoss(K)).needs_features
    assert ReleasedCSL(fixed_point("ib", COUNTS)).needs_features


def test_a_training_that_tells_no_epochs_is_warned():
    _, logits, target, features = next(batches())
    loss = CSL(ParametricLoss(K))
    loss(logits, target, features=features)  # nothing is trained
    with pytest.warns(UserWarning, match=r"0 until the loss is told the epochs: call loss\.start_epoch"):
        loss(logits.requires_grad_(), target, features=features)
    loss.start_epoch(0.0)
    loss(logits, target, features=features)


def test_predictions_are_those_on_validation_samples_where_they_are_shown():
    _, logits, target, features = next(batches())
    judged = torch.tensor([[0.0, 0, 5, 0], [0, 0, 5, 0], [0, 5, 0, 0], [0, 0, 5, 0]])
    shares = {}
    for counts in ("validation", "training"):
        loss = CSL(ParametricLoss(K), counts=counts)
        loss(logits, target, features=features)
        loss.count_predictions(judged)
        loss.start_epoch(0.5)
        shares[counts] = loss.statistics.share.tolist()
        assert loss.statistics.judged.sum() == 0
    assert shares["validation"] == [0, 0.25, 0.75, 0]
    assert shares["training"] == (torch.bincount(logits.argmax(1), minlength=K).double() / len(logits)).tolist()


def test_the_value_at_other_numbers_and_statistics_is_differentiable_in_the_numbers():
    loss = CSL(ParametricLoss(K, dtype=torch.float64), csl_floor=2.0)
    run(loss)
    loss.start_epoch(0.9)
    _, logits, target, features = next(batches(seed=3))
    held = {name: value.clone() for name, value in loss.statistics.held.items()}
    expected = loss.train()(logits, target, features=features)
    loss.statistics.reset()
    numbers = [torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in (1.0, 2.0, 2.0)]

    def value(strength, reward, floor):
        return loss.value(logits, target, {"csl": strength, "csl_reward": reward, "csl_floor": floor, **held})

    torch.testing.assert_close(value(*numbers).detach(), expected)
    assert gradcheck(value, numbers)
    assert all(gradient != 0 for gradient in torch.autograd.grad(value(*numbers), numbers))
