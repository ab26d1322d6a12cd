"""Schedules: which stage is in force when, that it survives saving, and deferred re-weighting."""

import pytest
import torch

from autobalance.losses import InfluenceBalanced, Loss, ParametricLoss, ScheduledLoss, deferred, with_csl
from autobalance.losses.named import fixed_point

LOGITS, TARGET = torch.tensor([[0.3, -1.0, 2.0], [1.5, 0.2, -0.7]]), torch.tensor([1, 0])
COUNTS = [100, 20, 3]


def three_stages():
    return ScheduledLoss(
        [(0.0, ParametricLoss(3)), (0.5, ParametricLoss(3, gamma=1.0)), (0.9, ParametricLoss(3, l=[0.0, 1, 2]))]
    )


@pytest.mark.parametrize(
    ("progress", "stage"), [(0, 0), (0.49, 0), (0.5, 1), (0.899, 1), (0.9, 2), (0.999, 2), (1.0, 2)]
)
def test_the_stage_at_a_progress(progress, stage):
    loss = three_stages()
    expected = loss.stages[stage].loss
    assert loss.at(progress) is expected and loss.current is loss.stages[2].loss
    loss.start_epoch(progress)
    assert loss.current is expected
    assert torch.equal(loss(LOGITS, TARGET), expected(LOGITS, TARGET))


