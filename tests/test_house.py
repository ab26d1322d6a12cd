"""The house as CONTRIBUTING.md draws it: its rooms, their floors, and what each may import, read from the sources."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
#: A line of the map in CONTRIBUTING.md: the floor, and the rooms on it.
FLOOR = re.compile(r"^\| (\d+) \| ((?:`\w+`(?:, )?)+) \|", re.MULTILINE)


def files(*places: str) -> list[Path]:
    return sorted(path for place in places for path in (ROOT / place).rglob("*.py"))


def dotted(path: Path) -> tuple[str, ...]:
    """The names of a module, from the top."""
    names = path.relative_to(ROOT).with_suffix("").parts
    return names[:-1] if names[-1] == "__init__" else names


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> Iterator[tuple[str, ...]]:
    """The names of each module, or object of one, that a file imports, wherever it does so."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (tuple(alias.name.split(".")) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield from ((*(node.module or "").split("."), alias.name) for alias in node.names)


def room_of(names: tuple[str, ...]) -> str:
    """The room of the package in which a module lies; the package's own modules are rooms of their own."""
    place = ROOT / "autobalance" / names[1] if names[1:] else None
    return names[1] if place is not None and (place.is_dir() or place.with_suffix(".py").is_file()) else "autobalance"


@cache
def rooms() -> dict[str, set[str]]:
    """For each room the others that it imports."""
    found: dict[str, set[str]] = {}
    for path in files("autobalance"):
        room = room_of(dotted(path))
        others = {room_of(names) for names in imports(path) if names[0] == "autobalance"}
        found.setdefault(room, set()).update(others - {room})
    return found


def height(room: str, above: tuple[str, ...] = ()) -> int:
    """The floor of a room: one above the highest that it imports."""
    assert room not in above, f"a cycle: {' -> '.join([*above, room])}"
    return 1 + max((height(other, (*above, room)) for other in rooms()[room]), default=0)


def floors() -> dict[str, int]:
    """The floors as CONTRIBUTING.md has them."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    return {room: int(floor) for floor, names in FLOOR.findall(text) for room in re.findall(r"`(\w+)`", names)}


def test_files_of_tests_have_names_of_their_own():
    """pytest imports them by their names alone: two of one name are an error of the whole suite, not of a part."""
    names = [path.name for path in files("tests") if path.name != "conftest.py"]
    assert sorted({name for name in names if names.count(name) > 1}) == []


def test_few_entries_at_the_door():
    entries = [path for path in (ROOT / "autobalance").iterdir() if path.name != "__pycache__"]
    assert len(entries) <= 15, sorted(path.name for path in entries)


def test_rooms_form_no_cycle_and_few_floors():
    assert max(height(room) for room in rooms()) <= 10


def test_the_map_is_that_of_the_imports():
    drawn = floors()
    assert sorted(drawn) == sorted(rooms())
    assert sorted(set(drawn.values())) == list(range(1, max(drawn.values()) + 1)) and max(drawn.values()) <= 10
    upwards = [(room, other) for room, others in rooms().items() for other in others if drawn[room] <= drawn[other]]
    assert upwards == [], "a room imports those of lower floors only"


@pytest.mark.parametrize("place", ["autobalance", "experiments"])
def test_no_function_takes_more_than_eight_parameters(place):
    long = []
    for path, node in ((each, node) for each in files(place) for node in ast.walk(parsed(each))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            if len([each for each in given if each.arg not in ("self", "cls")]) > 8:
                long.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert long == []


def private_owner(names: tuple[str, ...]) -> tuple[str, ...] | None:
    """The package to which the first private name in a path belongs; None where all are public."""
    for place, name in enumerate(names):
        if name.startswith("_") and name != "__version__":
            return names[:place]
    return None


def place_of(names: tuple[str, ...]) -> str:
    """The room of a module, or the script or test folder, as EXCEPTIONS call it."""
    if len(names) > 1 and (ROOT / names[0] / names[1]).is_dir():
        return "/".join(names[:2])
    return "/".join(names) + ".py" if names[0] == "autobalance" and len(names) > 1 else names[0]


def test_only_a_room_and_its_tests_import_its_private_modules():
    found = {}
    for path in files("autobalance", "experiments", "tests", "docs"):
        own = dotted(path)
        for owner in map(private_owner, imports(path)):
            if not owner or owner[0] != "autobalance" or own[: len(owner)] == owner:
                continue
            pair = place_of(own), place_of(owner)
            if pair[0].removeprefix("tests") == pair[1].removeprefix("autobalance"):
                continue
            found.setdefault(pair, []).append(str(path.relative_to(ROOT)))
    assert found == {}


def texts(path: Path) -> Iterator[ast.Constant]:
    return (node for node in ast.walk(parsed(path)) if isinstance(node, ast.Constant) and isinstance(node.value, str))


def test_only_the_commands_know_flags():
    flag = re.compile(r"(?<![\w-])--[a-z]")
    core = [path for path in files("autobalance") if room_of(dotted(path)) != "cli"]
    found = [
        f"{path.relative_to(ROOT)}:{text.lineno}" for path in core for text in texts(path) if flag.search(text.value)
    ]
    assert found == []


@pytest.mark.parametrize("place", ["autobalance", "experiments", "tests", "docs", "Makefile", "pyproject.toml", ".ci"])
def test_nothing_names_a_place_on_one_machine(place):
    absolute = re.compile(r"(?<![\w.}/])/(?:" + "|".join(("home", "Users", "root", "work", "mnt", "opt")) + ")/")
    start = ROOT / place
    found = [path for path in ([start] if start.is_file() else start.rglob("*")) if path.is_file()]
    kinds = {".py", ".md", ".yaml", ".yml", ".toml", ".j2", ".json", ""}
    read = [path for path in found if path.suffix in kinds and "__pycache__" not in path.parts]
    assert read
    assert [str(path) for path in read if absolute.search(path.read_text(encoding="utf-8"))] == []
