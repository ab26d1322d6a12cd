"""The range of a hyper-parameter: what it suggests to a trial, and how a value becomes a trial."""

import optuna
import pytest
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.trial import FixedTrial

from autobalance.losses.named import Range


def test_around_widens_where_the_value_lies_outside():
    given = Range(0.5, 2.0, "log")
    assert given.around(1.0) == given
    assert given.around(0.1) == Range(0.1, 2.0, "log") and given.around(3.0) == Range(0.5, 3.0, "log")


@pytest.mark.parametrize(
    "given, name, distribution",
    [
        (Range(0.5, 2.0), "x", FloatDistribution(0.5, 2.0)),
        (Range(0.5, 2.0, "log"), "x", FloatDistribution(0.5, 2.0, log=True)),
        (Range(0.5, 0.75, "to-one"), "1 - x", FloatDistribution(0.25, 0.5, log=True)),
        (Range(3, 15, "odd"), "x", IntDistribution(3, 15, step=2)),
    ],
)
def test_what_is_asked_of_a_trial(given, name, distribution):
    trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(0)).ask()
    value = given.suggest(trial, "x")
    assert trial.distributions == {name: distribution} and given.low <= value <= given.high


@pytest.mark.parametrize("scale, value", [("linear", 0.5), ("log", 0.5), ("to-one", 0.75), ("odd", 5)])
def test_a_value_as_a_trial_is_suggested_again(scale, value):
    given = Range(3, 15, scale) if scale == "odd" else Range(0.25, 0.875, scale)
    assert given.suggest(FixedTrial(given.as_trial("x", value)), "x") == value
