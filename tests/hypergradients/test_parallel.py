"""Two processes on their own rows compute what one process computes on the whole batch."""

import fresh
import parallel_case
import pytest
import torch


@pytest.fixture(scope="module")
def of_two():
    return [done.value for done in fresh.under_torchrun(parallel_case.shared_window)]


@pytest.fixture(scope="module")
def of_one():
    return parallel_case.window()


@pytest.mark.parametrize("optimiser", list(parallel_case.OPTIMISERS))
def test_two_processes_equal_one(of_one, of_two, optimiser):
    for found in of_two:
        assert found[optimiser].keys() == of_one[optimiser].keys()
        for name, expected in of_one[optimiser].items():
            expected, actual = (
                torch.tensor(value, dtype=torch.float64) for value in (expected, found[optimiser][name])
            )
            torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-14)
