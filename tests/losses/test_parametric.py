"""A member of the family as a module: its buffers, what it refuses, moving, saving and changing it."""

import copy

import pytest
import torch

from autobalance.losses import ParametricLoss, ScheduledLoss

LOGITS, TARGET = torch.tensor([[0.3, -1.0, 2.0], [1.5, 0.2, -0.7]]), torch.tensor([1, 0])


def example(**changes):
    settings = {"w": [1.0, 2, 3], "l": [0.0, -1, 1], "scale": 2.0, "gamma": 0.5, "class_names": ["a", "b", "c"]}
    return ParametricLoss(3, **{**settings, **changes})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"w": [1.0, 2.0]}, r"w has shape \(2,\).*3 classes"),
        ({"l": 1.0}, r"l has shape \(\)"),
        ({"delta": torch.ones(3, 2, 2)}, r"delta has shape \(3, 2, 2\)"),
        ({"margin": torch.ones(3, 0)}, r"margin has shape \(3, 0\)"),
        ({"w": torch.ones(3, 2), "l": torch.zeros(3, 4)}, "l has 4 groups.*has 2"),
        ({"w": [1.0, -1.0, 1.0]}, "w has a negative weight"),
        ({"l": [0.0, float("nan"), 0.0]}, "l is not finite"),
        ({"delta": [1.0, float("inf"), 1.0]}, "delta is not finite"),
        ({"gamma": -0.1}, "gamma is -0.1"),
        ({"gamma": float("nan")}, "gamma is not finite"),
        ({"scale": 0.0}, "scale is 0"),
        ({"reduction": "average"}, "'average'; choose one of mean"),
        ({"class_names": ["a", "b"]}, "2 class names for 3 classes"),
        ({"group_names": ["g"]}, "1 group names for 0 groups"),
        ({"tau": 1.0}, "ParametricLoss has no parameter 'tau'; it has w, l, delta, margin, scale, gamma"),
    ],
)
def test_parameters_that_it_refuses(settings, message):
    with pytest.raises(ValueError, match=message):
        ParametricLoss(3, **settings)


def test_parameters_without_effect_are_left_out():
    assert set(ParametricLoss(3).parameters_in_effect) == set()
    assert set(example().parameters_in_effect) == {"w", "l", "scale", "gamma"}
    assert "plain cross-entropy" in repr(ParametricLoss(3)) and "gamma" in repr(example())


def test_it_keeps_its_own_copy_of_the_tables():
    w = torch.tensor([1.0, 2.0, 3.0])
    loss = ParametricLoss(3, w=w)
    w.zero_()
    assert loss.w.tolist() == [1, 2, 3]


def test_nothing_of_it_is_trained_and_all_of_it_is_saved():
    loss = example()
    assert list(loss.parameters()) == []
    other = ParametricLoss(3)
    other.load_state_dict(loss.state_dict())
    assert torch.equal(other(LOGITS, TARGET), loss(LOGITS, TARGET))
    assert torch.equal(copy.deepcopy(loss)(LOGITS, TARGET), loss(LOGITS, TARGET))


def test_loading_a_state_with_nan_is_refused():
    state = example().state_dict()
    state["l"] = torch.full((3,), float("nan"))
    with pytest.raises(ValueError, match="l is not finite"):
        example().load_state_dict(state)


def test_it_moves_to_other_precisions():
    loss = example()
    expected = loss(LOGITS, TARGET)
    double = copy.deepcopy(loss).to(torch.float64)
    assert {b.dtype for b in double.buffers()} == {torch.float64}
    torch.testing.assert_close(double(LOGITS.double(), TARGET), expected.double(), rtol=1e-6, atol=0)
    half = copy.deepcopy(loss).to(torch.bfloat16)
    assert half(LOGITS, TARGET).dtype == torch.float32
    torch.testing.assert_close(half(LOGITS, TARGET), expected, rtol=0.02, atol=0)


def test_replace_changes_what_is_named_and_nothing_else():
    loss = example(dtype=torch.float64)
    other = loss.replace(gamma=0.0, reduction="sum", w=torch.ones(3, 2))
    assert (other.gamma.item(), other.reduction, other.num_groups) == (0, "sum", 2)
    assert torch.equal(other.l, loss.l) and other.l.dtype == torch.float64 and other.l is not loss.l
    assert other.scale.item() == 2 and other.class_names == ("a", "b", "c")
    assert loss.gamma.item() == 0.5 and loss.num_groups == 0
    with pytest.raises(ValueError, match="gamma is -1"):
        loss.replace(gamma=-1.0)


def test_it_follows_the_protocol_of_training_loops_and_ignores_it():
    loss = example()
    before = loss.state_dict()
    loss.start_epoch(0.7)
    assert not loss.needs_features and loss.at(0.3) is loss and loss.stages == ((0.0, loss),)
    assert all(torch.equal(before[name], value) for name, value in loss.state_dict().items())
    assert torch.equal(loss(LOGITS, TARGET, features=torch.ones(2, 7)), loss(LOGITS, TARGET))
    for wrong in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="between 0 and 1"):
            loss.at(wrong)


def test_the_start_bias_is_added_once_where_there_is_one():
    bias = torch.nn.Parameter(torch.tensor([1.0, 2.0, 3.0]))
    ParametricLoss(3).add_start_bias(None)
    loss = ParametricLoss(3, start_bias=[0.5, 0.0, -1.0])
    for each in (loss, ScheduledLoss([(0.0, loss), (0.5, ParametricLoss(3))])):
        each.add_start_bias(bias)
    assert bias.tolist() == [2.0, 2.0, 1.0]
    with pytest.raises(ValueError, match=r"has shape \(2,\); the loss's start bias needs \(3,\)"):
        loss.add_start_bias(torch.zeros(2))
    with pytest.raises(ValueError, match="bias of the model's output is None"):
        loss.add_start_bias(None)
