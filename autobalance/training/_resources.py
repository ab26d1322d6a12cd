"""What results were computed with, and the memory that it took."""

from __future__ import annotations

import platform
import resource
from importlib.metadata import version
from pathlib import Path

import torch


def versions() -> dict[str, str]:
    """What the results were computed with."""
    return {"autobalance": version("autobalance"), "torch": torch.__version__, "python": platform.python_version()}


def peak_memory_mb(device: torch.device | str) -> float:
    """The most memory that was in use: of the device where it is a GPU, else of this process."""
    if torch.device(device).type == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    try:
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024
    except (OSError, IndexError):  # no Linux
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def reset_peak_memory(device: torch.device | str) -> None:
    """Lets `peak_memory_mb` count from here on. On a CPU this needs Linux; elsewhere the count goes on."""
    if torch.device(device).type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        return
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return
