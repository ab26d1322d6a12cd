"""The command under torchrun: the same loss, and one voice."""

import json

import fresh
import pytest
from run_case import OPTIONS, search, write_data

from autobalance.cli import _run
from autobalance.search import main


def without_page(options):
    """The command without the report, which takes longest."""
    _run.write_report = lambda directory: None
    return main(options)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("data") / "data.npz")


def test_two_processes_find_the_loss_of_one(tmp_path, data, no_page):
    options = ["--data", str(data), *OPTIONS, "--out", str(tmp_path / "two")]
    first, second = fresh.under_torchrun(without_page, options)
    assert (first.value, second) == (0, (0, "", ""))
    assert first.out.count("The search took") == 1
    assert search(data, tmp_path / "one") == 0
    two, one = (json.loads((tmp_path / name / "loss.json").read_text())["parameters"] for name in ("two", "one"))
    for name in ("w", "l", "delta"):
        assert two[name] == pytest.approx(one[name], rel=1e-4, abs=1e-6)
        assert len(set(one[name])) > 1


def test_engines_for_one_process_are_refused_in_several(tmp_path, data):
    options = ["--data", str(data), *OPTIONS, "--hypergradient", "unrolled", "--out", str(tmp_path / "run")]
    first, second = fresh.under_torchrun(main, options)
    assert (first.value, first.out, second) == (2, "", (2, "", ""))
    (line,) = first.err.splitlines()
    assert line.startswith("error: --hypergradient unrolled does not work with several processes:")
    assert not (tmp_path / "run").exists()
