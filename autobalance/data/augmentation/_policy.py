"""A policy: for each class the strength and the probability of each operation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from autobalance.common import InputError
from autobalance.data.augmentation._gates import gates
from autobalance.data.augmentation._pipeline import OPERATIONS, apply, check_known, draw

#: Dimensions of one sample, by kind.
DIMENSIONS = {"image": 3, "table": 1}


class Policy(nn.Module):
    """Changes training samples at random, those of each class in a way of their own.

    Called as ``policy(x, y)`` it returns (changed x, y): for a batch, as behind a ``DataLoader``; for a single sample,
    as the transforms of ``torchvision.transforms.v2`` do, so that it can stand in a ``v2.Compose``. An operation of a
    sample of class k is on with probability π_k, and then acts with strength μ_k.

    Args:
        kind: ``image`` for samples (C, H, W), ``table`` for (D,).
        strength: μ by operation, each (K,), or (K, G) for K classes and G groups; at least 0.
        probability: π by operation, of the same shapes; 0 to 1.
        class_names: K names, for people.
        group_names: G names, for people.

    Raises:
        InputError (a ValueError): an unknown kind or operation, tables of different shapes, numbers out of range.
    """

    strength: Tensor
    probability: Tensor

    def __init__(
        self,
        kind: str,
        strength: Mapping[str, Tensor | Sequence[Any]],
        probability: Mapping[str, Tensor | Sequence[Any]],
        class_names: Sequence[str] | None = None,
        group_names: Sequence[str] | None = None,
    ) -> None:
        super().__init__()
        if kind not in OPERATIONS:
            raise InputError(f"a policy is for one of {', '.join(OPERATIONS)}, not for {kind!r}")
        check_known(kind, strength)
        if set(strength) != set(probability) or not strength:
            raise InputError(
                f"a policy needs strength and probability of the same operations, one or more; there are "
                f"{sorted(strength)} and {sorted(probability)}"
            )
        self.kind = kind
        self.operations = tuple(name for name in OPERATIONS[kind] if name in strength)
        self.register_buffer("strength", _table("strength", strength, self.operations))
        self.register_buffer("probability", _table("probability", probability, self.operations))
        if self.strength.shape != self.probability.shape:
            raise InputError(
                f"strengths are {tuple(self.strength.shape[:-1])} and probabilities "
                f"{tuple(self.probability.shape[:-1])}: both are (classes,) or (classes, groups)"
            )
        if self.probability.max() > 1:
            raise InputError(f"a probability is {self.probability.max().item():.4g}, above 1")
        self.num_classes = len(self.strength)
        self.num_groups = self.strength.shape[1] if self.strength.dim() == 3 else 0
        for what, names, number in (
            ("class", class_names, self.num_classes),
            ("group", group_names, self.num_groups),
        ):
            if names is not None and len(names) != number:
                raise InputError(f"{what}_names has {len(names)} names, but the tables have {number}")
        self.class_names = None if class_names is None else tuple(class_names)
        self.group_names = None if group_names is None else tuple(group_names)

    def to_dict(self) -> dict[str, dict[str, list]]:
        """For each operation its ``strength`` and ``probability`` as lists."""
        return {
            name: {"strength": self.strength[..., place].tolist(), "probability": self.probability[..., place].tolist()}
            for place, name in enumerate(self.operations)
        }

    def without(self, *names: str) -> Policy:
        """The policy without some of its operations, for example ``without("mix")`` for samples that come singly.

        Raises:
            InputError: the policy has no such operation, or no other.
        """
        if unknown := [name for name in names if name not in self.operations]:
            raise InputError(f"this policy has no {unknown[0]!r}; it has {', '.join(self.operations)}")
        kept = [place for place, name in enumerate(self.operations) if name not in names]
        strength = {self.operations[place]: self.strength[..., place] for place in kept}
        probability = {self.operations[place]: self.probability[..., place] for place in kept}
        return Policy(self.kind, strength, probability, self.class_names, self.group_names)

    def forward(
        self, x: Tensor, y: Tensor | int, group: Tensor | int | None = None, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Any]:
        """Changed samples, and their labels as they were.

        Args:
            x: floating-point inputs on the scale that the policy was searched on (standardised ones, in the command):
                a batch (B, C, H, W) or (B, D), or one sample (C, H, W) or (D,).
            y: classes, (B,) int64; for one sample a number.
            group: groups, as y, where the policy has groups; otherwise ignored.
            generator: of the random numbers, on the CPU; None for torch's own.

        Raises:
            InputError (a ValueError): inputs of another kind, classes or groups out of range, or a single sample for a
                policy that mixes samples.
        """
        if not isinstance(x, Tensor) or not x.is_floating_point():
            what = x.dtype if isinstance(x, Tensor) else type(x).__name__
            raise InputError(
                f"a policy changes floating-point tensors, not {what}: put it behind v2.ToDtype(torch.float32, "
                "scale=True) and v2.Normalize(mean, std)"
            )
        single = x.dim() == DIMENSIONS[self.kind]
        if not single and x.dim() != DIMENSIONS[self.kind] + 1:
            raise InputError(
                f"inputs have shape {tuple(x.shape)}; a policy for {self.kind}s takes {DIMENSIONS[self.kind]} "
                "dimensions, and one more for a batch"
            )
        if single and "mix" in self.operations:
            raise InputError(
                'a single sample cannot be mixed with another: call the policy on batches, or policy.without("mix")'
            )
        given = x.as_subclass(Tensor)[None] if single else x.as_subclass(Tensor)
        if "saturation" in self.operations and given.shape[1] != 3:
            raise InputError(
                f"the policy changes the saturation, which needs 3 colours; the images have {given.shape[1]}"
            )
        cells = self._cells(y, group, len(given))
        strength = self.strength[cells].to(given)
        probability = self.probability[cells].to(given)
        changed = changed_by(self.kind, self.operations, given, strength, probability, self.draw(given, generator))
        return (changed[0] if single else changed), y

    def draw(self, x: Tensor, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """The random numbers of one call on a batch x."""
        return draw(self.kind, self.operations, x, generator)

    def _cells(self, y: Tensor | int, group: Tensor | int | None, number: int) -> tuple[Tensor, ...]:
        cells = [self._index("class", y, number, self.num_classes)]
        if self.num_groups:
            if group is None:
                raise InputError(f"the policy has {self.num_groups} groups: call policy(x, y, group)")
            cells.append(self._index("group", group, number, self.num_groups))
        return tuple(cells)

    def _index(self, what: str, values: Tensor | int, number: int, bound: int) -> Tensor:
        index = torch.as_tensor(values, device=self.strength.device).reshape(-1)
        if index.is_floating_point() or len(index) != number:
            raise InputError(f"there are {number} samples; each needs one {what}, a whole number")
        if index.device.type == "cpu" and (index.min() < 0 or index.max() >= bound):
            raise InputError(f"a {what} is {index.max().item()} or below 0; the policy has {bound}, 0 to {bound - 1}")
        return index.long()

    def extra_repr(self) -> str:
        groups = f" x {self.num_groups} groups" if self.num_groups else ""
        return f"{self.kind}, {self.num_classes} classes{groups}, {', '.join(self.operations)}"


def changed_by(
    kind: str,
    operations: Sequence[str],
    x: Tensor,
    strength: Tensor,
    probability: Tensor,
    draws: Mapping[str, Tensor],
    temperature: float | None = None,
) -> Tensor:
    """x, (B, ...), changed by ``operations``; each acts with its strength times its gate (`gates`).

    Args:
        strength, probability: of each sample, (B, O) for O operations.
        draws: as `draw` made them.
        temperature: of the relaxed gates; None for gates that are on or off.
    """
    effective = strength * gates(probability, draws["gate"], temperature)
    return apply(kind, x, dict(zip(operations, effective.unbind(1), strict=True)), draws)


def _table(what: str, values: Mapping[str, Tensor | Sequence[Any]], operations: Sequence[str]) -> Tensor:
    """(K, O) or (K, G, O), float32."""
    columns = [torch.as_tensor(values[name]).detach().float() for name in operations]
    shape = columns[0].shape
    if len(shape) not in (1, 2) or not columns[0].numel() or any(column.shape != shape for column in columns):
        found = {name: tuple(column.shape) for name, column in zip(operations, columns, strict=True)}
        raise InputError(f"each {what} is (classes,) or (classes, groups), alike for all operations; found {found}")
    table = torch.stack(columns, -1)
    if not table.isfinite().all() or (table < 0).any():
        raise InputError(f"a {what} is below 0 or not finite")
    return table
