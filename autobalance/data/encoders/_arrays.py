"""Arrays of vectors or images, standardised as the training samples were."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autobalance.common import InputError
from autobalance.data._arrays import channels_first, check_inputs
from autobalance.data.encoders._encoder import Encoder, Kept

#: Names of the inputs in a .npz file, in the order in which they are looked for.
_NAMES = ("x", "x_test")


@dataclass(frozen=True)
class ArrayEncoder(Encoder):
    """``(x - mean) / scale`` of vectors (N, D), or images as (N, C, H, W).

    Args:
        shape: of a sample, (D,) or (C, H, W).
        mean, scale: float64, shaped to broadcast over the samples.
    """

    kind: ClassVar[str] = "arrays"
    takes: ClassVar[str] = "a .npy file, or a .npz file with an array x"

    shape: tuple[int, ...]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]

    @classmethod
    def fit(cls, x: NDArray[Any], standardise: bool = True) -> ArrayEncoder:
        """With the statistics of training inputs, by column of vectors (N, D), or by channel of images.

        What is constant is divided by 1.

        Args:
            x: checked inputs, (N, ...).
            standardise: False leaves floats as they are; bytes are standardised all the same.
        """
        x = channels_first(x)
        mean, scale = _statistics(x) if standardise or x.dtype == np.uint8 else (np.zeros(1), np.ones(1))
        return cls(x.shape[1:], mean, scale)

    def read(self, source: str) -> NDArray[Any]:
        path = Path(source)
        if not path.is_file():
            raise InputError(f"there is no file {source}")
        try:
            with path.open("rb") as stream:
                file = np.load(stream, allow_pickle=False)
                if not isinstance(file, np.lib.npyio.NpzFile):
                    return file
                if (name := next((name for name in _NAMES if name in file.files), None)) is not None:
                    return file[name]
                held = ", ".join(sorted(file.files)) or "nothing"
        except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
            raise InputError(f"{path} cannot be read as {self.takes}: {' '.join(str(error).split())}") from error
        raise InputError(f"{path} has no array x; it holds {held}")

    def encode(self, data: Any) -> Tensor:
        x = channels_first(check_inputs(data, "new"))
        if x.shape[1:] != self.shape:
            raise InputError(f"samples of shape {x.shape[1:]} beside training samples of shape {self.shape}: "
                             "all parts need the same shape, and all or none of them images in files")  # fmt: skip
        # In float64 unless x holds bytes, for which float32 is exact and half the memory.
        work: NDArray[Any] = np.array(x, dtype=np.float32 if x.dtype == np.uint8 else np.float64, order="C")
        work -= self.mean
        work /= self.scale
        return torch.from_numpy(work.astype(np.float32, copy=False))

    def names(self, data: Any) -> None:
        return None

    def kept(self) -> Kept:
        settings = {"shape": list(self.shape), "mean": self.mean.tolist(), "scale": self.scale.tolist()}
        return Kept({"kind": self.kind, **settings}, {})

    @classmethod
    def made_of(cls, kept: Kept) -> ArrayEncoder:
        shape = tuple(int(side) for side in kept.settings["shape"])
        mean, scale = (np.asarray(kept.settings[name], dtype=np.float64) for name in ("mean", "scale"))
        np.broadcast_shapes((1, *shape), mean.shape, scale.shape)
        return cls(shape, mean, scale)


def _statistics(x: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation by column or channel, shaped to broadcast over ``x``; 1 where ``x`` is constant."""
    axes = (0,) if x.ndim == 2 else (0, 2, 3)
    mean = x.mean(axis=axes, dtype=np.float64, keepdims=True)
    scale = x.std(axis=axes, dtype=np.float64, keepdims=True)
    constant = x.max(axis=axes, keepdims=True) == x.min(axis=axes, keepdims=True)
    return mean, np.where(constant, 1.0, scale)
