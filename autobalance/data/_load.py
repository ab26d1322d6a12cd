"""One function that opens every source of data, and the sources that it knows."""

from __future__ import annotations

from autobalance.common import InputError, nearest
from autobalance.data._options import DataOptions
from autobalance.data._problem import Problem
from autobalance.data._source import Source
from autobalance.data.sources import BUILT_IN

#: The first one that is meant is opened.
_KNOWN = list(BUILT_IN)


def known_sources() -> tuple[Source, ...]:
    """The sources that `load` knows, in the order in which it asks them."""
    return tuple(_KNOWN)


def register_source(source: Source) -> None:
    """Makes `load` and the commands know a further kind of source; it is asked before the others.

    Raises:
        InputError: there is a source of this name.
    """
    if source.name in {known.name for known in _KNOWN}:
        raise InputError(f"there is a data source {source.name!r} already: choose another name")
    _KNOWN.insert(0, source)


def unregister_source(name: str) -> None:
    """Makes `load` forget a source that `register_source` was given."""
    _KNOWN[:] = [known for known in _KNOWN if known.name != name]


def load(source: str, options: DataOptions | None = None) -> Problem:
    """Opens a source of data, split into training, validation and test samples that are disjoint and stratified.

    Where the source has validation samples they are used, otherwise a share of the training samples is split off.
    Everything random follows ``options.seed`` alone and leaves the global generators untouched. What standardises the
    inputs is measured on the training split alone.

    Args:
        source: the name of a data set; an .npz file; a table or a folder of tables; a folder of images or of lists of
            images; or ``package.module:function``. `known_sources` has them all.
        options: None for the defaults.

    Returns:
        The problem, its classes numbered 0..K-1, or its targets as they are, with ``bin_edges``.

    Raises:
        InputError: data that cannot be used, or an option that has no effect on this source; with what helps.
    """
    options = options or DataOptions()
    for known in _KNOWN:
        if known.is_meant(source, options):
            return known.open(source, options)
    names = [known.name for known in _KNOWN if known.matches is None]
    kinds = dict.fromkeys(known.words for known in _KNOWN if known.matches is not None)
    raise InputError(
        f"the data source {source!r} is unknown: give {', '.join([*names, *kinds])}{nearest(source, names)}"
    )
