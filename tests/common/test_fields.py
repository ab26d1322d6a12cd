"""Values that a dataclass is made with are checked, and the message names the field."""

import math

import numpy as np
import pytest

from autobalance.common import InputError, check_one_of, check_value


@pytest.mark.parametrize(
    ("value", "bounds"),
    [
        (0.5, {}),
        (1, {"at_least": 1, "whole": True}),
        (np.int64(3), {"whole": True, "at_most": 3}),
        (np.float32(0.25), {"above": 0, "below": 1}),
    ],
)
def test_values_within_the_bounds_are_taken(value, bounds):
    check_value("epochs", value, **bounds)


@pytest.mark.parametrize(
    ("value", "bounds", "message"),
    [
        (0, {"at_least": 1, "whole": True}, "`epochs` is 0; it has to be a whole number of at least 1"),
        (1.5, {"whole": True}, "`epochs` is 1.5; it has to be a whole number"),
        (True, {}, "`epochs` is True; it has to be a number"),
        ("3", {}, "`epochs` is '3'; it has to be a number"),
        (math.nan, {"above": 0}, "`epochs` is nan; it has to be a number above 0"),
        (math.inf, {}, "`epochs` is inf; it has to be a number"),
        (0.0, {"above": 0}, "`epochs` is 0.0; it has to be a number above 0"),
        (1, {"at_least": 0, "below": 1}, "`epochs` is 1; it has to be a number of at least 0 and below 1"),
        (2, {"at_most": 1}, "`epochs` is 2; it has to be a number of at most 1"),
    ],
)
def test_others_are_refused_in_a_line_that_names_the_field(value, bounds, message):
    with pytest.raises(InputError) as error:
        check_value("epochs", value, **bounds)
    assert str(error.value) == message


def test_a_name_is_one_of_the_known():
    check_one_of("schedule", "steps", ("cosine", "steps"))
    with pytest.raises(InputError, match="`schedule` is 'step'; it has to be one of cosine, steps"):
        check_one_of("schedule", "step", ("cosine", "steps"))
