"""How the C library treats memory that is freed."""

from functools import cache

import torch

#: Just under the largest block whose size the C library learns from, 32 MiB, in numbers of 4 bytes.
_NUMBERS = 2**23 - 2**11


@cache
def keep_freed_memory() -> None:
    """Makes glibc keep up to 64 MB of freed memory, instead of a few, for what is allocated next.

    It gives back to the system what is free at the end of the heap beyond twice the largest block that was mapped and
    freed so far (malloc(3), M_MMAP_THRESHOLD). A pass through a network allocates a hundred times that and frees it
    again, and each time the system hands out its pages anew: up to a seventh of an engine's time. One block that is
    never written to, freed once, raises the bound for good. Other C libraries do not mind.
    """
    torch.empty(_NUMBERS, dtype=torch.float32)
