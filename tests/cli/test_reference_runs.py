"""Three searches whose losses were written down before the package was rebuilt: they come out, number by number."""

import json
from pathlib import Path

import pytest
import torch

from autobalance.bilevel import run
from autobalance.cli._config import Options
from autobalance.cli._plan import checked_plan

WRITTEN = Path(__file__).parents[1] / "data" / "reference"
RUNS = {
    "digits": Options(strategy="interleaved"),
    "rounds": Options(rounds=1, free=("w", "l", "delta", "weight_decay", "lr")),
    "groups": Options(data="digits-groups", strategy="interleaved"),
}


@pytest.mark.parametrize("name", RUNS)
def test_a_reference_run_finds_the_same_loss(name):
    checked = checked_plan(RUNS[name])
    found = checked.search.found(run(checked.search))
    for parameter, written in json.loads((WRITTEN / f"{name}.json").read_text())["parameters"].items():
        expected = torch.tensor(written)
        torch.testing.assert_close(getattr(found.loss, parameter), expected, rtol=1e-4, atol=1e-5, msg=parameter)
