"""From data as they come to what a model is given: encoders, fitted on training samples and kept beside the model."""

from __future__ import annotations

from autobalance.data.encoders._arrays import ArrayEncoder as ArrayEncoder
from autobalance.data.encoders._encoder import Encoder as Encoder
from autobalance.data.encoders._encoder import Kept as Kept
from autobalance.data.encoders._images import ImageEncoder as ImageEncoder
from autobalance.data.encoders._readings import ColumnRead as ColumnRead
from autobalance.data.encoders._table import TableEncoder as TableEncoder

#: The kinds of encoders by the name that a kept one says.
KINDS: dict[str, type[Encoder]] = {kind.kind: kind for kind in (ArrayEncoder, ImageEncoder, TableEncoder)}


def encoder_of(kept: Kept) -> Encoder:
    """The encoder that `Encoder.kept` described.

    Raises:
        KeyError, TypeError, ValueError: it is no description of one.
    """
    settings = dict(kept.settings)
    return KINDS[settings.pop("kind")].made_of(Kept(settings, kept.tensors))
