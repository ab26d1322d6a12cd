"""The ablation of regression methods: plans, made-up samples, its parts in training, and the table."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from autobalance import FDS
from autobalance.cli import OpenConditions
from autobalance.common import InputError
from autobalance.data import Samples
from autobalance.models import Calibrated
from autobalance.study import Desk
from experiments import ablate_regression
from experiments.regression._cells import ChooseRate, cells_of
from experiments.regression._methods import InstanceNorm, method_of, with_layer
from experiments.regression._plan import CHOICES, Parts, Plan, read_plan
from experiments.regression._smote import smote

INV = "method: {weight: inv}\n"
EDGES = torch.tensor([0.0, 1.0, 2.0, 3.0], dtype=torch.float64)


def plan_of(tmp_path, text):
    (tmp_path / "plan.yaml").write_text(text)
    return read_plan(tmp_path / "plan.yaml")


def test_the_plan_that_is_kept():
    plan = read_plan(ablate_regression.PLAN)
    methods = plan.methods
    assert methods["full method"] == Parts(weight="lds", layer="fds")
    assert methods["without both"] == Parts()
    assert methods["batch norm for FDS"] == Parts(weight="lds", layer="batch-norm")
    assert methods["SMOTE on bins"] == Parts(data="smote")
    assert methods["searched weights"] == Parts(weight="searched")
    assert len(set(methods.values())) == len(methods) and plan.metrics == ("mae", "mse", "gm", "balanced_mae")
    used = {(part, getattr(method, part)) for method in methods.values() for part in CHOICES}
    every = {(part, value) for part, values in CHOICES.items() for value in values}
    assert every - used == {("layer", "instance-norm")}  # of images


def test_the_plan_of_a_reader():
    plan = read_plan(ablate_regression.PLAN.parent / "deep_imbalanced_regression.yaml")
    whole = Parts(weight="lds", layer="fds", kernel="laplace")
    assert list(plan.methods.values()) == [
        whole,
        replace(whole, weight="none"),
        replace(whole, layer="batch-norm"),
        replace(whole, kernel="gaussian"),
        replace(whole, place="input"),
        replace(whole, weight="none", layer="none", data="smote"),
    ]
    assert plan.metrics == ("mae", "mse")


def test_changes_follow_one_another(tmp_path):
    text = "method: {weight: inv}\nmetrics: [gm]\nablations:\n- {name: a, changes: [{part: weight, action: remove}, "
    plan = plan_of(
        tmp_path, text + "{part: weight, action: add, replacement: lds}, {part: ks, action: replace, replacement: 9}]}"
    )
    assert plan == Plan({"full method": Parts(weight="inv"), "a": Parts(weight="lds", ks=9)}, ("gm",))


@pytest.mark.parametrize(
    "text, words",
    [
        ("[1]", "should hold method"),
        ("a: [", "cannot be read as YAML"),
        ("methods: {}", "should hold method"),
        ("metrics: [accuracy]", "'accuracy' is none of mae, mse, gm"),
        ("method: {weights: lds}", "there is no part 'weights'"),
        ("method: {weight: ldss}", "weight 'ldss' is none of none, inv"),
        ("method: {ks: five}", "ks is 'five', not a number"),
        ("method: {place: 3}", "place is 3"),
        ("ablations: [{part: weight, action: remove}]", "needs a name"),
        ("ablations: [{name: a, part: weight, action: drop}]", "a: action 'drop' is none of remove, replace, add"),
        ("ablations: [{name: a, part: weight, action: remove}]", "there is no weight to remove"),
        ("ablations: [{name: a, part: ks, action: remove}]", "'ks' can only be replaced"),
        ("ablations: [{name: a, part: weight, action: add}]", "add takes a replacement"),
        (INV + "ablations: [{name: a, part: weight, action: add, replacement: lds}]", "there is a weight already"),
        (INV + "ablations: [{name: a, part: weight, action: remove, replacement: lds}]", "takes no replacement"),
        ("ablations: [{name: a, action: remove}]", "a change has a part"),
        ("method: {weight: 'nowhere:loss'}", "the module 'nowhere' of nowhere:loss cannot be imported"),
        ("method: {stages: 'nowhere:stages'}", "stages 'nowhere:stages' is none of none, rrt"),
        ("method: {data: smoter}", "nor package.module:function"),
    ],
)  # fmt: skip
def test_plans_that_are_refused(tmp_path, text, words):
    with pytest.raises(InputError, match=words):
        plan_of(tmp_path, text)


def test_rare_bins_are_filled_up_between_neighbours():
    generator = torch.Generator().manual_seed(0)
    y = torch.cat([0.99 * torch.rand(20, generator=generator), torch.tensor([1.1, 1.3, 1.9]), torch.tensor([2.5])])
    x = torch.randn(24, 2, generator=generator)
    filled = smote(Samples(x, y), EDGES, seed=0, neighbours=1)
    assert torch.equal(filled.x[:24], x) and torch.equal(filled.y[:24], y)
    assert torch.bucketize(filled.y, EDGES[1:-1].float(), right=True).bincount().tolist() == [20, 8, 1]
    for point, target in zip(filled.x[24:], filled.y[24:], strict=True):
        near = []
        for i, j in [(20, 21), (21, 20), (20, 22), (22, 20), (21, 22), (22, 21)]:
            share = (target - y[i]) / (y[j] - y[i])
            near.append(0 <= share <= 1 and torch.allclose(point, torch.lerp(x[i], x[j], share), atol=1e-4))
        assert any(near)
    assert torch.equal(smote(Samples(x, y), EDGES, seed=0, neighbours=1).y, filled.y)
    assert not torch.equal(smote(Samples(x, y), EDGES, seed=1, neighbours=1).y, filled.y)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    rng = np.random.default_rng(0)
    x = rng.exponential(1.0, (120, 2))
    path = tmp_path_factory.mktemp("ablation") / "prices.csv"
    pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "price": 10 + 5 * x.sum(1) + rng.normal(0, 1, 120)}).to_csv(
        path, index=False
    )
    return path


def options_of(data):
    return ablate_regression.AblateOptions(
        data=str(data), target="price", bins=6, model="mlp", epochs=6, batch_size=16, lr=0.02
    )


@pytest.fixture(scope="module")
def conditions(data):
    return OpenConditions(options_of(data))()


def training_of(conditions, parts):
    setting = conditions.setting
    return method_of("its", parts, "balanced_mae").training(setting, setting.problem.train, 0, conditions.recipe)


def loss_of(conditions, parts):
    method, setting = method_of("its", parts, "balanced_mae"), conditions.setting
    ready, _ = method.prepared(setting, conditions.recipe, 0)
    return ready.loss_of(ready.training(setting, setting.problem.train, 0, conditions.recipe))


def layered(conditions, parts):
    return with_layer(parts, conditions.setting.new_model(0), training_of(conditions, parts))


def trained(conditions, parts):
    setting = conditions.setting
    return method_of("its", parts, "balanced_mae").train(setting, setting.problem.train, 0, conditions.recipe)


def test_parts_make_the_training_that_they_name(conditions):
    made = layered(conditions, Parts(layer="fds", place="body.1", fds_ks=3))
    assert (
        isinstance(made, Calibrated)
        and isinstance(made.layer, FDS)
        and (made.place, made.layer.num_bins) == ("body.1", 6)
    )
    assert layered(conditions, Parts(layer="layer-norm")).place == "body"
    assert method_of("bare", Parts(), "balanced_mae").steps == ()
    lds, l1 = (loss_of(conditions, Parts(weight=name, ks=3)) for name in ("lds", "none"))
    assert lds.w.std() > 0 and l1.w.std() == 0
    mse = loss_of(conditions, Parts(weight="balanced-mse", noise_sigma=0.3))
    assert mse.noise_sigma.item() == pytest.approx(0.3)
    assert loss_of(conditions, Parts(error="mse")).error == "mse"
    searched, again = (loss_of(conditions, Parts(weight="searched", layer=layer)) for layer in ("none", "fds"))
    assert torch.equal(searched.w, again.w)
    assert not torch.equal(searched.w, loss_of(conditions, Parts(weight="sqinv")).w)


def test_two_stages_keep_the_body_of_the_first(conditions):
    first = trained(conditions, Parts())
    both = trained(conditions, Parts(weight="sqinv", stages="rrt"))
    assert all(torch.equal(a, b) for a, b in zip(first.body.parameters(), both.body.parameters(), strict=True))
    assert not torch.equal(first.head[0].weight, both.head[0].weight)


def test_the_command_writes_a_table_and_resumes(data, tmp_path, capsys):
    removed = "[{part: weight, action: remove}, {part: layer, action: remove}]"
    plan, out = tmp_path / "plan.yaml", tmp_path / "out"
    plan.write_text(
        "method: {weight: lds, layer: fds}\nmetrics: [mae]\n" + f"ablations: [{{name: bare, changes: {removed}}}]"
    )
    arguments = ["--data", str(data), "--target", "price", "--bins", "6", "--epochs", "2", "--batch-size", "16"]
    arguments += ["--model", "linear", "--lr", "0.02", "--seeds", "2", "--shots", "30,5"]
    arguments += ["--plan", str(plan), "--out", str(out)]
    assert ablate_regression.main(arguments) == 0
    results = json.loads((tmp_path / "out" / "ablation.json").read_text())["results"]
    assert {name: set(runs) for name, runs in results.items()} == {"full method": {"0", "1"}, "bare": {"0", "1"}}
    maes = [results["bare"][seed]["mae"] for seed in "01"]
    text = (tmp_path / "out" / "ablation.md").read_text()
    row = next(line for line in text.splitlines() if line.startswith("bare"))
    assert f"{np.mean(maes):.4g}" in row and f"± {np.std(maes, ddof=1):.2g}" in row
    capsys.readouterr()
    assert ablate_regression.main(arguments) == 2
    assert "add --resume" in capsys.readouterr().err
    assert ablate_regression.main(["--out", str(tmp_path / "out"), "--resume"]) == 0
    assert row in capsys.readouterr().out


OWN = """
import torch

