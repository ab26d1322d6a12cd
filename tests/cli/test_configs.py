"""The configurations of published comparisons: they can be read, their rows are there, and their heads say truly how
they differ from the published recipes, value by value."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from make_comparison import ROOT, compare

from autobalance.cli._compare_options import CompareOptions, parse
from autobalance.cli._recipe_facts import recipe_facts
from autobalance.cli._setting import recipe_of
from autobalance.common import InputError, read_yaml
from autobalance.compare import main
from autobalance.study import Method, methods_of, search_methods, tunable_search
from autobalance.study.report import PublishedRecipe, read_published, read_published_recipe

CONFIGS = ROOT / "experiments" / "configs"
RECIPES = CONFIGS / "published" / "recipes.yaml"
#: Rows of the papers that a recipe reduced a hundredfold has not: a search of 300 epochs.
ONLY_AS_PUBLISHED = {"autobalance-published", "autobalance-published-la"}

every_configuration = pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)


def read(path: Path) -> tuple[CompareOptions, list[Method]]:
    options, _ = parse(["--config", str(path)])
    methods = methods_of(options.names, options.task)
    if isinstance(options.include_search, str):
        methods += search_methods(read_yaml(options.include_search), options.include_search)
    elif options.include_search:
        methods.append(tunable_search())
    return options, methods


@every_configuration
def test_configurations_can_be_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    options, rows = read(path)
    methods = {method.name for method in rows}
    assert options.published is not None
    for published in read_published(options.published):
        missing = set(published.errors) - methods
        assert missing <= (ONLY_AS_PUBLISHED if path.stem.startswith("reduced") else set())
        assert not set(published.others) & methods


@every_configuration
def test_the_head_of_a_configuration_says_how_it_differs_from_the_published_recipe(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    options, methods = read(path)
    assert options.published_recipe is not None
    deviations = read_published_recipe(options.published_recipe).deviations(
        recipe_facts(options, recipe_of(options), methods)
    )
    head = [line.removeprefix("#").strip() for line in path.read_text().splitlines() if line.startswith("#")]
    told = head[head.index("Differs from the published recipe:") + 1 :]
    assert " ".join(told) == " ".join(f"- {line}." for line in deviations)


def test_every_value_of_every_published_recipe_is_compared_with_a_configuration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    used = {read(path)[0].published_recipe for path in CONFIGS.glob("*.yaml")}
    names = {str(place).rpartition(":")[2] for place in used}
    content = yaml.safe_load(RECIPES.read_text())

    def behind(name: str) -> set[str]:
        like = content[name].get("like", [])
        return {name}.union(*(behind(base) for base in ([like] if isinstance(like, str) else like)))

    assert set().union(*map(behind, names)) == set(content)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("cifar10-autobalance", {"weight_decay": 1e-4, "nesterov": False, "milestones": [160, 180], "lr_decay": 0.1}),
        ("cifar100-autobalance", {"autobalance-published: tie": "cluster:10", "autobalance-published: outer.lr": 0.1}),
        ("imagenet-lt-autobalance", {"epochs": 150, "autobalance-published: outer.every": 30, "lr": 0.02}),
        ("csl-table1", {"weight_decay": 2e-4, "lr_decay": 0.01, "nesterov": False}),
        ("csl-table3", {"weight_decay": 5e-4, "lr": 0.01, "batch_size": 256, "schedule": "cosine"}),
        ("csl-table4", {"image_size": 224, "lr": 0.05, "weight_decay": 5e-4, "schedule": "cosine"}),
    ],
)
def test_recipes_are_what_the_sources_say(name: str, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    published = read_published_recipe(f"{RECIPES}:{name}")
    assert {key: published.values[key][0] for key in settings} == settings
    options, methods = read(CONFIGS / f"{name}.yaml")
    facts = recipe_facts(options, recipe_of(options), methods)
    for key, value in settings.items():
        ours = facts[key]
        assert (list(ours) if isinstance(ours, tuple) else ours) == value


def test_autobalance_as_published_is_searched_as_published(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    options, methods = read(CONFIGS / "cifar10-autobalance.yaml")
    facts = recipe_facts(options, recipe_of(options), methods)
    row = {key.removeprefix("autobalance-published: "): value for key, value in facts.items()}
    assert (row["recipe.epochs"], row["epochs"], row["outer.warmup"] * row["recipe.epochs"]) == (300, 200, 120)
    assert (row["outer.optimizer"], row["outer.rise"], row["form"], row["unroll"]) == ("sgd", 10, "published", 10)


def test_deviations_are_told_value_by_value() -> None:
    values = {"lr": (0.1, "p. 1"), "milestones": ([160, 180], "p. 2"), "ours: outer.lr": (0.5, "p. 3")}
    recipe = PublishedRecipe("paper", {**values, "ours: tie": ("class", "p. 4")}, ("we stop; published: go on (p. 5)",))
    facts = {"lr": 0.1, "milestones": (160, 180), "ours: outer.lr": 0.5, "ours: tie": "class"}
    assert recipe.deviations(facts) == ["we stop; published: go on (p. 5)"]
    assert recipe.deviations({**facts, "lr": 0.05, "milestones": None}) == [
        "lr 0.05; published: 0.1 (p. 1)",
        "milestones unset; published: 160, 180 (p. 2)",
        "we stop; published: go on (p. 5)",
    ]
    without = {"lr": 0.1, "milestones": [160, 180]}
    assert recipe.deviations(without) == ["no row ours here", "we stop; published: go on (p. 5)"]
    with pytest.raises(InputError, match="a setting 'ours: tie', which is none that there is"):
        recipe.deviations({"lr": 0.1, "milestones": [160, 180], "ours: outer.lr": 0.5})


@pytest.mark.parametrize(
    ("text", "name", "words"),
    [
        ("a: {lr: {is: 1, source: p}}", "b", "has no recipe 'b'; it has a"),
        ("a: {lr: 3}", "a", "lr of a has to be {is: VALUE, source: WHERE}"),
        ("a: {besides: [{ours: x}]}", "a", "besides of a has to be"),
        ("[1]", "a", "has no recipe 'a'"),
    ],
)
def test_recipes_that_cannot_be_read(text: str, name: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "recipes.yaml").write_text(text)
    with pytest.raises(InputError, match=re.escape(words)):
        read_published_recipe(f"{tmp_path / 'recipes.yaml'}:{name}")


@pytest.mark.usefixtures("no_figure")
def test_the_command_says_and_notes_the_deviations(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "recipes.yaml").write_text("paper: {epochs: {is: 200, source: p. 6}, lr: {is: 0.1, source: p. 6}}")
    given = ["--losses", "ce", "--seeds", "1", "--published-recipe", f"{tmp_path / 'recipes.yaml'}:paper"]
    results = compare(tmp_path / "run", *given)
    line = "epochs 3; published: 200 (p. 6)"
    assert results["deviations"] == [line]
    assert f"differs from the published recipe: {line}" in capsys.readouterr().err
    assert f"- Differs from the published recipe: {line}." in (tmp_path / "run" / "table.md").read_text()
    given[-1] = given[-1].replace(":paper", "")
    assert main([*given, "--out", str(tmp_path / "other")]) == 2
    assert "has to be a file and a name in it" in capsys.readouterr().err
