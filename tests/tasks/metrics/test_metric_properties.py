"""Metrics of any predictions are those of scikit-learn and fairlearn; drawn by hypothesis."""

import pytest
import sklearn.metrics as sk
import torch
from fairlearn.metrics import demographic_parity_difference, equalized_odds_difference
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from autobalance.data import Batch
from autobalance.tasks.metrics import Context
from autobalance.tasks.objectives import make_objective

SCORES = {
    "error": lambda y, p: 1 - sk.accuracy_score(y, p),
    "balanced_error": lambda y, p: 1 - sk.balanced_accuracy_score(y, p),
    "worst_class": lambda y, p: 1 - sk.recall_score(y, p, average=None, zero_division=0).min(),
    "macro_f1": lambda y, p: 1 - sk.f1_score(y, p, average="macro", zero_division=0),
    "mcc": lambda y, p: 1 - sk.matthews_corrcoef(y, p),
}


@st.composite
def predictions(draw, least=2, most=5):
    """(classes, predicted classes, K): every class occurs, not every one is predicted."""
    number = draw(st.integers(least, most))
    more = draw(st.lists(st.integers(0, number - 1), max_size=30))
    y = [*range(number), *more]
    predicted = draw(st.lists(st.integers(0, number - 1), min_size=len(y), max_size=len(y)))
    return y, predicted, number


def logits_of(predicted, number):
    return 3.0 * F.one_hot(torch.tensor(predicted), number).double()


@pytest.mark.parametrize("name", SCORES)
@given(case=predictions())
def test_they_are_scikit_learn_s(name, case):
    y, predicted, number = case
    found = make_objective(name).metric(logits_of(predicted, number), Batch(torch.empty(0), torch.tensor(y)))
    assert found == pytest.approx(100 * SCORES[name](y, predicted), abs=1e-9)


@given(case=predictions(4, 4))
def test_gaps_between_groups_are_fairlearn_s(case):
    """Four kinds of samples stand for two classes in each of two groups, so that every cell has some."""
    cell, predicted, _ = case
    y, group = [each // 2 for each in cell], [each % 2 for each in cell]
    answer = [each // 2 for each in predicted]
    batch = Batch(torch.empty(0), torch.tensor(y), torch.tensor(group))
    for name, gap in (
        ("demographic_parity", demographic_parity_difference),
        ("equalised_odds", equalized_odds_difference),
    ):
        found = make_objective(name, Context(2, 2)).metric(logits_of(answer, 2), batch)
        assert found == pytest.approx(100 * gap(y, answer, sensitive_features=group), abs=1e-9), name
