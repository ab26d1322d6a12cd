"""The search by whole trainings: its gradient against plain trainings, its steps against the formula."""

from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from search_cases import by_whole_trainings, make_trainee
from toy import gaussians, linear, same

from autobalance.bilevel import (
    LossSpace,
    OuterLoop,
    WholeTrainings,
    WholeTrainingsState,
    run,
    strategy_of,
)
from autobalance.bilevel._whole_trainings import CURVATURE, CUT, HALF_TRUSTED, TRUST
from autobalance.common import InputError
from autobalance.data import Samples
from autobalance.hypergradients import Hypergradient, Replay
from autobalance.losses.named import fixed_point
from autobalance.tasks import outputs
from autobalance.tasks.objectives import make_objective
from autobalance.training import Recipe, train

COUNTS = [40, 17, 6]
TRAIN, VALIDATION = gaussians(COUNTS, 0), gaussians([20, 9, 3], 1)
RECIPE = Recipe(epochs=6, batch_size=16, lr=0.1, warmup_epochs=1)  # 4 batches an epoch
OBJECTIVE = make_objective("balanced_error")
NAMES = ("lr", "weight_decay")


def space(free=("w", "l", "delta"), start="la", **settings):
    return LossSpace(fixed_point(start, COUNTS, dtype=torch.float64), torch.tensor(COUNTS), free, **settings)


def search(rounds=1, searched=None, train_part=TRAIN, validation=VALIDATION, names=NAMES):
    trainee = make_trainee(linear(3), (train_part, validation), searched or space(), OBJECTIVE, RECIPE, names)
    return by_whole_trainings(trainee, rounds)


def trained_objective(found, raw):
    """The objective after a plain training, as a retraining would do it, with the loss and the recipe at ``raw``."""
    model = linear(3)
    at = found.trainee.space.found(raw)
    train(model, TRAIN, at.loss, at.recipe, seed=0)
    return OBJECTIVE(outputs(model, VALIDATION), VALIDATION.all()).item()


def test_the_gradient_is_that_of_whole_plain_trainings():
    found = search()
    state, record = found.step(found.init())
    first = found.init().found
    assert state.best.objective == pytest.approx(trained_objective(found, first), rel=1e-8)  # the rates are float32
    assert record["objective"] == pytest.approx(state.best.objective, rel=1e-9)
    for name, value in first.items():
        step = 1e-4
        up, down = ({**first, name: value + sign * step} for sign in (1, -1))
        slope = (trained_objective(found, up) - trained_objective(found, down)) / (2 * step)
        assert state.best.gradient[name].sum().item() == pytest.approx(slope, rel=1e-5, abs=1e-10), name


def test_the_next_numbers_are_a_bounded_newton_step():
    found = search()
    state = found.init()
    gradient = {name: torch.full_like(value, 0.01) for name, value in state.found.items()}
    gradient["log_lr"] = torch.tensor(-30.0, dtype=torch.float64)
    after = found.stepped(state, Hypergradient(gradient, 0.5, 1.0))
    effective = 32 * 9 / sum(63 / count for count in COUNTS)
    trusted = effective / (effective + HALF_TRUSTED)
    for name in ("w", "l", "delta"):
        assert after.found[name].item() == pytest.approx(-trusted * 0.01 / (CURVATURE[name] * 0.5))
    assert after.found["log_weight_decay"].item() == pytest.approx(TRUST["log_weight_decay"][0])
    assert after.found["log_lr"].item() == pytest.approx(TRUST["log_lr"][1])


def test_a_step_that_made_it_worse_is_taken_back_and_cut():
    found = search(rounds=3)
    begun = found.init()
    gradient = {name: torch.full_like(value, 0.001) for name, value in begun.found.items()}
    first = found.stepped(begun, Hypergradient(gradient, 0.5, 1.0))
    other = {name: -value for name, value in gradient.items()}
    second = found.stepped(first, Hypergradient(other, 0.6, 1.0))
    for name, value in first.found.items():
        torch.testing.assert_close(second.found[name], CUT * value)
    third = found.stepped(second, Hypergradient(other, 0.4, 1.0))  # better: goes on from there, by steps as short
    for name in NAMES:
        step = CUT * 0.001 / (CURVATURE[f"log_{name}"] * 0.4)
        torch.testing.assert_close(third.found[f"log_{name}"], second.found[f"log_{name}"] + step)