@pytest.mark.parametrize("epochs", [5, 10, 60, 200, 7 * 5])
def test_a_start_that_is_a_whole_number_of_epochs_begins_in_that_epoch(epochs):
    loss = deferred(ParametricLoss(3), [1.0, 2, 3], 0.8)
    late = [epoch for epoch in range(epochs) if loss.at(epoch / epochs) is loss.stages[1].loss]
    assert late == list(range(epochs * 4 // 5, epochs))


def test_the_stage_is_saved():
    loss, other = three_stages(), three_stages()
    loss.start_epoch(0.6)
    other.load_state_dict(loss.state_dict())
    assert other.current is other.stages[1].loss
    other.to(torch.bfloat16)
    assert other.current is other.stages[1].loss


def test_training_at_the_last_stage_without_a_word_warns():
    logits = LOGITS.clone().requires_grad_()
    with pytest.warns(UserWarning, match=r"at its last stage until it is told the epoch: call loss\.start_epoch"):
        three_stages()(logits, TARGET)
    three_stages().eval()(logits, TARGET)
    three_stages()(logits.detach(), TARGET)
    with torch.no_grad():
        three_stages()(logits * 1, TARGET)
    told, resumed = three_stages(), three_stages()
    told.start_epoch(0.9)
    resumed.load_state_dict(told.state_dict())
    assert torch.equal(told(logits, TARGET), resumed(logits, TARGET))
    with pytest.warns(UserWarning, match="last stage"):
        resumed.load_state_dict(three_stages().state_dict())
        resumed(logits, TARGET)


def test_a_schedule_hands_on_what_a_mean_is_over():
    loss = three_stages()
    loss.start_epoch(0.5)
    expected = loss.current(LOGITS, TARGET).item() * 2 / 5
    assert loss(LOGITS, TARGET, num_items_in_batch=5, more=1).item() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("starts", "message"),
    [
        ([0.0], "two or more"),
        ([0.1, 0.5], "first from 0"),
        ([0.0, 0.5, 0.5], "one after the other"),
        ([0.0, 1.0], "one after the other"),
        ([0.0, -0.5], "one after the other"),
        ([0.0, float("nan")], "one after the other"),
    ],
)
def test_stages_that_are_no_schedule(starts, message):
    with pytest.raises(ValueError, match=message):
        ScheduledLoss([(start, ParametricLoss(3)) for start in starts])


def test_stages_that_do_not_fit_together():
    with pytest.raises(ValueError, match=r"num_classes: \[3, 4\]"):
        ScheduledLoss([(0.0, ParametricLoss(3)), (0.5, ParametricLoss(4))])
    with pytest.raises(ValueError, match="reduction"):
        ScheduledLoss([(0.0, ParametricLoss(3)), (0.5, ParametricLoss(3, reduction="sum"))])


def test_a_progress_outside_training_is_refused_and_changes_nothing():
    loss = three_stages()
    loss.start_epoch(0.0)
    with pytest.raises(ValueError, match="between 0 and 1"):
        loss.start_epoch(1.5)
    assert loss.current is loss.stages[0].loss


@pytest.mark.parametrize("name", ["ce", "la", "vs", "ldam", "focal"])
def test_deferred_reweighting_of_any_member_of_the_family(name):
    loss = fixed_point(name, COUNTS, class_names=["a", "b", "c"])
    late = deferred(loss, [0.1, 0.5, 2.4], 0.75)
    assert late.at(0.7) is loss
    torch.testing.assert_close(late.at(0.8).w, torch.tensor([0.1, 0.5, 2.4]))
    for name in ("l", "delta", "margin", "scale", "gamma"):
        assert torch.equal(getattr(late.at(0.8), name), getattr(loss, name))
    assert late.class_names == ("a", "b", "c")


@pytest.mark.parametrize("name", ["ib", "ib-focal", "equalization"])
@pytest.mark.parametrize("start", [0.3, 0.5, 0.8])
def test_deferred_reweighting_of_plug_ins_keeps_their_own_stages(name, start):
    weight, norms = [0.1, 0.5, 2.4], torch.tensor([2.0, 3.0])
    plain, heavy = fixed_point(name, COUNTS).eval(), fixed_point(name, COUNTS, weight=weight).eval()
    late = deferred(plain, weight, start).eval()
    for progress in (0.0, 0.29, 0.3, 0.49, 0.5, 0.79, 0.8, 0.99):
        expected = heavy if progress >= start else plain
        if progress >= start and name != "equalization" and progress < 0.5:
            expected = ParametricLoss(3, w=weight, reduction="batch_mean")
        late.start_epoch(progress)
        assert torch.equal(late(LOGITS, TARGET, features=norms), expected.at(progress)(LOGITS, TARGET, features=norms))


def test_a_deferred_csl_keeps_one_term_over_all_of_training():
    late = deferred(fixed_point("csl", COUNTS), [0.1, 0.5, 2.4], 0.5)
    same = with_csl(deferred(ParametricLoss(3), [0.1, 0.5, 2.4], 0.5))
    for progress in (0.0, 0.25, 0.5, 0.75):
        values = []
        for loss in (late, same):
            loss.start_epoch(progress)
            values.append(loss(LOGITS, TARGET))
        assert torch.equal(*values)
    assert late.at(0.0).statistics.epochs == 3
    late.eval()
    torch.testing.assert_close(late(LOGITS, TARGET), ParametricLoss(3, w=[0.1, 0.5, 2.4])(LOGITS, TARGET))


def test_a_loss_without_weights_cannot_be_deferred():
    class Bare(Loss):
        num_classes, reduction = 3, "mean"

    with pytest.raises(ValueError, match="Bare has no weights"):
        deferred(Bare(), [1.0, 1, 1])


def test_the_base_of_csl_may_have_a_schedule():
    loss = fixed_point("csl", COUNTS, base="ldam-drw").eval()
    loss.start_epoch(0.0)
    assert torch.equal(loss(LOGITS, TARGET), fixed_point("ldam", COUNTS)(LOGITS, TARGET))
    loss.start_epoch(0.8)
    assert torch.equal(loss(LOGITS, TARGET), fixed_point("ldam-drw", COUNTS).at(0.8)(LOGITS, TARGET))


def test_influence_balancing_starts_late_and_needs_features_then():
    loss = fixed_point("ib", COUNTS)
    assert loss.needs_features and loss.stages[1].start == 0.5
    loss.start_epoch(0.49)
    assert torch.equal(loss(LOGITS, TARGET), torch.nn.functional.cross_entropy(LOGITS, TARGET))
    loss.start_epoch(0.5)
    with pytest.raises(ValueError, match="features="):
        loss(LOGITS, TARGET)
    norms = torch.tensor([2.0, 3.0])
    assert torch.equal(loss(LOGITS, TARGET, features=norms), loss.stages[1].loss(LOGITS, TARGET, features=norms))
    assert isinstance(fixed_point("ib", COUNTS, start=0), InfluenceBalanced)
