"""Metrics of the confusion matrix against scikit-learn, imbalanced-learn and fairlearn, and their soft forms."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from fairlearn.metrics import demographic_parity_difference, equalized_odds_difference
from imblearn.metrics import geometric_mean_score
from sklearn import metrics as sk

from autobalance.common import InputError
from autobalance.data import Batch
from autobalance.tasks.metrics import Context, exact_matrix, soft_matrix
from autobalance.tasks.objectives import make_objective

NAMES = ("common", "so so", "rare", "very, rare", "none")
K = len(NAMES)
COUNTS = torch.tensor([101, 100, 20, 19, 5])
CONTEXT = Context(K, class_names=NAMES, counts=COUNTS)
GROUPS = Context(3, 2, ("a", "b", "c"), ("p", "q"))
OF_CLASSES = [
    "error", "balanced_error", "worst_class", "macro_f1", "g_mean", "h_mean", "mcc", "kappa", "quadratic_kappa",
    "f1(rare)", "fbeta(so so, 2)", "recall(rare)", 'precision("very, rare")', "specificity(common)", "coverage(rare)",
]  # fmt: skip
OF_GROUPS = ["equalised_odds", "demographic_parity", "recall(b, q)", "worst_group", "group_balanced_error", "deo"]


def draw(seed, absent=(), size=120, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    y = torch.multinomial(torch.tensor([8.0, 4, 2, 1, 1]), size, True, generator=generator)
    for k in absent:
        y[y == k] = 0
    z = torch.randn(size, K, generator=generator, dtype=dtype) + 1.5 * F.one_hot(y, K)
    return z, Batch(torch.empty(0), y)


def draw_groups(seed, size=200, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    y, group = (torch.randint(high, (size,), generator=generator) for high in (3, 2))
    z = torch.randn(size, 3, generator=generator, dtype=dtype) + (1 + group)[:, None] * F.one_hot(y, 3)
    return z, Batch(torch.empty(0), y, group)


def by_others(name, y, answer):
    """The figure by another library, in percent."""
    labels = sorted(set(y.tolist()))
    recalls = sk.recall_score(y, answer, labels=labels, average=None)
    every = {"labels": list(range(K)), "zero_division": 0, "average": None}
    k = {"f1(rare)": 2, "recall(rare)": 2, 'precision("very, rare")': 3, "fbeta(so so, 2)": 1}.get(name)
    if name == "error":
        return 100 * sk.zero_one_loss(y, answer)
    if name == "coverage(rare)":
        return 100 * np.mean(np.asarray(answer) == 2)
    score = {
        "balanced_error": lambda: sk.balanced_accuracy_score(y, answer),
        "worst_class": lambda: recalls.min(),
        "macro_f1": lambda: sk.f1_score(y, answer, labels=labels, average="macro"),
        "g_mean": lambda: geometric_mean_score(y, answer, labels=labels, average="multiclass"),
        "h_mean": lambda: len(recalls) / np.sum(1 / recalls) if recalls.min() > 0 else 0.0,
        "mcc": lambda: sk.matthews_corrcoef(y, answer),
        "kappa": lambda: sk.cohen_kappa_score(y, answer),
        "quadratic_kappa": lambda: sk.cohen_kappa_score(y, answer, weights="quadratic", labels=list(range(K))),
        "f1(rare)": lambda: sk.f1_score(y, answer, **every)[k],
        "fbeta(so so, 2)": lambda: sk.fbeta_score(y, answer, beta=2, **every)[k],
        "recall(rare)": lambda: sk.recall_score(y, answer, **every)[k],
        'precision("very, rare")': lambda: sk.precision_score(y, answer, **every)[k],
        "specificity(common)": lambda: sk.recall_score(y != 0, answer != 0),
    }[name]()
    return 100 * (1 - score)


@pytest.mark.filterwarnings("ignore:y_pred contains classes")
@pytest.mark.parametrize("absent", [(), (4,), (2, 3)])
@pytest.mark.parametrize("name", OF_CLASSES)
def test_exact_figures_are_those_of_other_libraries(name, absent):
    for seed in range(4):
        z, batch = draw(seed, absent)
        found = make_objective(name, CONTEXT).metric(z, batch)
        assert found == pytest.approx(by_others(name, batch.y, z.argmax(1)), abs=1e-9), seed


@pytest.mark.parametrize("seed", range(4))
def test_figures_of_groups_are_those_of_fairlearn(seed):
    z, batch = draw_groups(seed)
    y, answer, group = batch.y.numpy(), z.argmax(1).numpy(), batch.group.numpy()
    odds = max(equalized_odds_difference(y == k, answer == k, sensitive_features=group) for k in range(3))
    parity = max(demographic_parity_difference(y == k, answer == k, sensitive_features=group) for k in range(3))
    assert make_objective("equalised_odds", GROUPS).metric(z, batch) == pytest.approx(100 * odds)
    assert make_objective("demographic_parity", GROUPS).metric(z, batch) == pytest.approx(100 * parity)
    of_cell = sk.recall_score(y[group == 1], answer[group == 1], labels=[1], average=None)[0]
    assert make_objective("recall(b, q)", GROUPS).metric(z, batch) == pytest.approx(100 * (1 - of_cell))


def test_groups_without_samples_of_a_class_are_left_out():
    y, group = torch.tensor([0, 0, 0, 1, 1]), torch.tensor([0, 0, 1, 1, 1])  # group 0 has no class 1
    z = F.one_hot(torch.tensor([0, 1, 0, 0, 1]), 2).double()
    found = make_objective("equalised_odds", Context(2, 2)).metric(z, Batch(torch.empty(0), y, group))
    # Class 0 is found in 1/2 and 1/1 of its samples; others, which it is predicted for in 1/2, are in group 1 alone.
    assert found == pytest.approx(50)


@pytest.mark.parametrize("name", OF_CLASSES + OF_GROUPS)
@pytest.mark.parametrize("absent", [(), (3, 4)])
def test_soft_forms_have_the_derivatives_of_finite_differences(name, absent):
    z, batch = draw_groups(0, 24) if name in OF_GROUPS else draw(0, absent, 20)
    objective = make_objective(name, GROUPS if name in OF_GROUPS else CONTEXT)
    for soft in (objective, lambda logits, judged: objective.soft_confusion(logits, judged, 0.5, 0.1)):
        assert torch.autograd.gradcheck(lambda logits: soft(logits, batch), z.requires_grad_())  # noqa: B023
    assert torch.autograd.gradgradcheck(lambda logits: objective.soft_confusion(logits, batch, 0.7, 0.1), z)


@pytest.mark.parametrize("name", OF_CLASSES + OF_GROUPS)
def test_soft_forms_become_the_exact_ones_as_their_temperatures_go_to_0(name):
    for seed in range(3):
        z, batch = draw_groups(seed) if name in OF_GROUPS else draw(seed)
        objective = make_objective(name, GROUPS if name in OF_GROUPS else CONTEXT)
        soft, exact = objective.soft_confusion(z, batch, 1e-5, 1e-6).item(), objective.metric(z, batch) / 100
        assert soft == pytest.approx(exact, abs=1e-4)
        assert abs(objective.soft_confusion(z, batch, 1.0).item() - exact) > 1e-4


@pytest.mark.parametrize("name", OF_CLASSES + OF_GROUPS)
def test_exact_figures_take_predicted_classes_in_place_of_logits(name):
    z, batch = draw_groups(0) if name in OF_GROUPS else draw(0)
    context = GROUPS if name in OF_GROUPS else CONTEXT
    objective, bounded = make_objective(name, context), make_objective(f"error subject to {name} <= 0.1", context)
    for each in (objective, bounded):
        seen = each.looked_at(z)
        assert torch.equal(seen, z.argmax(1)) and each.metric(seen, batch) == each.metric(z, batch)


def test_an_objective_of_the_outputs_looks_at_them():
    z, batch = draw(0)
    outputs = make_objective(lambda output, target, group: F.cross_entropy(output, target), CONTEXT)
    matrix = make_objective(lambda rates: 1 - rates.diagonal().mean(), CONTEXT)
    assert outputs.looked_at(z) is z and torch.equal(matrix.looked_at(z), z.argmax(1))
    assert matrix.metric(matrix.looked_at(z), batch) == matrix.metric(z, batch)


def test_matrices_by_a_plain_loop():
    z, batch = draw_groups(0, 30)
    p = torch.softmax(z / 0.5, 1)
    soft, exact = soft_matrix(z, batch, GROUPS, 0.5), exact_matrix(z, batch, GROUPS)
    table, hard = torch.zeros(3, 3, 2, dtype=torch.float64), torch.zeros(3, 3, 2, dtype=torch.float64)
    for i, (k, g) in enumerate(zip(batch.y.tolist(), batch.group.tolist(), strict=True)):
        table[k, :, g] += p[i] / 30
        hard[k, z[i].argmax(), g] += 1 / 30
    for found, expected in ((soft, table), (exact, hard)):
        torch.testing.assert_close(found.table(), expected)
        torch.testing.assert_close(found.cells, expected.sum(1))
        torch.testing.assert_close(found.answers, expected.sum(0))
        torch.testing.assert_close(found.right, torch.stack([expected[k, k] for k in range(3)]))
        torch.testing.assert_close(found.matrix, expected.sum(2))


def test_thousands_of_classes_need_no_table(monkeypatch):
    classes, generator = 5000, torch.Generator().manual_seed(0)
    y = torch.randint(classes, (300,), generator=generator)
    z = torch.randn(300, classes, generator=generator).requires_grad_()
    monkeypatch.setattr(torch.Tensor, "transpose", None)  # which the table is made with
    for name in ("macro_f1", "g_mean", "mcc", "kappa", "f1(7)", "worst_class"):
        objective = make_objective(name, Context(classes))
        value = objective.soft_confusion(z, Batch(torch.empty(0), y), 0.5, 0.05)
        (gradient,) = torch.autograd.grad(value, z)
        assert gradient.isfinite().all() and 0 <= objective.metric(z, Batch(torch.empty(0), y)) <= 200


def test_the_soft_maximum_of_the_worst_class_has_a_temperature_of_its_own():
    z, batch = draw(1)
    p = 1 - torch.softmax(z / 0.5, 1)[torch.arange(len(z)), batch.y]
    means = torch.stack([p[batch.y == k].mean() for k in range(K)])
    objective = make_objective("worst_class", CONTEXT)
    assert objective.soft_confusion(z, batch, 0.5).item() == pytest.approx(means.max().item())
    soft = 0.1 * ((means / 0.1).exp().mean()).log()
    assert objective.soft_confusion(z, batch, 0.5, 0.1).item() == pytest.approx(soft.item())


@pytest.mark.parametrize("degenerate", ["one class", "one answer", "all right", "all wrong"])
@pytest.mark.parametrize("name", ["macro_f1", "g_mean", "h_mean", "mcc", "f1(rare)", "worst_class"])
def test_degenerate_matrices_have_finite_figures_and_gradients(name, degenerate):
    z, batch = draw(0, dtype=torch.float32)
    if degenerate == "one class":
        batch = batch._replace(y=torch.full_like(batch.y, 2))
    answer = {"one answer": torch.zeros_like(batch.y), "all right": batch.y, "all wrong": (batch.y + 1) % K}
    if degenerate in answer:
        z = 500 * F.one_hot(answer[degenerate], K).float()
    objective = make_objective(name, CONTEXT)
    assert -1e-9 <= objective.metric(z, batch) <= 200
    value = objective.soft_confusion(z.requires_grad_(), batch, 1.0, 0.05)
    assert value.isfinite() and torch.autograd.grad(value, z)[0].isfinite().all()
    if degenerate == "all right":
        assert value.item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    "text, words",
    [
        ("f1(rarest)", "f1.rarest.: there is no class 'rarest'; the classes are common, so so, rare, very, rare, none"),
        ("fbeta(rare, two)", "fbeta.rare, two.: 'two' is no number above 0"),
        ("fbeta(rare)", "write fbeta.CLASS, BETA"),
        ("f1", r"f1\(\) cannot be: write f1\(CLASS\)"),
        ("recall(rare, day)", "there is no group 'day'; there are no groups"),
        ("precision(a, b)", "write precision.CLASS"),
    ],
)
def test_what_cannot_be_is_said(text, words):
    with pytest.raises(InputError, match=words):
        make_objective(text, CONTEXT)


def test_of_many_classes_some_are_named():
    with pytest.raises(InputError, match=r"the classes are 0, 1, .*, 19 and 80 more"):
        make_objective("f1(100)", Context(100))
    with pytest.raises(InputError, match="the names of the classes are not known here"):
        make_objective("f1(0)")


@pytest.mark.parametrize("name", OF_CLASSES)
def test_at_equal_shares_the_samples_of_each_class_count_as_if_they_were_as_many(name):
    """As those of each class repeated so often that all have as many."""
    y = torch.arange(4).repeat_interleave(torch.tensor([12, 6, 4, 3]))  # the fifth class has none
    z = torch.randn(25, K, generator=torch.Generator().manual_seed(3), dtype=torch.float64) + F.one_hot(y, K)
    repeated = torch.arange(25).repeat_interleave(12 // y.bincount()[y])
    of, plain = make_objective(f"{name} at equal shares", CONTEXT), make_objective(name, CONTEXT)
    here, there = (z, Batch(torch.empty(0), y)), (z[repeated], Batch(torch.empty(0), y[repeated]))
    assert of.metric(*here) == pytest.approx(plain.metric(*there), abs=1e-9)
    torch.testing.assert_close(of(*here), plain(*there))
    torch.testing.assert_close(of.soft_confusion(*here, 0.3, 0.05), plain.soft_confusion(*there, 0.3, 0.05))
    assert of.text == f"{name} at equal shares"


def test_equal_shares_hold_for_constraints_and_groups_and_need_classes():
    z, batch = draw(0)
    text = "error subject to coverage(rare)<=0.2 at equal shares"
    (figure,) = make_objective(text, CONTEXT).figures(z, batch)["constraints"].values()
    assert figure["value"] == pytest.approx(
        make_objective("coverage(rare) at equal shares", CONTEXT).metric(z, batch) / 100
    )
    z, batch = draw_groups(1)
    found = exact_matrix(z, batch, replace(GROUPS, equal_shares=True))
    torch.testing.assert_close(found.shares, torch.full((3,), 1 / 3, dtype=torch.float64))
    torch.testing.assert_close(found.answers.sum(), torch.tensor(1.0, dtype=torch.float64))
    with pytest.raises(InputError, match="classes that are known"):
        make_objective("macro_f1 at equal shares")
