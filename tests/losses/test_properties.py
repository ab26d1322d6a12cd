"""What holds of the family of losses for any logits, targets and parameters; drawn by hypothesis."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from autobalance.losses import ParametricLoss


@st.composite
def cases(draw, most=6):
    """(logits, targets, parameters); of a batch of one too, and with classes that do not occur."""
    number, batch = draw(st.integers(2, most)), draw(st.integers(1, 7))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    logits = normal(batch, number) * draw(st.sampled_from([0.1, 1.0, 30.0]))
    target = torch.randint(number, (batch,), generator=generator)
    parameters = {
        "w": normal(number).exp(),
        "l": normal(number),
        "delta": normal(number).exp(),
        "margin": normal(number).abs(),
        "scale": draw(st.sampled_from([0.5, 1.0, 3.0])),
        "gamma": draw(st.sampled_from([0.0, 0.5, 2.0])),
    }
    free = draw(st.sets(st.sampled_from(sorted(parameters))))
    return logits, target, {name: parameters[name] for name in free}


def loss_of(case, **more):
    logits, target, parameters = case
    loss = ParametricLoss(logits.shape[1], dtype=torch.float64, **{**parameters, **more})
    return loss(logits, target)


@given(cases())
def test_it_is_the_formula_sample_by_sample(case):
    logits, target, parameters = case
    own, found = {"w": None, "l": None, "delta": None, "margin": None, **parameters}, []
    for z, y in zip(logits, target.tolist(), strict=True):
        u = z * own.get("scale", 1.0) * (1.0 if own["delta"] is None else own["delta"])
        u = u + (0.0 if own["l"] is None else own["l"])
        if own["margin"] is not None:
            u = u - own.get("scale", 1.0) * own["margin"][y] * F.one_hot(torch.tensor(y), len(z))
        log_p = u[y] - u.logsumexp(0)
        weight = 1.0 if own["w"] is None else own["w"][y]
        found.append(weight * (-torch.expm1(log_p)) ** own.get("gamma", 0.0) * -log_p)
    torch.testing.assert_close(loss_of(case, reduction="none"), torch.stack(found), rtol=1e-9, atol=1e-9)


@given(cases(), st.floats(-50, 50))
def test_a_number_added_to_all_offsets_or_without_factors_to_all_logits_changes_nothing(case, number):
    logits, target, parameters = case
    shifted = {**parameters, "l": parameters.get("l", torch.zeros(logits.shape[1])) + number}
    torch.testing.assert_close(loss_of((logits, target, shifted)), loss_of(case), rtol=1e-8, atol=1e-10)
    plain = {name: value for name, value in parameters.items() if name != "delta"}
    torch.testing.assert_close(
        loss_of((logits + number, target, plain)), loss_of((logits, target, plain)), rtol=1e-8, atol=1e-10
    )


@given(cases(), st.randoms(use_true_random=False))
def test_the_order_of_samples_and_of_classes_does_not_matter(case, random):
    logits, target, parameters = case
    order, rows = list(range(logits.shape[1])), list(range(len(target)))
    random.shuffle(order)
    random.shuffle(rows)
    place = torch.tensor(order).argsort()
    tables = {name: value[order] if isinstance(value, torch.Tensor) else value for name, value in parameters.items()}
    other = (logits[rows][:, order], place[target[rows]], tables)
    torch.testing.assert_close(loss_of(other), loss_of(case), rtol=1e-9, atol=1e-12)


@given(cases())
def test_reductions_are_made_of_the_samples(case):
    logits, target, parameters = case
    each = loss_of(case, reduction="none")
    weights = parameters.get("w", torch.ones(logits.shape[1], dtype=torch.float64))[target]
    expected = {"sum": each.sum(), "batch_mean": each.mean(), "mean": each.sum() / weights.sum()}
    for reduction, value in expected.items():
        torch.testing.assert_close(loss_of(case, reduction=reduction), value, rtol=1e-9, atol=1e-12)


@given(cases(most=2))
def test_two_classes_are_the_binary_formula(case):
    logits, target, parameters = case
    only_l = {"l": parameters["l"]} if "l" in parameters else {}
    score = logits[:, 1] - logits[:, 0] + (only_l["l"][1] - only_l["l"][0] if only_l else 0.0)
    expected = F.binary_cross_entropy_with_logits(score, target.double())
    torch.testing.assert_close(loss_of((logits, target, only_l)), expected, rtol=1e-9, atol=1e-12)


@given(cases())
def test_the_gradient_is_finite_and_sums_to_zero_without_factors(case):
    logits, target, parameters = case
    z = logits.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss_of((z, target, parameters)), z)
    assert gradient.isfinite().all()
    if "delta" not in parameters:
        torch.testing.assert_close(gradient.sum(1), torch.zeros(len(target), dtype=torch.float64), rtol=0, atol=1e-9)
