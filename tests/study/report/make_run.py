"""Runs' directories as a search writes them, made up for the tests of the report."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import torch

from autobalance.losses import ParametricLoss, save_loss


def method(means: list[float], num_classes: int) -> dict[str, Any]:
    """A method's part of result.json from its balanced error of each seed."""
    values = torch.tensor(means, dtype=torch.float64)
    std = values.std().item() if len(means) > 1 else 0.0
    return {
        "balanced_error": values.mean().item(),
        "balanced_error_std": std,
        "balanced_error_by_seed": means,
        "error": values.mean().item() + 0.25,
        "error_std": std,
        "error_by_seed": [mean + 0.25 for mean in means],
        "class_error": [values.mean().item() * (0.3 + 1.4 * k / max(num_classes - 1, 1)) for k in range(num_classes)],
        "class_error_std": [std] * num_classes,
    }


def result(
    test: dict[str, list[float]], num_classes: int = 10, ratio: float = 10.0, names: list[str] | None = None
) -> dict[str, Any]:
    """The content of a result.json; ``test`` has the balanced error of each seed for each method."""
    counts = [max(1, round(124 * ratio ** (-k / (num_classes - 1)))) for k in range(num_classes)]
    return {
        "data": "digits",
        "task": "classification",
        "objective": "balanced_error",
        "model": "cnn",
        "seed": 0,
        "seeds": [0, 1, 2],
        "class_names": names or [str(k) for k in range(num_classes)],
        "class_counts": counts,
        "imbalance_ratio": counts[0] / counts[-1],
        "num_train": 400,
        "num_validation": 100,
        "num_test": 539,
        "test": {name: method(means, num_classes) for name, means in test.items()},
        "search": {
            "start": "la",
            "free": ["w", "l", "delta"],
            "hypergradient": "replay",
            "unroll": 5,
            "epochs": 60,
            "outer_steps": 40,
            "skipped_steps": 0,
            "stopped_early": False,
        },
        "cost": {"search_seconds": 12.5, "train_seconds": 8.1, "ratio": 1.54, "peak_memory_mb": 481.0},
        "versions": {"autobalance": "0.1.0", "torch": "2.14.1", "python": "3.11.7"},
    }


def write_run(directory: Path, content: dict[str, Any], groups: int = 0, epochs: int = 8) -> Path:
    """Writes loss.json, result.json and history.jsonl for ``content`` into ``directory``."""
    counts = torch.tensor(content["class_counts"], dtype=torch.float64)
    shape = (len(counts), groups) if groups else (len(counts),)
    prior = (counts / counts.sum()).log()
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    wide = prior[:, None].expand(shape) if groups else prior
    names = tuple(content["class_names"])

    def tables(share: float) -> dict[str, torch.Tensor]:
        return {
            "w": torch.exp(-0.2 * share * wide + 0.1 * share * noise),
            "l": wide * (1 - 0.3 * share) + 0.2 * share * noise,
            "delta": torch.exp(0.1 * share * (wide + 1) + 0.03 * share * noise),
        }

    save_loss(ParametricLoss(len(counts), **tables(1.0), class_names=names), directory / "loss.json")
    if groups:
        cells = [[count // groups + (count % groups if g == 0 else 0) for g in range(groups)] for count in counts.int()]
        content = {**content, "cell_counts": [[int(n) for n in row] for row in cells]}
    (directory / "result.json").write_text(json.dumps(content), encoding="utf-8")
    rows = []
    for epoch in range(1, epochs + 1):
        share = max(0.0, (epoch - epochs // 3) / (epochs - epochs // 3))
        rows.append({
            "phase": "warm-up" if epoch <= epochs // 3 else "search",
            "epoch": epoch,
            "train_loss": 2.3 * math.exp(-epoch / 5),
            "objective": 0.3 + 2 * math.exp(-epoch / 6) + 0.02 * math.sin(3 * epoch),
            "balanced_error": 8 + 60 * math.exp(-epoch / 6) + math.sin(5 * epoch),
            "parameters": {name: table.tolist() for name, table in tables(share).items()},
        })  # fmt: skip
    (directory / "history.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return directory
