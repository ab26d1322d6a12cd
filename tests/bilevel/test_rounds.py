"""The search by whole trainings: its gradient against plain trainings, its steps against the formula."""

from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from toy import gaussians, linear, same

from autobalance.bilevel import Bilevel, LossSpace, OuterLoop, Rounds, SearchState, make_search, run
from autobalance.bilevel._rounds import CURVATURE, CUT, HALF_TRUSTED, TRUST
from autobalance.common import InputError
from autobalance.data import Samples
from autobalance.hypergradients import Hypergradient, Replay
from autobalance.losses.named import fixed_point
from autobalance.tasks import balanced_error_of, outputs
from autobalance.tasks.objectives import make_objective
from autobalance.training import Recipe, train

COUNTS = [40, 17, 6]
TRAIN, VALIDATION = gaussians(COUNTS, 0), gaussians([20, 9, 3], 1)
RECIPE = Recipe(epochs=6, batch_size=16, lr=0.1, warmup_epochs=1)  # 4 batches an epoch
OBJECTIVE = make_objective("balanced_error")
RATES = ("lr", "weight_decay")


def space(free=("w", "l", "delta"), start="la", **settings):
    return LossSpace(fixed_point(start, COUNTS, dtype=torch.float64), torch.tensor(COUNTS), free, **settings)


def search(rounds=1, searched=None, train_part=TRAIN, validation=VALIDATION, rates=RATES):
    return Rounds(linear(3), train_part, validation, searched or space(), OBJECTIVE, RECIPE, 0, rates, rounds=rounds)


def trained_objective(found, raw):
    """The objective after a plain training, as a retraining would do it, with the loss and the recipe at ``raw``."""
    model = linear(3)
    train(model, TRAIN, found.space.loss(raw), found.found_recipe(raw), seed=0)
    return OBJECTIVE(outputs(model, VALIDATION), VALIDATION.all()).item()


def test_the_gradient_is_that_of_whole_plain_trainings():
    found = search()
    state, record = found.epoch(found.init())
    first = found.init().raw
    assert state.outer["objective"] == pytest.approx(trained_objective(found, first), rel=1e-8)  # the rates are float32
    assert record["objective"] == pytest.approx(state.outer["objective"], rel=1e-9)
    for name, value in first.items():
        step = 1e-4
        up, down = ({**first, name: value + sign * step} for sign in (1, -1))
        slope = (trained_objective(found, up) - trained_objective(found, down)) / (2 * step)
        assert state.outer["gradient"][name].sum().item() == pytest.approx(slope, rel=1e-5, abs=1e-10), name


def test_the_next_numbers_are_a_bounded_newton_step():
    found = search()
    state = found.init()
    gradient = {name: torch.full_like(value, 0.01) for name, value in state.raw.items()}
    gradient["log_lr"] = torch.tensor(-30.0, dtype=torch.float64)
    after = found._outer_step(state, Hypergradient(gradient, 0.5, 1.0))
    effective = 32 * 9 / sum(63 / count for count in COUNTS)
    trusted = effective / (effective + HALF_TRUSTED)
    for name in ("w", "l", "delta"):
        assert after.raw[name].item() == pytest.approx(-trusted * 0.01 / (CURVATURE[name] * 0.5))
    assert after.raw["log_weight_decay"].item() == pytest.approx(TRUST["log_weight_decay"][0])
    assert after.raw["log_lr"].item() == pytest.approx(TRUST["log_lr"][1])


def test_a_step_that_made_it_worse_is_taken_back_and_cut():
    found = search(rounds=3)
    begun = found.init()
    gradient = {name: torch.full_like(value, 0.001) for name, value in begun.raw.items()}
    first = found._outer_step(begun, Hypergradient(gradient, 0.5, 1.0))
    other = {name: -value for name, value in gradient.items()}
    second = found._outer_step(first, Hypergradient(other, 0.6, 1.0))
    for name, value in first.raw.items():
        torch.testing.assert_close(second.raw[name], CUT * value)
    third = found._outer_step(second, Hypergradient(other, 0.4, 1.0))  # better: goes on from there, by steps as short
    for name in RATES:
        step = CUT * 0.001 / (CURVATURE[f"log_{name}"] * 0.4)
        torch.testing.assert_close(third.raw[f"log_{name}"], second.raw[f"log_{name}"] + step)


