"""The ablation of regression methods: plans, made-up samples, its parts in training, and the table."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn import GroupNorm

from autobalance import FDS
from autobalance.common import InputError
from autobalance.data import Samples
from autobalance.models import Calibrated
from autobalance.tasks import outputs
from experiments import ablate_regression
from experiments.regression._plan import CHOICES, Method, Plan, read_plan
from experiments.regression._smote import smote

INV = "method: {weight: inv}\n"
EDGES = torch.tensor([0.0, 1.0, 2.0, 3.0], dtype=torch.float64)


def plan_of(tmp_path, text):
    (tmp_path / "plan.yaml").write_text(text)
    return read_plan(tmp_path / "plan.yaml")


def test_the_plan_that_is_kept():
    plan = read_plan(ablate_regression.PLAN)
    methods = plan.methods
    assert methods["full method"] == Method(weight="lds", layer="fds")
    assert methods["without both"] == Method()
    assert methods["batch norm for FDS"] == Method(weight="lds", layer="batch-norm")
    assert methods["SMOTE on bins"] == Method(data="smote")
    assert methods["searched weights"] == Method(weight="searched")
    assert len(set(methods.values())) == len(methods) and plan.metrics == ("mae", "mse", "gm", "balanced_mae")
    used = {(part, getattr(method, part)) for method in methods.values() for part in CHOICES}
    every = {(part, value) for part, values in CHOICES.items() for value in values}
    assert every - used == {("layer", "instance-norm")}  # of images


def test_the_plan_of_a_reader():
    plan = read_plan(ablate_regression.PLAN.parent / "deep_imbalanced_regression.yaml")
    whole = Method(weight="lds", layer="fds", kernel="laplace")
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
    assert plan == Plan({"full method": Method(weight="inv"), "a": Method(weight="lds", ks=9)}, ("gm",))


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


def bench_of(data):
    options = ablate_regression.AblateOptions(
        data=str(data), target="price", bins=6, model="mlp", epochs=6, batch_size=16, lr=0.02
    )
    return ablate_regression._bench(options, 0)


def test_parts_make_the_training_that_they_name(data):
    bench = bench_of(data)
    model = bench.task.new_model(0)
    samples, recipe = bench.task.problem.train, bench.recipe
    made = bench._with_layer(model, Method(layer="fds", place="body.1", fds_ks=3))
    assert (
        isinstance(made, Calibrated)
        and isinstance(made.layer, FDS)
        and (made.place, made.layer.num_bins) == ("body.1", 6)
    )
    assert bench._with_layer(model, Method(layer="layer-norm")).place == "body"
    assert bench._with_layer(model, Method()) is model
    lds, l1 = (bench.loss(Method(weight=name, ks=3), samples, recipe) for name in ("lds", "none"))
    assert lds.w.std() > 0 and l1.w.std() == 0
    assert bench.loss(
        Method(weight="balanced-mse", noise_sigma=0.3), samples, recipe
    ).noise_sigma.item() == pytest.approx(0.3)
    assert bench.loss(Method(error="mse"), samples, recipe).error == "mse"
    searched = bench.loss(Method(weight="searched"), samples, recipe)
    assert searched is bench.loss(Method(weight="searched", layer="fds"), samples, recipe)
    assert not torch.equal(searched.w, bench.loss(Method(weight="sqinv"), samples, recipe).w)


def test_two_stages_keep_the_body_of_the_first(data, monkeypatch):
    from experiments.regression import _train

    kept, plain = [], _train.train

    def watched(model, *arguments):
        kept.append([p.detach().clone() for p in model.body.parameters()])
        plain(model, *arguments)
        kept.append([p.detach().clone() for p in model.body.parameters()])

    monkeypatch.setattr(_train, "train", watched)
    bench_of(data).test(Method(weight="sqinv", stages="rrt"))
    start, first, before, after = kept
    assert not torch.equal(start[0], first[0])
    assert all(torch.equal(a, b) and torch.equal(b, c) for a, b, c in zip(first, before, after, strict=True))


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
    printed = capsys.readouterr().out
    assert "seed " not in printed and row in printed


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


def test_components_of_ones_own(data, tmp_path, monkeypatch):
    (tmp_path / "own_parts.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    bench = bench_of(data)
    method = read_plan_of(tmp_path, "{weight: 'own_parts:squared'}")
    samples = bench.task.problem.train
    own, known = (bench.train(each, bench.recipe, samples)[0](samples.x) for each in (method, Method(error="mse")))
    torch.testing.assert_close(own, known, rtol=1e-4, atol=1e-4)
    assert bench.test(Method(data="own_parts:doubled"))["mae"] != bench.test(Method())["mae"]
    model = bench._with_layer(bench.task.new_model(0), Method(layer="own_parts:Half"))
    x = bench.task.problem.train.x
    torch.testing.assert_close(model(x), model.model.head(model.model.body(x) / 2))
    with pytest.raises(InputError, match="own_parts:none_at_all returns no x and y"):
        bench.test(Method(data="own_parts:none_at_all"))
    with pytest.raises(InputError, match="has no function 'nothing'"):
        read_plan_of(tmp_path, "{weight: 'own_parts:nothing'}")


def read_plan_of(tmp_path, method):
    return plan_of(tmp_path, f"method: {method}").methods["full method"]


def test_normalisations_are_torchs_own(data):
    bench = bench_of(data)
    x = bench.task.problem.train.x
    for name, layer in {"batch-norm": torch.nn.BatchNorm1d(2), "layer-norm": torch.nn.LayerNorm(2)}.items():
        made = bench._with_layer(bench.task.new_model(0), Method(layer=name, place="input")).layer
        torch.testing.assert_close(made(x), layer(x), rtol=1e-4, atol=1e-5)
    image = torch.randn(4, 3, 5, 5)
    found = GroupNorm(3, 3)(image)
    torch.testing.assert_close(found, torch.nn.InstanceNorm2d(3)(image), rtol=1e-4, atol=1e-5)


def test_the_rate_is_chosen_on_validation_samples(data):
    """The bench is handed a problem whose test samples would choose otherwise."""
    bench = replace(bench_of(data), rates=(1e-5, 0.02))
    problem = bench.task.problem
    judged = {}
    for rate in bench.rates:
        model, counts = bench.train(Method(), replace(bench.recipe, lr=rate), problem.train)
        judged[rate] = bench.goal.test(outputs(model, problem.validation), problem.validation, counts)["balanced_mae"]
    assert judged[0.02] < judged[1e-5]
    upside_down = replace(problem, test=Samples(problem.test.x, -problem.test.y))
    blind = replace(bench, task=replace(bench.task, problem=upside_down))
    tested = blind.test(Method())
    assert tested["lr"] == 0.02 and tested["validation"] == pytest.approx({"1e-05": judged[1e-5], "0.02": judged[0.02]})
    fds = [blind.choose_rate(Method(layer="fds", fds_ks=ks))[1] for ks in (3, 5)]
    assert fds[0] == fds[1] != tested["validation"] and len(blind._tried) == 2
    assert ablate_regression.AblateOptions(lrs="0.02,0.1").rates == (0.02, 0.1)


def test_rates_that_leave_nothing_to_choose(capsys):
    assert ablate_regression.main(["--lrs", "0.1,0.10"]) == 2
    assert "leaves nothing to choose" in capsys.readouterr().err
