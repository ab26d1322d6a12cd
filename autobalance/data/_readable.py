"""Images in files that cannot be read: said all at once before anything is trained, or left out."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from autobalance.common import InputError
from autobalance.data._arrays import Arrays, check_labels
from autobalance.data._decode import fault_of, in_threads
from autobalance.data._image_files import ImageFiles
from autobalance.data._options import DataOptions

#: Files that a message names.
_NAMED = 50


def readable(parts: Mapping[str, Arrays], options: DataOptions) -> tuple[dict[str, Arrays], tuple[str, ...]]:
    """The samples whose images can be read, and a note on the others.

    Args:
        parts: images in files, undecoded, by the name of the part.
        options: ``skip_unreadable`` leaves out what cannot be read.

    Raises:
        InputError: files that cannot be read, all of them named, unless they are left out; or leaving them out leaves a
            part without one of its classes.
    """
    left: dict[str, Arrays] = {}
    faults: dict[str, str] = {}
    for part, arrays in parts.items():
        assert isinstance(arrays.x, ImageFiles)
        whys = list(in_threads(fault_of, arrays.x.files.tolist()))
        faults |= {file: why for file, why in zip(arrays.x.files, whys, strict=True) if why is not None}
        left[part] = arrays.subset(np.flatnonzero([why is None for why in whys]))
    if not faults:
        return dict(parts), ()
    named = "; ".join(f"{file} ({why})" for file, why in list(faults.items())[:_NAMED])
    more = f"; and {len(faults) - _NAMED} more" if len(faults) > _NAMED else ""
    number = f"{len(faults)} image{'s' if len(faults) > 1 else ''}"
    if not options.skip_unreadable:
        raise InputError(
            f"{number} cannot be read: repair or remove {'them' if len(faults) > 1 else 'it'}, or add "
            f"`skip_unreadable` to go on without: {named}{more}"
        )
    for part, arrays in left.items():
        if not len(arrays.y):
            raise InputError(f"none of the {len(parts[part].y)} {part} images can be read, such as {named}")
        if not options.regression:
            check_labels(arrays.y, f"the class of the {part} images", len(arrays.y), int(parts[part].y.max()) + 1)
    return left, (f"{number} cannot be read and {'are' if len(faults) > 1 else 'is'} left out: {named}{more}",)
