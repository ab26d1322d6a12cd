"""Three searches whose losses were written down before the package was rebuilt: they come out, number by number.

In double precision: a search amplifies rounding, and what is rounded a processor's kernels decide. In single precision
the losses differ from processor to processor by 1e-4 (digits) to 4e-2 (groups, whose loss was therefore written down
anew in double precision; those of the other two are the old ones).
"""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from autobalance.bilevel import check, run
from autobalance.cli._config import Options
from autobalance.cli._plan import plan_of
from autobalance.cli._setting import open_setting
from autobalance.tasks import task_of

WRITTEN = Path(__file__).parents[1] / "data" / "reference"
RUNS = {
    "digits": Options(strategy="interleaved"),
    "rounds": Options(rounds=1, free=("w", "l", "delta", "weight_decay", "lr")),
    "groups": Options(data="digits-groups", strategy="interleaved"),
}


def found_by(options):
    """What a search finds with inputs and weights in double precision."""
    single = open_setting(options)
    parts = {part: getattr(single.problem, part).to("cpu", torch.float64) for part in ("train", "validation", "test")}
    problem = replace(single.problem, **parts)
    setting = replace(single, problem=problem, make=lambda seed, head: single.make(seed, head).double())
    task = task_of(problem, options.shots)
    checked = check(plan_of(options, task.defaults.lr), setting, task)
    return checked.search.found(run(checked.search))


@pytest.mark.parametrize("name", RUNS)
def test_a_reference_run_finds_the_same_loss(name):
    found = found_by(RUNS[name])
    for parameter, written in json.loads((WRITTEN / f"{name}.json").read_text())["parameters"].items():
        expected = torch.tensor(written)
        torch.testing.assert_close(getattr(found.loss, parameter), expected, rtol=1e-4, atol=1e-5, msg=parameter)
