"""The steps around a loss, each against its definition."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from autobalance.cli._setting import open_setting
from autobalance.common import InputError
from autobalance.losses import CSL, ReleasedCSL, ScheduledLoss, save_loss
from autobalance.losses.named import effective_number_weights, fixed_point
from autobalance.models import CosineLinear, make_model
from autobalance.tasks import task_of
from autobalance.training import Recipe, Setting, setting_of
from experiments.judge import train_and_judge
from experiments.methods import Job
from experiments.methods._crt import ClassBalanced
from experiments.methods._parse import named, parse_methods
from experiments.methods._searched import from_file
from experiments.options import CompareOptions
from experiments.yardsticks import ClassErrors

RECIPE = Recipe(epochs=2)


@pytest.fixture(scope="module")
def task() -> Setting:
    return open_setting(CompareOptions(model="mlp"))


def job(task: Setting, name: str, recipe: Recipe = RECIPE, **hyper: float) -> Job:
    return Job(task, task.problem.train, recipe, 0, {**named(name).defaults, **hyper})


def test_posthoc_lowers_the_logits_by_the_prior(task: Setting) -> None:
    x = task.problem.validation.x
    plain = named("ce").train(job(task, "ce")).eval()(x)
    adjusted = named("la-posthoc").train(job(task, "la-posthoc", posthoc_tau=0.7)).eval()(x)
    counts = torch.bincount(task.problem.train.y).double()
    torch.testing.assert_close(adjusted, plain - 0.7 * torch.log(counts / counts.sum()).float())


def test_drw_switches_the_weights_on_late(task: Setting) -> None:
    counts = torch.tensor([100] * 9 + [10])
    loss = named("la+drw").loss(task_of(task.problem), counts, {"tau": 1.0, "drw_beta": 0.99, "drw_start": 0.6})
    assert isinstance(loss, ScheduledLoss)
    early, late = loss.at(0.59), loss.at(0.6)
    assert torch.equal(early.w, torch.ones(10))  # type: ignore[arg-type]
    torch.testing.assert_close(late.w, effective_number_weights(counts.double(), 0.99).float())
    torch.testing.assert_close(early.l, late.l)


@pytest.mark.parametrize(("step", "term"), [("+csl", CSL), ("+csl-released", ReleasedCSL)])
@pytest.mark.parametrize("base", ["ldam", "la", "ib", "la+drw"])
def test_csl_is_added_to_any_base(task: Setting, base: str, step: str, term: type) -> None:
    counts = torch.tensor([100] * 9 + [10])
    bare, method = named(base), named(base + step)
    assert (method.head, set(method.defaults)) == (bare.head, {*bare.defaults, "strength", "reward"})
    loss = method.loss(task_of(task.problem), counts, {**method.defaults, "strength": 0.3})
    assert isinstance(loss, term)
    assert loss.strength == 0.3
    logits, y, features = torch.randn(20, 10), torch.arange(20) % 10, torch.randn(20, 5)
    alone = bare.loss(task_of(task.problem), counts, bare.defaults)
    for progress in (0.0, 0.4, 0.9):
        for its in (loss.eval(), alone.eval()):
            its.start_epoch(progress)
        assert torch.equal(loss(logits, y, features=features), alone(logits, y, features=features))


def test_csl_in_front_of_or_behind_a_step_is_the_same(task: Setting) -> None:
    x = task.problem.validation.x
    first, second = (named(name).train(job(task, name))(x) for name in ("la+drw+csl", "la+csl+drw"))
    assert torch.equal(first, second)
    with pytest.raises(InputError, match="called reward"):
        named("csl+csl-released")


def own_task(task: Setting, make: Callable[..., nn.Module]) -> Setting:
    return setting_of(replace(task.problem, make_model=make))


def test_a_model_of_ones_own_may_offer_a_head_of_cosines(task: Setting) -> None:
    def plain() -> nn.Module:
        return make_model("mlp", (1, 8, 8), 10)

    def choice(head: str = "linear") -> nn.Module:
        return make_model("mlp", (1, 8, 8), 10, head=head)

    named("la").check(own_task(task, plain))
    with pytest.raises(InputError, match='an argument head="linear"'):
        named("ldam+drw").check(own_task(task, plain))
    named("ldam+drw").check(own_task(task, choice))
    model = named("ldam").train(job(own_task(task, choice), "ldam"))
    assert isinstance(model.head, CosineLinear)
    assert isinstance(named("la").train(job(own_task(task, choice), "la")).head, nn.Linear)


@pytest.mark.parametrize(("name", "head"), [("ldam-drw", "cosine"), ("vs", "linear")])
def test_a_loss_file_with_margins_has_a_head_of_cosines(name: str, head: str, tmp_path: Path) -> None:
    save_loss(fixed_point(name, [9, 4]), tmp_path / "loss.json")  # type: ignore[arg-type]
    assert from_file(str(tmp_path / "loss.json")).head == head


def test_crt_keeps_the_body_and_changes_the_head(task: Setting) -> None:
    plain, again = (named(name).train(job(task, name)) for name in ("ce", "crt"))
    for before, after in zip(plain.body.parameters(), again.body.parameters(), strict=True):
        assert torch.equal(before, after)
    assert not torch.equal(plain.head.weight, again.head.weight)


def test_crt_after_augmented_training() -> None:
    images = open_setting(CompareOptions(model="cnn"))
    model = named("crt").train(job(images, "crt", Recipe(epochs=1, augment="crop-flip")))
    assert torch.isfinite(model(images.problem.validation.x)).all()


def test_class_balanced_batches() -> None:
    y = torch.tensor([0] * 900 + [1] * 90 + [2] * 10)
    recipe = ClassBalanced(batch_size=100, y=y)
    batches = [b for seed in range(5) for b in recipe.batches(1000, torch.Generator().manual_seed(seed))]
    assert {len(batch) for batch in batches} == {100}
    drawn = torch.bincount(y[torch.cat(batches)])
    assert (drawn - 5000 / 3).abs().max() < 5 * (5000 * 2 / 9) ** 0.5


def test_rotations_pre_train_the_body(task: Setting) -> None:
    quiet = Recipe(epochs=1, lr=1e-12)
    plain, after = (named(name).train(job(task, name, quiet)) for name in ("ce", "ce+ssp"))
    assert torch.allclose(plain.head.weight, after.head.weight)
    assert all(isinstance(module, nn.Module) for module in (plain, after))
    learnt = named("ce+ssp").train(job(task, "ce+ssp", Recipe(epochs=1, lr=0.1)))
    once = named("ce").train(job(task, "ce", Recipe(epochs=1, lr=0.1)))
    assert not torch.equal(next(learnt.parameters()), next(once.parameters()))


def test_diverged_training_counts_as_a_constant_prediction(task: Setting) -> None:
    diverging = job(task, "ce", Recipe(epochs=2, lr=1e30))
    outcome = train_and_judge(named("ce"), [(diverging, task.problem.validation)], ClassErrors(), (100, 20))
    assert outcome.diverged
    assert outcome.figures["balanced_error"] == pytest.approx(90.0)


def test_lds_is_there_for_ordered_classes(task: Setting) -> None:
    from autobalance import lds_weights

    counts = torch.tensor([100, 80, 60, 40, 30, 20, 15, 12, 11, 10])
    loss = named("lds").loss(task_of(task.problem), counts, {"ks": 3, "sigma": 1.0})
    torch.testing.assert_close(loss.w, lds_weights(counts, ks=3, sigma=1.0).float())  # type: ignore[arg-type]
    assert "lds" not in {method.name for method in parse_methods(CompareOptions(losses=("all",)))}
