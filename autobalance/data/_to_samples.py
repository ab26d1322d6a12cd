"""Parts of a data set as samples, encoded as the training split says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from autobalance.data._arrays import Arrays
from autobalance.data._image_files import ImageFiles
from autobalance.data._samples import Samples
from autobalance.data.encoders import ArrayEncoder, ImageEncoder


def fit_encoder(train: Arrays, *, standardise: bool = True) -> ArrayEncoder | ImageEncoder:
    """An encoder of arrays or of images in files, fitted on the training split.

    Args:
        train: checked.
        standardise: False leaves floats as they are; bytes are standardised all the same.
    """
    if isinstance(train.x, ImageFiles):
        return ImageEncoder.fit(train.x)
    return ArrayEncoder.fit(train.x, standardise)


def to_samples(parts: Sequence[Arrays], encoder: ArrayEncoder | ImageEncoder) -> list[Samples]:
    """The parts of a data set, their inputs encoded.

    Images of shape (N, H, W), (N, H, W, C) or (N, C, H, W) come out as (N, C, H, W). Images in files stay there.

    Args:
        parts: checked arrays.
        encoder: fitted on the training split.

    Raises:
        InputError: the samples of a part have another shape than the training samples.
    """
    return [
        Samples(
            encoder.encode(part.x),
            torch.from_numpy(part.y.astype(np.float32 if part.y.dtype.kind == "f" else np.int64)),
            None if part.group is None else torch.from_numpy(part.group.copy()),
        )
        for part in parts
    ]
