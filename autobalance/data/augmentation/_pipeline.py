"""The operations in the order in which they are applied, for images and for tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from autobalance.common import InputError, nearest
from autobalance.data.augmentation._colour import COLOUR
from autobalance.data.augmentation._erasing import ERASING
from autobalance.data.augmentation._geometry import GEOMETRY
from autobalance.data.augmentation._masking import MASKING
from autobalance.data.augmentation._mix import MIX
from autobalance.data.augmentation._noise import NOISE
from autobalance.data.augmentation._operation import Operation, Stage

#: What can be done to each kind of input, in this order.
STAGES: Mapping[str, tuple[Stage, ...]] = {
    "image": (GEOMETRY, COLOUR, MIX, NOISE, ERASING),
    "table": (MIX, NOISE, MASKING),
}
#: The operations of each kind, by name.
OPERATIONS: Mapping[str, Mapping[str, Operation]] = {
    kind: {name: operation for stage in stages for name, operation in stage.operations.items()}
    for kind, stages in STAGES.items()
}


def kind_of(shape: Sequence[int]) -> str:
    """``image`` for samples of shape (C, H, W), ``table`` for (D,).

    Raises:
        InputError: another shape.
    """
    kinds = {3: "image", 1: "table"}
    if len(shape) not in kinds:
        raise InputError(f"samples of shape {tuple(shape)} cannot be augmented: images (C, H, W) or rows (D,) can")
    return kinds[len(shape)]


def default_operations(shape: Sequence[int]) -> tuple[str, ...]:
    """All operations that have an effect on samples of a shape: ``saturation`` needs three colours."""
    names = tuple(OPERATIONS[kind_of(shape)])
    return names if shape[0] == 3 else tuple(name for name in names if name != "saturation")


def check_operations(names: Sequence[str], shape: Sequence[int]) -> tuple[str, ...]:
    """The names in the order in which they are applied, each once.

    Raises:
        InputError: an unknown name, none at all, or an operation without effect on samples of this shape.
    """
    kind = kind_of(shape)
    known = OPERATIONS[kind]
    check_known(kind, names)
    if not names:
        raise InputError(f"no operation is named; there are {', '.join(known)}")
    if "saturation" in names and shape[0] != 3:
        raise InputError(f"'saturation' has no effect on images of {shape[0]} colours: it needs three")
    return tuple(name for name in known if name in names)


def check_known(kind: str, names: Iterable[str]) -> None:
    """Raises an InputError for a name that is not an operation on samples of this kind."""
    if unknown := [name for name in names if name not in OPERATIONS[kind]]:
        raise InputError(
            f"no operation on {kind}s is called {unknown[0]!r}; there are {', '.join(OPERATIONS[kind])}"
            f"{nearest(unknown[0], OPERATIONS[kind])}"
        )


def draw(kind: str, names: Sequence[str], x: Tensor, generator: torch.Generator | None) -> dict[str, Tensor]:
    """All random numbers that the operations ``names`` need for x, (B, ...), by operation; and under ``gate`` one
    uniform number an operation, (B, O), that decides whether it is on.

    Args:
        generator: of the CPU; None for torch's own.
    """
    found = {name: OPERATIONS[kind][name].draw(x, generator) for name in names}
    found["gate"] = torch.rand(len(x), len(names), generator=generator, dtype=x.dtype).to(x.device)
    return found


def apply(kind: str, x: Tensor, strengths: Mapping[str, Tensor], draws: Mapping[str, Tensor]) -> Tensor:
    """x, (B, ...), changed by the operations that ``strengths`` names, each sample by its own strength, (B,)."""
    for stage in STAGES[kind]:
        mine = {name: strengths[name] for name in stage.operations if name in strengths}
        if mine:
            x = stage.apply(x, mine, draws)
    return x
