"""Settings in backticks become the command's options."""

import pytest

from autobalance.cli._option_values import names
from autobalance.cli._words import as_flags


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("`lr` is 0", "--lr is 0"),
        ("`weight_decay` 1 has no effect without `tie` class", "--weight-decay 1 has no effect without --tie class"),
        ("see `Recipe`, `long_tail` and `lr`", "see `Recipe`, `long_tail` and --lr"),
        ("the column 'lr' of a``b` and a ` alone", "the column 'lr' of a``b` and a ` alone"),
    ],
)
def test_what_is_said_to_the_command(message, said):
    assert as_flags(message, {"lr", "weight_decay", "tie"}) == said


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("sex", ("sex",)),
        ("sex, age:25", ("sex", "age:25")),
        ('"sex, at birth:",b', ("sex, at birth:", "b")),
    ],
)
def test_names_with_commas_between(text, found):
    assert names(text) == found
