"""Feature-distribution smoothing in a small JSON file: where it goes in a model, how it smooths, and how strongly."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from autobalance.common import Fault, JsonFormat, check_keys, check_number
from autobalance.models._calibrated import Calibrated
from autobalance.models._fds import FDS

FORMAT = JsonFormat("autobalance-fds", 1, "a feature-smoothing file")


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
        FORMAT.write(path, asdict(self))

    @classmethod
    def from_dict(cls, content: Any, fault: Fault) -> Smoothing:
        """The one of these fields, as ``dataclasses.asdict`` and JSON make them.

        Raises:
            InputError: what ``fault`` makes of fields that cannot be.
        """
        if not isinstance(content, dict):
            raise fault("the smoothing is no object")
        check_keys(content, set(cls.__dataclass_fields__), set(), fault)
        kinds: dict[str, type | tuple[type, ...]] = {"layer": str, "kernel": str, "ks": int, "bin_edges": (list, tuple)}
        for name, value in content.items():
            if not isinstance(value, kinds.get(name, (int, float))) or isinstance(value, bool):
                raise fault(f"{name} is {value!r}, which is of the wrong type")
        for edge in content["bin_edges"]:
            check_number("bin_edges", edge, fault)
        return cls(**{**content, "bin_edges": tuple(content["bin_edges"])})


def load_fds(path: str | os.PathLike[str], model: nn.Module, sample: Tensor, layer: str | None = None) -> Calibrated:
    """``model`` with the feature-distribution smoothing that a search saved, its statistics still to be collected.

    Call ``see(targets)`` before each training batch and ``end_epoch()`` after each epoch; `autobalance.training.train`
    does so by itself. Loading runs nothing from the file.

    Args:
        path: ``fds.json``.
        model: the network; has a layer of the name in the file, unless ``layer`` is given.
        sample: an input of one or more samples, by which the number of features is found.
        layer: the one in this model, a name of ``model.named_modules()``; None: the one that the file names.

    Raises:
        InputError (a ValueError): the file is damaged or holds values that cannot be; the model has no such layer.
        FileNotFoundError: there is no such file.
    """
    smoothing = Smoothing.from_dict(*FORMAT.read(path))
    return (smoothing if layer is None else replace(smoothing, layer=layer)).calibrate(model, sample)