def test_the_second_training_is_better_than_the_first():
    found = search(rounds=2, names=("lr",))
    objectives = []
    run(found, on_step=lambda state, record: objectives.append(record["objective"]))
    assert len(objectives) == 2
    assert objectives[1] < objectives[0]


def test_a_kept_state_goes_on_as_if_nothing_had_happened():
    found, states = search(rounds=3), []
    end = run(found, on_step=lambda state, record: states.append(state))
    again = run(search(rounds=3), WholeTrainingsState.from_dict(deepcopy(states[0].to_dict())))
    assert same(again.found, end.found)
    assert again.outer_steps == 3
    assert [state.done for state in states] == [1, 2, 3]


def test_the_gradient_on_folds_is_the_mean_of_theirs():
    from autobalance.data import FoldedSamples

    pool, index = TRAIN.join(VALIDATION), torch.randperm(95, generator=torch.Generator().manual_seed(0))
    held = index[:60].view(2, 30)
    rest = torch.stack([torch.tensor([i for i in index.tolist() if i not in set(part.tolist())]) for part in held])
    folded = search(train_part=FoldedSamples(pool, rest), validation=FoldedSamples(pool, held))
    together = folded.step(folded.init())[0].best.gradient
    apart = []
    for part, other in zip(held, rest, strict=True):
        one = search(train_part=pool.subset(other), validation=pool.subset(part))
        apart.append(one.step(one.init())[0].best.gradient)
    for name in NAMES:
        mean = torch.stack([gradient[f"log_{name}"] for gradient in apart]).mean()
        torch.testing.assert_close(together[f"log_{name}"], mean)


def test_its_progress_is_told_and_never_runs_backwards():
    found, seen = search(rounds=2), []
    run(found, on_share=seen.append)
    assert seen == sorted(seen)
    assert seen[0] > 0
    assert 1.9 < seen[-1] < 2
    assert len(seen) > 2 * found.unroll


def test_what_cannot_be_followed_is_refused():
    with pytest.raises(InputError, match="schedule"):
        search(searched=space(start="ldam-drw", free=("l",)))
    with pytest.raises(InputError, match="schedule"):
        search(searched=space(late=("w",)))
    for given in ({"outer": OuterLoop()}, {"hypergradient": Replay(3)}, {"budget": 4}):
        with pytest.raises(InputError, match="has no effect with the `strategy` whole"):
            strategy_of(rounds=1, **given)
    with pytest.raises(InputError, match="`rounds` is 0"):
        WholeTrainings(0)
    compiled = make_trainee(linear(3), (TRAIN, VALIDATION), space(), recipe=replace(RECIPE, compiled=True))
    with pytest.raises(InputError, match="`compiled` has no effect"):
        by_whole_trainings(compiled)


def test_the_record_is_of_the_numbers_that_were_trained_with_and_the_state_of_those_that_were_found():
    found, records = search(rounds=2), []
    start = found.trainee.space.loss.loss(found.init().found).l.tolist()
    state = run(found, on_step=lambda state, record: records.append((state, record)))
    assert records[0][1]["parameters"]["l"] == start
    between = found.trainee.space.loss.loss(records[0][0].found).l.tolist()
    assert records[1][1]["parameters"]["l"] == between != start
    assert found.trainee.space.found(state.found).loss.l.tolist() != between


def test_few_of_the_rarest_class_are_worth_few_samples():
    assert space().balance == pytest.approx(9 / sum(63 / count for count in COUNTS))
    even = LossSpace(fixed_point("la", [5, 5]), torch.tensor([5, 5]), ("w",), "class")
    assert even.balance == pytest.approx(1)


def test_batches_that_are_augmented_fall_the_same_way_on_the_way_back():
    images = Samples(torch.randn(12, 1, 8, 8, dtype=torch.float64), torch.arange(12) % 3)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 3)).double()
    recipe = replace(RECIPE, epochs=2, batch_size=6, augment="crop-flip")
    trainee = make_trainee(model, (images, images), space(("l",)), OBJECTIVE, recipe)
    found = by_whole_trainings(trainee, seed=3)
    batches = found._draw(1, torch.arange(6)).x, found._draw(1, torch.arange(6)).x
    torch.testing.assert_close(*batches, rtol=0, atol=0)
    assert not torch.equal(batches[0], found._draw(2, torch.arange(6)).x)
    assert found.step(found.init())[0].best.gradient["l"].isfinite().all()
