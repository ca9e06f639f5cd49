"""Children of others that are to be our own."""

from __future__ import annotations

import contextlib
import ctypes
import threading
from collections.abc import Iterator

_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)


class _Foster:
    """Makes processes whose parent ends our own, so that we see how they end.

    While a block runs: what else loses its parent meanwhile comes to us as well. It is the whole
    process that takes them, so there is one of this.
    """

    def __init__(self) -> None:
        self._count = 0
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def children(self) -> Iterator[None]:
        """Within, orphans of ours are ours."""
        self._add(1)
        try:
            yield
        finally:
            self._add(-1)

    def _add(self, change: int) -> None:
        with self._lock:
            self._count += change
            _libc.prctl(_SET_CHILD_SUBREAPER, int(self._count > 0), 0, 0, 0)


FOSTER = _Foster()