def test_the_second_training_is_better_than_the_first():
    found = search(rounds=2, rates=("lr",))
    objectives = []
    run(found, on_epoch=lambda state, record: objectives.append(record["objective"]))
    assert len(objectives) == 2
    assert objectives[1] < objectives[0]


def test_a_kept_state_goes_on_as_if_nothing_had_happened():
    found, states = search(rounds=3), []
    end = run(found, on_epoch=lambda state, record: states.append(state))
    again = run(search(rounds=3), SearchState.from_dict(deepcopy(states[0].to_dict())))
    assert same(again.raw, end.raw)
    assert again.outer_steps == 3
    assert [state.epoch for state in states] == [1, 2, 3]


def test_the_gradient_on_folds_is_the_mean_of_theirs():
    from autobalance.data import FoldedSamples

    pool, index = TRAIN.join(VALIDATION), torch.randperm(95, generator=torch.Generator().manual_seed(0))
    held = index[:60].view(2, 30)
    rest = torch.stack([torch.tensor([i for i in index.tolist() if i not in set(part.tolist())]) for part in held])
    folded = search(train_part=FoldedSamples(pool, rest), validation=FoldedSamples(pool, held))
    together = folded.epoch(folded.init())[0].outer["gradient"]
    apart = []
    for part, other in zip(held, rest, strict=True):
        one = search(train_part=pool.subset(other), validation=pool.subset(part))
        apart.append(one.epoch(one.init())[0].outer["gradient"])
    for name in RATES:
        mean = torch.stack([gradient[f"log_{name}"] for gradient in apart]).mean()
        torch.testing.assert_close(together[f"log_{name}"], mean)


def test_its_progress_is_told_and_never_runs_backwards():
    found, seen = search(rounds=2), []
    found.on_part = seen.append
    run(found)
    assert seen == sorted(seen)
    assert seen[0] > 0
    assert 1.9 < seen[-1] < 2
    assert len(seen) > 2 * found.length


def test_what_cannot_be_followed_is_refused():
    with pytest.raises(InputError, match="schedule"):
        search(searched=space(start="ldam-drw", free=("l",)))
    with pytest.raises(InputError, match="schedule"):
        search(searched=space(late=("w",)))
    parts = linear(3), TRAIN, VALIDATION, space(), OBJECTIVE
    settings = {"recipe": RECIPE, "seed": 0, "rates": (), "watch": balanced_error_of, "augmentation": None}
    for outer, engine in ((OuterLoop(), None), (None, Replay(3))):
        with pytest.raises(InputError, match="no effect"):
            make_search(1, *parts, engine=engine, outer=outer, strength=False, **settings)
    with pytest.raises(InputError, match="the strength of FDS"):
        make_search(1, *parts, engine=None, outer=None, strength=True, **settings)
    assert type(make_search(None, *parts, engine=Replay(3), outer=None, strength=False, **settings)) is Bilevel


def test_few_of_the_rarest_class_are_worth_few_samples():
    assert space().balance == pytest.approx(9 / sum(63 / count for count in COUNTS))
    even = LossSpace(fixed_point("la", [5, 5]), torch.tensor([5, 5]), ("w",), "class")
    assert even.balance == pytest.approx(1)


def test_batches_that_are_augmented_fall_the_same_way_on_the_way_back():
    images = Samples(torch.randn(12, 1, 8, 8, dtype=torch.float64), torch.arange(12) % 3)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 3)).double()
    recipe = replace(RECIPE, epochs=2, batch_size=6, augment="crop-flip")
    found = Rounds(model, images, images, space(("l",)), OBJECTIVE, recipe, 3, ())
    batches = found._drawn(1, torch.arange(6)).x, found._drawn(1, torch.arange(6)).x
    torch.testing.assert_close(*batches, rtol=0, atol=0)
    assert not torch.equal(batches[0], found._drawn(2, torch.arange(6)).x)
    assert found.epoch(found.init())[0].outer["gradient"]["l"].isfinite().all()
