"""Which source is meant, and that the package stays light until a source is opened."""

import pytest
from fresh import printed

from autobalance.common import InputError
from autobalance.data import SOURCES, load


def test_named_sources():
    assert {"digits", "cifar10", "cifar100"} <= set(SOURCES)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("cifar", r"'cifar' is unknown: give digits, digits-groups, cifar10.*\.npz.*package.module:function"),
        ("absent.npz", "there is no file absent.npz"),
        ("absent.csv.gz", r"there is no file absent.csv.gz"),
        ("absent.parquet", "there is no file absent.parquet"),
    ],
)
def test_sources_that_are_not_there(source, message):
    with pytest.raises(InputError, match=message):
        load(source)


def test_importing_the_room_does_not_import_what_only_some_sources_need():
    code = "import sys, autobalance.data, autobalance.models; print(*sys.modules)"
    modules = printed(code).split()
    assert "autobalance.data" in modules
    assert not {"pandas", "sklearn", "torchvision", "pyarrow", "PIL"} & set(modules)
