"""The record of a named loss: what it says of itself, and what it refuses."""

import pytest

from autobalance.common import InputError
from autobalance.losses.named import NamedLoss, Range, family_member, named_loss, named_losses


def tilted(class_counts, tau=1.0, floor=0.0):
    return {"l": tau * class_counts.clamp_min(floor).log()}


def record(**changes):
    return NamedLoss(**{"name": "tilted", "title": "t", "index": "classes", "build": family_member(tilted), **changes})


def test_hyper_parameters_are_those_of_the_formula_and_what_is_tuned_begins_with_the_commands_values():
    loss = record(ranges={"tau": Range(0.0, 2.0)}, in_deviations={"tau": 0.2})
    assert loss.hyper_parameters == {"tau": 1.0, "floor": 0.0} and loss.tuned == {"tau": 0.2}
    assert named_loss("balanced-mse").tuned == {"noise_sigma": 0.2}
    assert named_loss("vs").tuned == {"gamma": 0.3, "tau": 1.0}


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"index": "groups"}, "index of the loss tilted is 'groups'; choose classes, cells, bins"),
        ({"head": "round"}, "head of the loss tilted is 'round'; choose linear, cosine"),
        ({"ranges": {"gamma": Range(0.0, 1.0)}}, "tilted has no hyper-parameter 'gamma'; it has tau, floor"),
        ({"slowed": ("late", 0.1)}, "tilted has no hyper-parameter 'late'"),
        ({"in_deviations": {"sigma": 1.0}}, "tilted has no hyper-parameter 'sigma'"),
    ],
)
def test_what_a_record_refuses(changes, message):
    with pytest.raises(InputError, match=message):
        record(**changes)


def test_every_loss_has_a_title_of_its_own_and_is_tuned_around_its_published_value():
    losses = named_losses()
    assert len({loss.title for loss in losses.values()}) == len(losses)
    for name, loss in losses.items():
        assert (loss.name == name and loss.source) or name in ("ce", "l1", "mse")
        for hyper, value in loss.tuned.items():
            assert loss.ranges[hyper].around(value) == loss.ranges[hyper], (name, hyper)


def test_only_losses_with_a_scale_for_cosines_have_a_head_of_cosines():
    assert {name for name, loss in named_losses().items() if loss.head == "cosine"} == {"ldam", "ldam-drw"}
