"""Published recipes as data, and how ours differ from them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autobalance.common import InputError, nearest, read_yaml


@dataclass(frozen=True)
class PublishedRecipe:
    """How a paper trains, as far as it says so.

    Args:
        name: of the recipe.
        values: by the name of a setting, its value and where it stands.
        besides: what no setting says, each a whole sentence about what differs here.
    """

    name: str
    values: Mapping[str, tuple[Any, str]]
    besides: tuple[str, ...]

    def deviations(self, facts: Mapping[str, Any]) -> list[str]:
        """What differs, a line each.

        Args:
            facts: our settings by name; those of a search with its row in front, as ``ours: outer.lr``.

        Raises:
            InputError: the recipe has a setting that there is not.
        """
        rows = {name.partition(": ")[0] for name in facts if ": " in name}
        lines = []
        for name, (value, source) in self.values.items():
            row = name.partition(": ")[0]
            if row != name and row not in rows:
                if (line := f"no row {row} here") not in lines:
                    lines.append(line)
            elif name not in facts:
                known = [fact for fact in facts if (": " in fact) == (": " in name)]
                raise InputError(f"the published recipe {self.name} has a setting {name!r}, which is none that there is"
                                 f"{nearest(name, known)}")  # fmt: skip
            elif not _same(facts[name], value):
                lines.append(f"{name} {_said(facts[name])}; published: {_said(value)} ({source})")
        return [*lines, *self.besides]


def _same(ours: Any, published: Any) -> bool:
    if isinstance(ours, list | tuple) and isinstance(published, list | tuple):
        return len(ours) == len(published) and all(map(_same, ours, published))
    if any(isinstance(value, bool | str | None) for value in (ours, published)):
        return bool(ours == published)
    return math.isclose(ours, published, rel_tol=1e-6)


def _said(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_said, value))
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "unset"}[value]
    return f"{value:g}" if isinstance(value, float) else str(value)


def read_published_recipe(place: str) -> PublishedRecipe:
    """A recipe of a file.

    Args:
        place: ``FILE.yaml:NAME``. The file has by NAME a table of settings, each ``{is: VALUE, source: WHERE}``; the
            settings of a search are a table in ``searches``, by the name of its row; ``besides`` is a list of
            ``{ours: TEXT, published: TEXT, source: WHERE}``; ``like`` names recipes whose settings hold, too.

    Raises:
        InputError: there is no such file or recipe, or it holds something else.
    """
    path, _, name = place.rpartition(":")
    if not path:
        raise InputError(f"`published_recipe` {place!r} has to be a file and a name in it, as recipes.yaml:csl-table3")
    recipes = read_yaml(path)
    if not isinstance(recipes, dict) or name not in recipes:
        known = recipes if isinstance(recipes, dict) else {}
        raise InputError(f"{path} has no recipe {name!r}; it has {', '.join(map(str, known))}{nearest(name, known)}")
    return _recipe(path, recipes, name)


def _recipe(path: str, recipes: Mapping[str, Any], name: str) -> PublishedRecipe:
    content = dict(recipes[name]) if isinstance(recipes.get(name), dict) else {}
    like, searches, besides = content.pop("like", []), content.pop("searches", {}), content.pop("besides", [])
    bases = [_recipe(path, recipes, base) for base in ([like] if isinstance(like, str) else like)]
    settings = {**content, **{f"{row}: {key}": its for row, table in searches.items() for key, its in table.items()}}
    for key, its in settings.items():
        if not isinstance(its, dict) or set(its) != {"is", "source"} or not isinstance(its["source"], str):
            raise InputError(f"{path}: {key} of {name} has to be {{is: VALUE, source: WHERE}}, not {its!r:.80}")
    for its in besides:
        if not isinstance(its, dict) or set(its) != {"ours", "published", "source"}:
            raise InputError(f"{path}: besides of {name} has to be {{ours: TEXT, published: TEXT, source: WHERE}}, not "
                             f"{its!r:.80}")  # fmt: skip
    values = {key: (its["is"], its["source"]) for key, its in settings.items()}
    sentences = [f"{its['ours']}; published: {its['published']} ({its['source']})" for its in besides]
    inherited = [sentence for base in bases for sentence in base.besides]
    return PublishedRecipe(
        name, {key: its for base in bases for key, its in base.values.items()} | values, (*inherited, *sentences)
    )
