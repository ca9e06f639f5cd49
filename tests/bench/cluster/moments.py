"""When a pod was first seen and when it was first ready, by the name that a label of it holds."""

from __future__ import annotations

import time
from dataclasses import dataclass

from hearth.kube.cache import WatchCache
from hearth.kube.meta import Object, labels
from hearth.kube.views import Pod


@dataclass(frozen=True, slots=True)
class Start:
    """Milliseconds from a create request: to the first pod, to a ready one, to the end of all."""

    made: float
    ready: float
    whole: float

    def beyond(self, bare: Start) -> float:
        """What is left without the pod's own way from made to ready, and what a bare one takes.

        A kubelet takes a second more or less for that way, by chance: its first probe succeeds, or
        the next one a second later.
        """
        return self.made - bare.made + self.whole - self.ready


class Moments:
    """Follows the pods of a cache; the first moment of each kind is kept."""

    def __init__(self, pods: WatchCache, label: str) -> None:
        self._label = label
        self._made: dict[str, float] = {}
        self._ready: dict[str, float] = {}
        pods.on_change(self._changed)

    def _changed(self, _old: Object | None, new: Object | None) -> None:
        if new is not None:
            of, now = labels(new)[self._label], time.perf_counter()
            self._made.setdefault(of, now)
            if Pod(new).is_ready:
                self._ready.setdefault(of, now)

    def start(self, of: str, *, began: float) -> Start:
        """What has been seen since ``began``, now that all is done; the end, where no pod came."""
        end = time.perf_counter()
        moments = (self._made.get(of, end), self._ready.get(of, end), end)
        return Start(*((moment - began) * 1000 for moment in moments))
