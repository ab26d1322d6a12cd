"""Objectives as text."""

import pytest

from autobalance.common import InputError
from autobalance.tasks.metrics import Context
from autobalance.tasks.objectives import Blend, Constrained, make_objective

CONTEXT = Context(3, class_names=("a", "b, c", "it's"))


@pytest.mark.parametrize("text", ["f1( a )", 'f1("a")', "f1('a')", " 1 * f1(a)", "f1 (a)"])
def test_arguments_may_stand_in_quotes(text):
    assert make_objective(text, CONTEXT).parts[0].metric.title == "1 - F1 of a"


def test_names_with_commas_and_quotes():
    assert make_objective('f1("b, c") + f1(it\'s)', CONTEXT).parts[1].metric.title == "1 - F1 of it's"
    assert isinstance(make_objective("2*error(smooth) + macro_f1", CONTEXT), Blend)


@pytest.mark.parametrize(
    "text",
    [
        "error subject to recall(a)>=0.8 and worst_class <= .5",
        "error subject  to recall(a)≥0.8and worst_class≤0.5",
    ],
)
def test_constraints(text):
    found = make_objective(text, CONTEXT)
    assert isinstance(found, Constrained) and found.text == text
    (first, second) = found.constraints
    assert (first.bound, first.upper, first.score) == (pytest.approx(0.2), True, True)  # of one less the recall
    assert (second.bound, second.upper, second.score) == (0.5, True, False)


@pytest.mark.parametrize(
    "text, words",
    [
        ("error subject to", "cannot be read at its end"),
        ("error subject to recall(a)", "a constraint is a metric and a bound, such as recall.rare.>=0.8"),
        ("error subject to recall(a)>0.8", "a constraint is a metric and a bound"),
        ("error subject to recall(a)>=80", "has the bound 80: give a share, such as 0.8"),
        ("error subject to recall(a)>=1-2", "has the bound '1-2': give a number"),
        ("error subject to worst_class<=4", "has the bound 4: give a share"),
        ("error subject to recal(a)>=0.8", "no objective is called 'recal'; there are .*recall.CLASS."),
        ("error subject to recall(d)>=0.8", "there is no class 'd'; the classes are a, b, c, it's"),
        ("error subject to recall(a)>=0.8 subject to error<=0.1", "cannot be read at 'subject to"),
        ("error and recall(a)>=0.8", "cannot be read at 'and"),
        ("error recall(a)", "cannot be read at 'recall"),
        ("f1(a", r"cannot be read at '\(a'"),
        ('f1("a)', "cannot be read at"),
        ("error(hinge)", "there is no surrogate 'hinge', only ce and smooth"),
        ("macro_f1(ce)", "there is no surrogate 'ce', it has none"),
        ("0*error", "has the factor '0': give a number above 0"),
    ],
)
def test_texts_that_cannot_be(text, words):
    with pytest.raises(InputError, match=words):
        make_objective(text, CONTEXT)
