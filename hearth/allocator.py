"""Makes freed memory go back to the system: two settings of glibc's allocator.

By default glibc learns from the first large block that is freed to take blocks of that size from
the heap, up to 32 MiB. Objects of 1 MB that come and go then leave holes that are never given back.
With a fixed threshold larger blocks are mapped apart, and unmapped when they are freed: 24 updates
of two Secrets of 1 MB leave 15 MB and not 60 to 75, at the same CPU time. Smaller blocks live on
the heap as ever: pieces of bodies that the activator reads (256 KiB) among them, for which the heap
would otherwise shrink and grow, page by page, four times a megabyte.
"""

from __future__ import annotations

import ctypes

MAPPED_FROM = 512 * 1024
"""Blocks of this many bytes and more are mapped apart: few requests have any."""

KEPT_FREE = 4 * 1024 * 1024
"""Free bytes that stay at the end of the heap, so that requests do not shrink and grow it."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h


def map_large_blocks() -> bool:
    """Sets the thresholds for this process; False where the C library has no such setting."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    settings = ((_M_MMAP_THRESHOLD, MAPPED_FROM), (_M_TRIM_THRESHOLD, KEPT_FREE))
    return all(mallopt(name, value) == 1 for name, value in settings)
