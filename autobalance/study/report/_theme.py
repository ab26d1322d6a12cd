"""Colours for a dark page: each light colour has a name there, and a dark one beside it."""

from __future__ import annotations

import colorsys
import re
from collections.abc import Iterable

_COLOUR = re.compile(r"(?<=: )#([0-9a-f]{6})(?=[;\"])")
_NAMED = re.compile(r"var\(--C([0-9a-f]{6}),")
#: The lightness of what is black and white on a light page.
_BLACK, _WHITE = 0.93, 0.135


def named(colour: str) -> str:
    """A colour, ``#RRGGBB``, as CSS that a dark page can change."""
    return f"var(--C{colour[1:].lower()},{colour.lower()})"


def with_named_colours(svg: str) -> str:
    """An SVG in whose styles every colour is `named`."""
    return _COLOUR.sub(lambda match: named(match[0]), svg)


def dark(colour: str) -> str:
    """The same hue for a dark page: what is dark becomes light, white becomes nearly black.

    >>> dark("#ffffff"), dark("#000000")
    ('#222222', '#ededed')
    """
    red, green, blue = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    hue, lightness, saturation = colorsys.rgb_to_hls(red, green, blue)
    made = colorsys.hls_to_rgb(hue, _BLACK + (_WHITE - _BLACK) * lightness, saturation)
    return "#" + "".join(f"{round(255 * part):02x}" for part in made)


def dark_colours(texts: Iterable[str]) -> str:
    """Declarations of the dark colours for all that are named in ``texts``, for a rule of CSS."""
    found = sorted({name for text in texts for name in _NAMED.findall(text)})
    return " ".join(f"--C{name}:{dark('#' + name)};" for name in found)
