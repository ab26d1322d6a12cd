"""A method and the steps around its loss, each against its definition."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from autobalance.common import InputError
from autobalance.data import DataOptions, Samples, load
from autobalance.data.augmentation import Policy
from autobalance.losses import CSL, Loss, ReleasedCSL, ScheduledLoss, save_loss
from autobalance.losses.named import effective_number_weights, fixed_point
from autobalance.models import Calibrated, CosineLinear, Smoothing, make_model
from autobalance.study import (
    Changes,
    Method,
    Ready,
    Step,
    methods_of,
    named_method,
    register_step,
    search_method,
    searched_run,
    train_methods,
    tunable_search,
    unregister_step,
)
from autobalance.training import Recipe, Setting, setting_of

RECIPE = Recipe(epochs=2)


@pytest.fixture(scope="module")
def setting() -> Setting:
    return setting_of(load("digits"), "mlp")


def trained(setting: Setting, method: Method | str, recipe: Recipe = RECIPE, **hyper: float) -> nn.Module:
    method = (named_method(method) if isinstance(method, str) else method).at(hyper)
    return method.train(setting, setting.problem.train, 0, recipe)


def with_counts(setting: Setting, counts: list[int]) -> Samples:
    y = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    return Samples(setting.problem.train.first().expand(len(y), -1, -1, -1), y)


def loss_of(setting: Setting, method: Method, counts: list[int], **hyper: float) -> Loss:
    method = method.at(hyper)
    return method.loss_of(method.training(setting, with_counts(setting, counts), 0, RECIPE))


TAIL = [100] * 9 + [10]


def test_posthoc_lowers_the_logits_by_the_prior(setting: Setting) -> None:
    x = setting.problem.validation.x
    plain = trained(setting, "ce").eval()(x)
    adjusted = trained(setting, "la-posthoc", posthoc_tau=0.7).eval()(x)
    counts = torch.bincount(setting.problem.train.y).double()
    torch.testing.assert_close(adjusted, plain - 0.7 * torch.log(counts / counts.sum()).float())


def test_drw_switches_the_weights_on_late(setting: Setting) -> None:
    loss = loss_of(setting, named_method("la+drw"), TAIL, tau=1.0, drw_beta=0.99, drw_start=0.6)
    assert isinstance(loss, ScheduledLoss)
    early, late = loss.at(0.59), loss.at(0.6)
    assert torch.equal(early.w, torch.ones(10))  # type: ignore[arg-type]
    torch.testing.assert_close(late.w, effective_number_weights(torch.tensor(TAIL).double(), 0.99).float())
    torch.testing.assert_close(early.l, late.l)


@pytest.mark.parametrize(("step", "term"), [("+csl", CSL), ("+csl-released", ReleasedCSL)])
@pytest.mark.parametrize("base", ["ldam", "la", "ib", "la+drw"])
def test_csl_is_added_to_any_base(setting: Setting, base: str, step: str, term: type) -> None:
    bare, method = named_method(base), named_method(base + step)
    assert (method.head, set(method.hyper)) == (bare.head, {*bare.hyper, "strength", "reward"})
    loss = loss_of(setting, method, TAIL, strength=0.3)
    assert all(isinstance(stage.loss, term) for stage in loss.stages)
    first = loss.stages[0].loss
    assert (first.csl.item() if term is CSL else first.strength) == pytest.approx(0.3)
    logits, y, features = torch.randn(20, 10), torch.arange(20) % 10, torch.randn(20, 5)
    alone = loss_of(setting, bare, TAIL)
    for progress in (0.0, 0.4, 0.9):
        for its in (loss.eval(), alone.eval()):
            its.start_epoch(progress)
        assert torch.equal(loss(logits, y, features=features), alone(logits, y, features=features))


def test_csl_in_front_of_or_behind_a_step_is_the_same(setting: Setting) -> None:
    x = setting.problem.validation.x
    first, second = (trained(setting, name)(x) for name in ("la+drw+csl", "la+csl+drw"))
    assert torch.equal(first, second)
    with pytest.raises(InputError, match="called reward"):
        named_method("csl+csl-released")


def own_setting(setting: Setting, make: Callable[..., nn.Module]) -> Setting:
    return setting_of(replace(setting.problem, make_model=make))


def test_a_model_of_ones_own_may_offer_a_head_of_cosines(setting: Setting) -> None:
    def plain() -> nn.Module:
        return make_model("mlp", (1, 8, 8), 10)

    def choice(head: str = "linear") -> nn.Module:
        return make_model("mlp", (1, 8, 8), 10, head=head)

    named_method("la").check(own_setting(setting, plain), RECIPE)
    with pytest.raises(InputError, match='an argument head="linear"'):
        named_method("ldam+drw").check(own_setting(setting, plain), RECIPE)
    named_method("ldam+drw").check(own_setting(setting, choice), RECIPE)
    assert isinstance(trained(own_setting(setting, choice), "ldam").head, CosineLinear)
    assert isinstance(trained(own_setting(setting, choice), "la").head, nn.Linear)


def test_every_named_method_has_the_head_of_its_loss(setting: Setting) -> None:
    heads = {method.name: method.head for method in methods_of(["all"])}
    assert {name for name, head in heads.items() if head == "cosine"} == {"ldam", "ldam-drw"}
    both = train_methods([named_method("ldam"), named_method("la")], setting, setting.problem.train, 0, RECIPE)
    assert [type(model.head) for model in both] == [CosineLinear, nn.Linear]  # type: ignore[union-attr]


@pytest.mark.parametrize(("name", "head"), [("ldam-drw", "cosine"), ("vs", "linear")])
def test_a_loss_file_with_margins_has_a_head_of_cosines(name: str, head: str, tmp_path: Path) -> None:
    save_loss(fixed_point(name, [9, 4]), tmp_path / "loss.json")  # type: ignore[arg-type]
    (method,) = searched_run(tmp_path / "loss.json").methods()
    assert method.head == head
    with pytest.raises(InputError, match="there is no file"):
        searched_run(tmp_path / "nowhere.json")


def test_crt_after_augmented_training() -> None:
    images = setting_of(load("digits"), "cnn")
    model = trained(images, "crt", Recipe(epochs=1, augment="crop-flip"))
    assert torch.isfinite(model(images.problem.validation.x)).all()


def test_rotations_pre_train_the_body(setting: Setting) -> None:
    quiet = Recipe(epochs=1, lr=1e-12)
    plain, after = (trained(setting, name, quiet) for name in ("ce", "ce+ssp"))
    assert torch.allclose(plain.head.weight, after.head.weight)  # type: ignore[union-attr, arg-type]
    learnt, once = (trained(setting, name, Recipe(epochs=1, lr=0.1)) for name in ("ce+ssp", "ce"))
    assert not torch.equal(next(learnt.parameters()), next(once.parameters()))


def test_what_rotations_cannot_be_told_of(setting: Setting) -> None:
    with pytest.raises(InputError, match="its body has no weights"):
        named_method("ce+ssp").check(setting_of(load("digits"), "linear"), RECIPE)
    flat = replace(setting.problem, train=Samples(setting.problem.train.x.flatten(1), setting.problem.train.y))
    with pytest.raises(InputError, match="rotates square images"):
        named_method("ce+ssp").check(setting_of(flat, "mlp"), RECIPE)


def test_lds_is_there_for_ordered_classes(setting: Setting) -> None:
    from autobalance import lds_weights

    counts = [100, 80, 60, 40, 30, 20, 15, 12, 11, 10]
    loss = loss_of(setting, named_method("lds"), counts, ks=3, sigma=1.0)
    torch.testing.assert_close(loss.w, lds_weights(counts, ks=3, sigma=1.0).float())  # type: ignore[arg-type]
    assert "lds" not in {method.name for method in methods_of(["all"])}


def test_names_of_every_kind_of_task() -> None:
    assert [m.name for m in methods_of(["la", "ce", "la"])] == ["la", "ce"]
    grouped = {m.name for m in methods_of(["all"], grouped=True)} - {m.name for m in methods_of(["all"])}
    assert grouped == {"group-weighted", "group-la", "group-vs", "group-dro"}
    regression = methods_of(["all"], "regression")
    names = ["l1", "mse", "huber", "inv", "sqinv", "lds", "focal-r", "balanced-mse"]
    assert [m.name for m in regression] == names and regression[-1].hyper == {"noise_sigma": 0.2}
    for name, task, words in (
        ("nope", "classification", "'nope' is no method"),
        ("la+nope", "classification", "unknown step '.nope'"),
        ("la+drw+drw", "classification", "a step twice"),
        ("ldam-drw+drw", "classification", "called drw_start"),
        ("la", "regression", "'la' is no method for the `task` regression"),
        ("l1+drw", "regression", "'l1\\+drw' is no method"),
    ):
        with pytest.raises(InputError, match=words):
            named_method(name, task)


def test_a_step_of_ones_own_stands_behind_any_loss(setting: Setting) -> None:
    def halved(model: nn.Module, training: object) -> nn.Module:
        return nn.Sequential(model, nn.Threshold(-1e9, 0.0))

    register_step(Step("+own", "nothing", after=halved))
    try:
        assert isinstance(trained(setting, "la+own"), nn.Sequential)
        with pytest.raises(InputError, match=r"there is a step \+own already"):
            register_step(Step("+own", "again"))
    finally:
        unregister_step("+own")
    with pytest.raises(InputError, match="begins with"):
        register_step(Step("own", "nothing"))


def test_recipe_policy_and_smoothing_are_the_methods_own() -> None:
    setting = setting_of(load("diabetes", DataOptions(task="regression")), "mlp")
    edges = setting.problem.bin_edges
    assert edges is not None
    plain = named_method("l1", "regression")
    slow = trained(setting, replace(plain, recipe=Changes({"lr": 1e-12})))
    fresh = setting.new_model(0)
    for ours, theirs in zip(slow.parameters(), fresh.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)
    smooth = trained(setting, replace(plain, smoothing=Smoothing("last", edges, 0.4)))
    assert isinstance(smooth, Calibrated) and smooth.layer.strength == 0.4


def test_several_are_trained_together_as_each_alone(setting: Setting) -> None:
    methods = [named_method(name) for name in ("ce", "la", "ldam", "crt", "ce+ssp", "la-posthoc")]
    samples, x = setting.problem.train, setting.problem.validation.x
    together = train_methods(methods, setting, samples, 0, RECIPE)
    for method, model in zip(methods, together, strict=True):
        assert model is not None
        alone = method.train(setting, samples, 0, RECIPE)
        torch.testing.assert_close(model.eval()(x), alone.eval()(x), rtol=1e-3, atol=1e-4)


def test_one_that_diverges_leaves_the_others_alone(setting: Setting) -> None:
    broken = Method("broken", Ready(fixed_point("ce", [1] * 10).replace(delta=torch.full((10,), 1e38))))  # type: ignore[attr-defined]
    samples = setting.problem.train
    found = train_methods([broken, named_method("la")], setting, samples, 0, RECIPE)
    assert found[0] is None and found[1] is not None
    alone = trained(setting, "la")
    assert all(torch.equal(a, b) for a, b in zip(found[1].parameters(), alone.parameters(), strict=True))


def test_what_a_search_found_is_trained_with(setting: Setting) -> None:
    recipe = Recipe(epochs=3)
    method = search_method("ours", {"free": ["w", "lr", "weight_decay"], "outer": {"every": 5, "warmup": 0.0}})
    ready, found = method.prepared(setting, recipe, 0)
    assert found is not None and set(found["recipe"]) == {"lr", "weight_decay"} and math.isfinite(found["recipe"]["lr"])
    assert ready.recipe(recipe, {}).lr == found["recipe"]["lr"]
    again = method.found(found)
    x = setting.problem.validation.x
    first, second = (m.train(setting, setting.problem.train, 0, recipe)(x) for m in (ready, again))
    assert torch.equal(first, second)
    assert named_method("la").prepared(setting, recipe, 0)[1] is None


def test_a_searched_augmentation_is_trained_with(setting: Setting) -> None:
    method = search_method(
        "ours", {"strategy": "interleaved", "free": ["augment"], "outer": {"every": 5, "warmup": 0.0}}
    )
    found = method.prepared(setting, Recipe(epochs=3), 0)[1]
    assert found is not None
    ready = method.found(found)
    assert isinstance(ready.policy, Policy) and not ready.is_plain
    with_it, without = (
        m.train(setting, setting.problem.train, 0, RECIPE) for m in (ready, replace(ready, policy=None))
    )
    assert not torch.equal(next(with_it.parameters()), next(without.parameters()))


@pytest.mark.parametrize(
    ("keywords", "words"),
    [
        ({"sped": 3}, "'sped'"),
        ({"outer": {"evry": 3}}, "'evry'"),
        ({"hypergradient": "nope"}, "'nope'"),
        ({"rounds": 1, "unroll": 5}, "unroll has no effect"),
        ({"regression": {"sped": 3}}, "'sped'"),
    ],
)
def test_keywords_that_no_search_has(keywords: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        search_method("ours", keywords)


def samples_of(setting: Setting, name: str, **hyper: float) -> Samples:
    method = named_method(name).at(hyper)
    (step,) = (step for step in method.steps if step.samples is not None)
    assert step.samples is not None
    return step.samples(method.training(setting, setting.problem.train, 0, RECIPE))


def test_subsampling_takes_as_many_of_each_cell(setting: Setting) -> None:
    counts = setting.problem.train.y.bincount()
    kept = samples_of(setting, "ce+subsample")
    assert kept.y.bincount().tolist() == [int(counts.min())] * 10 and counts.min() < counts.max()
    rows = {tuple(x.flatten().tolist()) for x in setting.problem.train.x}
    assert all(tuple(x.flatten().tolist()) in rows for x in kept.x)
    of_groups = setting_of(load("digits-groups"), "mlp")
    cells = of_groups.problem.train.cell_counts(2, 2)
    assert torch.equal(samples_of(of_groups, "ce+subsample").cell_counts(2, 2), torch.full((2, 2), int(cells.min())))


def test_just_train_twice_repeats_the_errors_of_a_short_training(setting: Setting) -> None:
    samples = setting.problem.train
    first = trained(setting, "ce", Recipe(epochs=1)).eval()
    with torch.no_grad():
        wrong = first(samples.x).argmax(1) != samples.y
    assert 5 < wrong.sum() < len(samples)
    found = samples_of(setting, "ce+jtt", jtt_share=0.5, jtt_factor=4)
    expected = torch.cat([samples.x, *[samples.x[wrong]] * 3])
    assert torch.equal(found.x, expected) and len(found.y) == len(expected)
    plain, twice = trained(setting, "ce"), trained(setting, "ce+jtt", jtt_share=0.5, jtt_factor=4)
    assert not torch.equal(next(plain.parameters()), next(twice.parameters()))


@pytest.mark.parametrize("name", ["ib", "ib-cb", "ib-focal"])
def test_influence_balancing_has_the_released_drop_of_the_learning_rate(setting: Setting, name: str) -> None:
    recipe = Recipe(epochs=10, lr=0.1)
    method = named_method(name)
    assert method.training(setting, setting.problem.train, 0, recipe).recipe.drop == (0.5, 0.01)
    assert method.at({"start": 0.25}).training(setting, setting.problem.train, 0, recipe).recipe.drop == (0.25, 0.01)
    assert named_method("ce").training(setting, setting.problem.train, 0, recipe).recipe.drop is None
    errors = {}
    for its in (method, named_method("ce"), replace(method, recipe=Changes())):
        model = its.train(setting, setting.problem.train, 0, recipe).eval()
        with torch.no_grad():
            wrong = model(setting.problem.validation.x).argmax(1) != setting.problem.validation.y
        errors[its.name, its.recipe == method.recipe] = wrong.float().mean().item()
    assert errors[name, True] < errors["ce", False] + 0.1, "it does not collapse"
    assert errors[name, False] > errors[name, True] + 0.2, "without the drop it does"


def test_methods_can_be_sent_to_other_processes(setting: Setting) -> None:
    for method in (*methods_of(["all", "ldam+csl", "la+drw+crt"]), tunable_search()):
        sent = pickle.loads(pickle.dumps(method))
        assert (sent.name, sent.head, sent.hyper) == (method.name, method.head, method.hyper)
    weights: list[Tensor] = []
    for method in (named_method("vs"), pickle.loads(pickle.dumps(named_method("vs")))):
        weights.append(next(trained(setting, method).parameters()))
    assert torch.equal(*weights)


def test_a_loss_that_does_not_fit_is_refused(setting: Setting) -> None:
    for loss, words in (
        (fixed_point("la", [3, 2, 1]), "a loss for 3 classes, the data have 10"),
        (fixed_point("group-la", cell_counts=[[3, 2]] * 10), "a loss for 2 groups, the data have none"),
        (fixed_point("l1", bin_counts=[3, 2], bin_edges=[0.0, 1.0, 2.0]), "a loss for the `task` regression"),
    ):
        with pytest.raises(InputError, match=words):
            Method("searched", Ready(loss)).check(setting, RECIPE)
