"""The command ``python -m autobalance.compare``: methods in, one fair table out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autobalance.cli._command import command_line, run_command
from autobalance.cli._compare_options import CompareOptions, parse
from autobalance.cli._conditions import OpenConditions, executor_of
from autobalance.cli._recipe_facts import recipe_facts

if TYPE_CHECKING:
    from autobalance.study import Comparison

PROGRAM = "autobalance.compare"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status; see `run_command`."""
    return run_command(PROGRAM, lambda: parse(arguments), _run)


def _run(options: CompareOptions, directory: Path, resume: bool) -> None:
    from autobalance.cli._length import confirm_length
    from autobalance.cli._progress import Display
    from autobalance.cli._reading import reading_lines
    from autobalance.common import write_text
    from autobalance.data import keep_or_check, repeated_samples
    from autobalance.study import Directory, run_cells
    from autobalance.study.report import read_published, read_published_recipe

    published = read_published(options.published) if options.published else []
    comparison = comparison_of(options)
    setting = comparison.open().setting
    deviations: list[str] = []
    if options.published_recipe is not None:
        facts = recipe_facts(options, comparison.open().recipe, comparison.methods)
        deviations = read_published_recipe(options.published_recipe).deviations(facts)
    problem, cells = setting.problem, comparison.cells()
    if not resume:
        confirm_length(setting, comparison.open().recipe, sum(cell.weight for cell in cells), options.yes)
    keep_or_check(setting.problem, directory / "data.json", resume, options.data)
    if not resume:
        write_text(directory / "config.yaml", options.to_yaml())
    with Display() as display:
        display.say(
            f"{problem.name}: {len(problem.train)} training, {len(problem.validation)} validation and "
            f"{len(problem.test)} test samples, {problem.num_classes} classes; model {setting.model_name}; "
            f"{len(comparison.methods)} methods, {sum(cell.weight for cell in cells)} trainings"
        )
        for line in reading_lines(problem, repeated_samples(problem)):
            display.say(line)
        for line in deviations:
            display.say(f"differs from the published recipe: {line}")
        done = run_cells(cells, Directory(directory), executor_of(options.workers, options.cluster), display, "compare")
    _write(comparison, options, done, published, deviations, directory)
    print((directory / "table.md").read_text(encoding="utf-8"))
    for name, what in {
        "table.md": "this table",
        "table.csv": "the same, for programs",
        "comparison.svg": "the figure",
        "results.json": "every run and every trial",
    }.items():
        print(f"  {directory / name}  {what}")


def comparison_of(options: CompareOptions) -> Comparison:
    """What the options ask for, checked against the data before anything takes time.

    Raises:
        InputError: what is wrong and what helps.
    """
    from autobalance.common import InputError, read_yaml
    from autobalance.data import stratified_folds
    from autobalance.study import Budget, Comparison, methods_of, search_methods, searched_run, tunable_search

    opened = OpenConditions(options, (options.many, options.few))
    conditions, decides = opened(), options.identity()
    setting = conditions.setting
    methods = methods_of(options.names, options.task, setting.problem.num_groups > 0)
    if options.searched is not None:
        run = searched_run(options.searched)
        methods += run.methods()
        decides["searched"] = [path.read_text(encoding="utf-8") for path in run.files]
    if isinstance(options.include_search, str):
        decides["include_search"] = read_yaml(options.include_search)
        methods += search_methods(decides["include_search"], options.include_search)
    elif options.include_search:
        methods.append(tunable_search())
    if twice := [name for name, number in Counter(method.name for method in methods).items() if number > 1]:
        raise InputError(f"two methods are called {twice[0]!r}: call the search something else")
    for method in methods:
        method.check(setting, conditions.recipe)
    if options.tune_folds > 1:
        stratified_folds(setting.problem, options.tune_folds, options.seed)
    budget = Budget(options.tune, options.tune_folds, options.tune_recipe, options.seed)
    seeds = [(options.seed + number) % 2**32 for number in range(options.seeds)]
    return Comparison(opened, methods, seeds, budget, decides)


def _write(
    comparison: Comparison,
    options: CompareOptions,
    done: dict[str, Any],
    published: Sequence[Any],
    deviations: Sequence[str],
    directory: Path,
) -> None:
    """Writes the tables, the figure and ``results.json``."""
    from autobalance.common import write_json, write_text
    from autobalance.study import summarise
    from autobalance.study.report import comparison_csv, comparison_markdown, draw_comparison

    results = {**summarise(comparison, done), "options": options.identity(), "deviations": list(deviations)}
    write_json(directory / "results.json", results)
    text = comparison_markdown(results, published, command_line(PROGRAM, options))
    write_text(directory / "table.md", text)
    write_text(directory / "table.csv", comparison_csv(results))
    draw_comparison(results, directory / "comparison.svg")