def squared(targets, bin_edges):
    assert bin_edges[0] <= targets.min() and targets.max() <= bin_edges[-1]
    return lambda prediction, target: ((prediction - target) ** 2).mean() / targets.var(correction=0)

def doubled(x, y, seed):
    return x.repeat(2, 0), y.repeat(2, 0)

def none_at_all(x, y, seed):
    return x

class Half(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.width = width

    def forward(self, features):
        assert features.shape[1] == self.width
        return features / 2
"""


def test_components_of_ones_own(conditions, tmp_path, monkeypatch):
    (tmp_path / "own_parts.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    parts = read_plan_of(tmp_path, "{weight: 'own_parts:squared'}")
    x = conditions.setting.problem.train.x
    own, known = (trained(conditions, each)(x) for each in (parts, Parts(error="mse")))
    torch.testing.assert_close(own, known, rtol=1e-4, atol=1e-4)
    assert not torch.equal(trained(conditions, Parts(data="own_parts:doubled"))(x), trained(conditions, Parts())(x))
    model = layered(conditions, Parts(layer="own_parts:Half"))
    torch.testing.assert_close(model(x), model.model.head(model.model.body(x) / 2))
    with pytest.raises(InputError, match="own_parts:none_at_all returns no x and y"):
        trained(conditions, Parts(data="own_parts:none_at_all"))
    with pytest.raises(InputError, match="has no function 'nothing'"):
        read_plan_of(tmp_path, "{weight: 'own_parts:nothing'}")


def read_plan_of(tmp_path, method):
    return plan_of(tmp_path, f"method: {method}").methods["full method"]


def test_normalisations_are_torchs_own(conditions):
    x = conditions.setting.problem.train.x
    for name, layer in {"batch-norm": torch.nn.BatchNorm1d(2), "layer-norm": torch.nn.LayerNorm(2)}.items():
        made = layered(conditions, Parts(layer=name, place="input")).layer
        torch.testing.assert_close(made(x), layer(x), rtol=1e-4, atol=1e-5)
    image = torch.randn(4, 3, 5, 5)
    found = InstanceNorm(3)(image)
    torch.testing.assert_close(found, torch.nn.InstanceNorm2d(3)(image), rtol=1e-4, atol=1e-5)


def test_an_instance_norm_of_vectors_is_refused_before_anything_is_trained(data, conditions, tmp_path, capsys):
    with pytest.raises(InputError, match="these are vectors of 2 numbers, which it would turn into zeros"):
        layered(conditions, Parts(layer="instance-norm", place="input"))
    plan = tmp_path / "plan.yaml"
    plan.write_text("ablations: [{name: instance norm, part: layer, action: replace, replacement: instance-norm}]")
    out = tmp_path / "out"
    given = ["--data", str(data), "--target", "price", "--model", "linear", "--plan", str(plan), "--out", str(out)]
    assert ablate_regression.main(given) == 2
    assert "instance-norm needs features that have places" in capsys.readouterr().err
    assert not list(tmp_path.glob("out/runs/*"))


def test_the_rate_is_chosen_on_validation_samples(data, conditions):
    setting, rates = conditions.setting, (1e-5, 0.02)
    problem, task = setting.problem, conditions.task
    judged = {}
    for rate in rates:
        method = method_of("its", Parts(), "balanced_mae")
        model = method.train(setting, problem.train, 0, replace(conditions.recipe, lr=rate))
        output = model.eval()(problem.validation.x).detach()
        judged[f"{rate:g}"] = task.test(output, problem.validation, task.counts(problem.train))["balanced_mae"]
    chosen = ChooseRate(options_of(data), Parts(), "balanced_mae", rates)(Desk())
    assert chosen == {"lr": 0.02, "validation": pytest.approx(judged)} and judged["0.02"] < judged["1e-05"]
    assert ablate_regression.AblateOptions(lrs="0.02,0.1").rates == (0.02, 0.1)


def test_methods_of_one_kind_share_a_rate(data):
    plan = Plan({"a": Parts(layer="fds", fds_ks=3), "b": Parts(layer="fds", fds_ks=5), "c": Parts()}, ("mae",))
    cells = cells_of(plan, replace(options_of(data), seeds=2), "balanced_mae", (0.01, 0.1))
    needs = {cell.key: cell.needs for cell in cells}
    assert needs["runs/a-1"] == needs["runs/b-1"] == ("rates/a-1",) and needs["runs/c-1"] == ("rates/c-1",)
    assert len(cells) == 2 * (2 + 3)
    plans = {cell.key: cell.plan for cell in cells}
    other = cells_of(Plan({"a": Parts(layer="fds", fds_ks=9)}, ("mae",)), options_of(data), "balanced_mae", ())
    assert other[0].key == "runs/a-0" and other[0].plan != plans["runs/a-0"]


def test_rates_that_leave_nothing_to_choose(capsys):
    assert ablate_regression.main(["--lrs", "0.1,0.10"]) == 2
    assert "leaves nothing to choose" in capsys.readouterr().err
