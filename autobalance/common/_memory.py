"""How much memory there is."""

from __future__ import annotations

from pathlib import Path


def free_memory_mb() -> float | None:
    """The memory that the system has left for programs; None where it does not say (no Linux)."""
    try:
        told = Path("/proc/meminfo").read_text(encoding="ascii")
        return int(told.split("MemAvailable:")[1].split()[0]) / 1024
    except (OSError, IndexError):
        return None
