"""When a pod was seen first, with an address, and ready, by the name that a label of it holds."""

from __future__ import annotations

import time
from dataclasses import dataclass

from hearth.kube.cache import WatchCache
from hearth.kube.meta import Object, labels
from hearth.kube.views import Pod


@dataclass(frozen=True, slots=True)
class Start:
    """Milliseconds from a request: to the first pod, its address, its readiness, the end of all."""

    made: float
    addressed: float
    ready: float
    whole: float

    def beyond(self, bare: Start) -> float:
        """What is left without the pod's own way from made to ready, and what a bare one takes.

        A kubelet takes a second more or less for that way, by chance: its first probe succeeds, or
        the next one a second later.
        """
        return self.made - bare.made + self.whole - self.ready

    def beyond_from_zero(self, bare: Start) -> float:
        """The same for a start from zero, where an address is what is waited for.

        From the pod's making to its address is the kubelet's time, which differs by 100 ms and more
        from one pod to the next.
        """
        return self.made - bare.made + self._after_address - bare._after_address

    @property
    def _after_address(self) -> float:
        return self.whole - self.addressed


class Moments:
    """Follows the pods of a cache; the first moment of each kind is kept."""

    def __init__(self, pods: WatchCache, label: str) -> None:
        self._label = label
        self._made: dict[str, float] = {}
        self._addressed: dict[str, float] = {}
        self._ready: dict[str, float] = {}
        pods.on_change(self._changed)

    def _changed(self, _old: Object | None, new: Object | None) -> None:
        if new is not None:
            of, now = labels(new)[self._label], time.perf_counter()
            self._made.setdefault(of, now)
            if Pod(new).ip:
                self._addressed.setdefault(of, now)
            if Pod(new).is_ready:
                self._ready.setdefault(of, now)

    def forget(self, of: str) -> None:
        """Begin anew, for a start from zero."""
        for known in (self._made, self._addressed, self._ready):
            known.pop(of, None)

    def start(self, of: str, *, began: float) -> Start:
        """What has been seen since ``began``, now that all is done; the end, where no pod came."""
        end = time.perf_counter()
        known = (self._made, self._addressed, self._ready)
        moments = (*(each.get(of, end) for each in known), end)
        return Start(*((moment - began) * 1000 for moment in moments))
