"""Several inputs in one row come back exactly, whatever their types."""

import numpy as np
import pytest
import torch

from autobalance.common import InputError
from autobalance.data.intake import Packing


def rows_of(inputs):
    packing = Packing.of(inputs, "x")
    return packing, torch.from_numpy(packing.pack(inputs, "x"))


def test_integers_floats_and_truth_values_come_back_exactly():
    generator = torch.Generator().manual_seed(0)
    inputs = {
        "ids": torch.tensor([[2**53, -3], [7, 0]]),
        "image": torch.randn(2, 3, 4, 5, generator=generator),
        "mask": torch.tensor([[True, False, True], [False, False, True]]),
        "age": torch.tensor([0.1, 3.0]),
    }
    packing, rows = rows_of(inputs)
    assert packing.mixed and rows.dtype == torch.float64 and rows.shape == (2, 2 + 60 + 3 + 1)
    back = packing.unpack(rows, torch.float32)
    for name, value in inputs.items():
        assert back[name].dtype == value.dtype and torch.equal(back[name], value), name


def test_one_kind_needs_no_double_precision():
    ids, rows = rows_of({"ids": np.array([[2**60, 1]]), "mask": np.array([[True, False]])})
    assert rows.dtype == torch.int64 and ids.unpack(rows, torch.float32)["ids"].tolist() == [[2**60, 1]]
    floats, rows = rows_of((torch.ones(2, 3), torch.zeros(2)))
    assert rows.dtype == torch.float32 and not floats.mixed
    first, second = floats.unpack(rows, torch.float32)
    assert first.shape == (2, 3) and second.shape == (2,)


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({}, "no inputs beside the labels"),
        ({"ids": np.array(["a", "b"])}, r"x\['ids'\] holds <U1"),
        ({"a": np.ones((2, 1)), "b": np.ones((3, 1))}, r"x\['b'\] has shape \(3, 1\), not \(2, ...\)"),
        ({"a": np.array([[1.0], [np.nan]])}, r"x\['a'\]\[1, 0\] \(row 1\) is nan"),
        ({"a": np.ones((1, 1)), "b": np.array([2**53 + 2])}, "integers beside floats reach to 2"),
    ],
)
def test_what_cannot_stand_in_a_row(inputs, words):
    with pytest.raises(InputError, match=words):
        rows_of(inputs)


def test_every_sample_needs_the_same_inputs():
    packing, _ = rows_of({"ids": np.ones((2, 3), dtype=int)})
    with pytest.raises(InputError, match=r"ids \(4,\), but those of the first samples are ids \(3,\)"):
        packing.pack({"ids": np.ones((2, 4), dtype=int)}, "x")
