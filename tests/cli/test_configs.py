"""The configurations of published comparisons can be read, and their rows are there."""

from __future__ import annotations

from pathlib import Path

import pytest
from make_comparison import ROOT

from autobalance.cli._compare_options import parse
from autobalance.study import methods_of
from autobalance.study.report import read_published


@pytest.mark.parametrize("path", sorted((ROOT / "experiments" / "configs").glob("*.yaml")), ids=lambda path: path.stem)
def test_configurations_can_be_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    options, _ = parse(["--config", str(path)])
    assert options.published is not None
    methods = {method.name for method in methods_of(options.names, options.task)}
    methods |= {"autobalance"} if options.include_search else set()
    for published in read_published(options.published):
        assert set(published.errors) <= methods
        assert not set(published.others) & methods
