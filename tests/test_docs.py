"""The pages name only what there is: names, files, commands and flags. Their scripts run in test_docs_recipes.py."""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import fresh
import page_cases
import pytest
import torchvision

import autobalance

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
#: Flags of other programs.
OTHERS = {"--version", "--standalone", "--nproc-per-node", "--nthreads", "--nworkers"}
#: A command: a module, or a word after the name of the package.
COMMAND = re.compile(
    r"python -m\s+((?:autobalance|experiments)(?:\.\w+)+)|(?<![\w/.-])autobalance\s+(search|compare|predict)\b"
)


@cache
def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def exists(path: str) -> bool:
    """Whether a dotted name is that of a module, or of an object in one, through public names only."""
    parts = path.split(".")
    if any(part.startswith("_") for part in parts):
        return False
    found, length = import_module(parts[0]), 1
    while length < len(parts) and hasattr(found, "__path__") and find_spec(".".join(parts[: length + 1])) is not None:
        length += 1
        found = import_module(".".join(parts[:length]))
    for part in parts[length:]:
        if not hasattr(found, part):
            return False
        found = getattr(found, part)
    return True


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_names_in_pages_exist(page: Path) -> None:
    text = text_of(page)
    named = set(re.findall(r"(?<![\w./-])(?:autobalance|experiments)(?:\.\w+)+", text))
    for home, names in re.findall(r"^from (autobalance[\w.]*) import (.+)$", text, re.MULTILINE):
        named |= {f"{home}.{name.strip()}" for name in names.partition("#")[0].split(",")}
    assert sorted(name for name in named if not exists(name)) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_in_pages_exist(page: Path) -> None:
    text = text_of(page)
    links = [target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in target]
    assert [target for target in links if target and not (page.parent / target).exists()] == []
    named = re.findall(r"(?<![\w./-])(?:autobalance|experiments|tests|docs)/[\w./-]*[\w/]", text)
    assert [path for path in named if not (ROOT / path).exists()] == []


def headings(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", text_of(page), flags=re.M | re.S), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_to_headings_hit(page: Path) -> None:
    links = re.findall(r"\]\(([\w./-]*)#([^)\s]+)\)", text_of(page))
    assert [link for link in links if link[1] not in headings(page.parent / link[0] if link[0] else page)] == []


class Stopped(BaseException):
    """Ends a command once its parser is known."""


@cache
def parser_of(command: str) -> argparse.ArgumentParser:
    """The parser that a command reads its arguments with."""
    found: list[argparse.ArgumentParser] = []

    def stop(parser: argparse.ArgumentParser, *_: object, **__: object) -> None:
        found.append(parser)
        raise Stopped

    package = getattr(find_spec(command), "submodule_search_locations", None) is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(argparse.ArgumentParser, "parse_args", stop)
        patch.setattr(sys, "argv", [command])
        with pytest.raises(Stopped):
            import_module(f"{command}.__main__" if package else command).main()
    return found[0]


def module_of(match: re.Match[str]) -> str:
    """The module of a command."""
    return match[1] or f"autobalance.{match[2]}"


def commands(text: str) -> list[tuple[str, list[str]]]:
    """The command lines in the blocks of a page: fenced, or by four spaces."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S)
    blocks = [block for language, block in fenced if language in ("", "console")]
    blocks += re.findall(r"(?:^    \S.*\n)(?:^     *\S.*\n)*", text, re.M)
    lines = [line.strip() for block in blocks for line in re.sub(r"\\\n", " ", block).splitlines()]
    found = []
    for line in lines:
        if match := COMMAND.search(line):
            found.append((module_of(match), shlex.split(line[match.end() :], comments=True)))
    return found


def test_commands_in_pages_are_understood() -> None:
    given = [(page.name, *command) for page in PAGES for command in commands(text_of(page))]
    assert len(given) > 40
    faults = []
    for page, command, arguments in given:
        try:
            parser_of(command).parse_args([word for word in arguments if word not in ("...", "--help")])
        except (SystemExit, autobalance.InputError) as error:
            faults.append(f"{page}: python -m {command} {shlex.join(arguments)}: {error}")
    assert faults == []


def test_flags_in_pages_exist() -> None:
    parsers = [
        parser_of(command)
        for command in {module_of(match) for page in PAGES for match in COMMAND.finditer(text_of(page))}
    ]
    known = OTHERS | {flag for parser in parsers for flag in parser._option_string_actions}
    found = {(flag, page.name) for page in PAGES for flag in re.findall(r"(?<![\w-])--[a-z][\w-]*\w", text_of(page))}
    assert sorted(pair for pair in found if pair[0] not in known) == []


@pytest.mark.parametrize("page", page_cases.WHOLE, ids=lambda page: page.stem)
def test_pages_with_their_own_data_run(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_page: None, no_figure: None
) -> None:
    weights = torchvision.models.mobilenet_v3_small().state_dict()
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", lambda *_, **__: weights)
    assert (page_cases.run_whole(page, tmp_path) == []) == (page.parent.name == "explanation")


def test_blocks_of_the_other_pages_run(tmp_path: Path) -> None:
    with ProcessPoolExecutor(1, fresh.CONTEXT) as pool:  # some register what other tests must not find
        for page in page_cases.BEFORE:
            assert "autobalance" in pool.submit(page_cases.run_with_stand_ins, page, str(tmp_path)).result()


def test_every_block_is_run() -> None:
    run = {*page_cases.WHOLE, *(ROOT / page for page in page_cases.BEFORE)}
    for page in PAGES:
        languages = [block.language for block in page_cases.blocks(page)]
        if page in run or page.parent.name == "recipes":  # tests/test_docs_recipes.py
            assert "console" not in languages or page.stem == "machines"
        else:
            assert "python" not in languages, page


def test_the_site_has_every_page() -> None:
    said = set(re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text(encoding="utf-8")))
    assert said == {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")}
