import pytest

from autobalance.common import significant, trimmed


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (50379.91, 4, "50380"),
        (57.476, 4, "57.48"),
        (0.79123, 4, "0.7912"),
        (-0.0029, 2, "-0.0029"),
        (834.0, 2, "834"),
        (0.0, 3, "0.00"),
        (1e-12, 3, "1e-12"),
        (float("nan"), 2, "nan"),
        (228712.3, 4, "228712"),
    ],
)
def test_no_exponent_and_enough_digits(value, digits, text):
    assert significant(value, digits) == text


def test_zeros_at_the_end_are_left_out():
    assert [trimmed(value, 4) for value in (0.0, 0.25, 1.0, 500.0, 228712.3)] == ["0", "0.25", "1", "500", "228712"]
