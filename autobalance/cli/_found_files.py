"""The augmentation that was found, in files, with samples that the report shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autobalance.common import replacing
from autobalance.data import Problem, Samples
from autobalance.data.augmentation import Policy, save_augmentation
from autobalance.training import AUGMENTATION_FILE

#: For the report: so many classes, each with a sample of its own and so many changed copies of it.
SHOWN_CLASSES, SHOWN_COPIES = 4, 7


def save_augmentation_found(
    policy: Policy, problem: Problem, seed: int, directory: Path, provenance: dict[str, Any]
) -> None:
    """Writes ``augmentation.json`` and, for images, ``augmented.npz`` with samples that the report shows."""
    save_augmentation(policy.cpu(), directory / AUGMENTATION_FILE, provenance)
    if policy.kind == "image":
        classes, samples, copies = shown_samples(policy, problem.train, seed)
        with replacing(directory / "augmented.npz") as file:
            np.savez_compressed(file, classes=classes, samples=samples.numpy(), copies=copies.numpy())
    policy.to(problem.train.device)


def shown_samples(policy: Policy, samples: Samples, seed: int) -> tuple[list[int], Tensor, Tensor]:
    """Classes from the most frequent to the rarest, a training sample of each, and changed copies of it.

    Mixing takes its partners among other training samples, as in training.

    Returns:
        the classes (C,), their samples (C, ...) and the copies (C, SHOWN_COPIES, ...), in half precision on the CPU.
    """
    generator = torch.Generator().manual_seed(seed)
    y = samples.y.cpu()
    counts = torch.bincount(y)
    order = counts.argsort(descending=True, stable=True)
    order = order[counts[order] > 0]
    places = torch.linspace(0, len(order) - 1, min(SHOWN_CLASSES, len(order))).round().long()
    classes = order[places].tolist()
    originals, copies = [], []
    for k in classes:
        own = torch.nonzero(y == k).flatten()
        one = own[torch.randint(len(own), (1,), generator=generator)]
        others = torch.randperm(len(y), generator=generator)[:SHOWN_COPIES]
        batch = samples.take(torch.cat([one.repeat(SHOWN_COPIES), others]))
        changed, _ = policy.cpu()(
            batch.x.cpu(), batch.y.cpu(), None if batch.group is None else batch.group.cpu(), generator
        )
        originals.append(batch.x[0].cpu())
        copies.append(changed[:SHOWN_COPIES])
    return classes, torch.stack(originals).half(), torch.stack(copies).half()
