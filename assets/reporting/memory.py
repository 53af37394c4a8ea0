"""Gives memory that was freed back to the system, so that a process and the kernel that it starts fit side by side."""

import ctypes
import gc
import sys


def give_back_memory() -> None:
    """What Python and the C library hold for later. Does nothing where the C library is not GNU's."""
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
