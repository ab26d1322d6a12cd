"""Feature-distribution smoothing in a small JSON file: where it goes in a model, how it smooths, and how strongly."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from autobalance.calibrated import Calibrated
from autobalance.errors import InputError
from autobalance.fds import FDS
from autobalance.losses._file import write_text

FORMAT, VERSION = "autobalance-fds", 1


@dataclass(frozen=True)
class Smoothing:
    """What `calibrate` makes a layer of.

    Args:
        layer: its place: ``input``, ``last`` or a layer's name.
        bin_edges: of the target's bins, (K + 1,).
        strength, kernel, ks, sigma, momentum: as in `FDS`.
    """

    layer: str
    bin_edges: tuple[float, ...]
    strength: float = 1.0
    kernel: str = "gaussian"
    ks: int = 5
    sigma: float = 2.0
    momentum: float = 0.9

    def calibrate(self, model: nn.Module, sample: Tensor) -> Calibrated:
        """``model`` with the layer in its place; ``sample`` is an input of one or more samples."""
        settings = {name: getattr(self, name) for name in ("strength", "kernel", "ks", "sigma", "momentum")}
        make_layer = partial(FDS, num_bins=len(self.bin_edges) - 1, **settings)
        return Calibrated(model, self.layer, make_layer, sample, self.bin_edges).to(sample.device)

    def save(self, path: Path) -> None:
        """Writes the file."""
        content = {"format": FORMAT, "version": VERSION, **asdict(self)}
        write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def load_fds(path: str | os.PathLike[str], model: nn.Module, sample: Tensor) -> Calibrated:
    """``model`` with the feature-distribution smoothing that a search saved, its statistics still to be collected.

    Call ``see(targets)`` before each training batch and ``end_epoch()`` after each epoch; `autobalance.training.train`
    does so by itself. Loading runs nothing from the file.

    Args:
        path: ``fds.json``.
        model: the network; has a layer of the name in the file.
        sample: an input of one or more samples, by which the number of features is found.

    Raises:
        InputError (a ValueError): the file cannot be read, or says what cannot be; the model has no such layer.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}") from None
    return _read(content, path).calibrate(model, sample)


def _read(content: Any, path: str | os.PathLike[str]) -> Smoothing:
    if not isinstance(content, Mapping) or (content.get("format"), content.get("version")) != (FORMAT, VERSION):
        raise InputError(f"{path} is no file of the format {FORMAT}, version {VERSION}")
    known = Smoothing.__dataclass_fields__
    given = {name: value for name, value in content.items() if name not in ("format", "version")}
    if set(given) != set(known):
        wrong = sorted(set(given) ^ set(known))[0]
        raise InputError(f"{path} has {'no' if wrong in known else 'the unknown key'} {wrong!r}")
    kinds: dict[str, type | tuple[type, ...]] = {"layer": str, "kernel": str, "ks": int, "bin_edges": list}
    for name, value in given.items():
        if not isinstance(value, kinds.get(name, (int, float))) or isinstance(value, bool):
            raise InputError(f"{path}: {name} is {value!r}")
    edges: Sequence[Any] = given.pop("bin_edges")
    if not all(isinstance(edge, int | float) for edge in edges):
        raise InputError(f"{path}: bin_edges are not all numbers")
    return Smoothing(bin_edges=tuple(edges), **given)
