"""The object of one pod as the API has it: the cache holds it, which folds what nobody reads.

A worker that kept an object of its own would keep ten kilobytes as long as its pod runs.
"""

from __future__ import annotations

from hearth.kube import meta
from hearth.kube.cache import WatchCache
from hearth.kube.meta import Object


class PodObject:
    """Called, it returns the object as it is now; before the first change as it was found."""

    __slots__ = ("_held", "_key", "_pods")

    def __init__(self, pods: WatchCache, pod: Object) -> None:
        self._pods = pods
        self._key = meta.key(pod)
        self._held: Object | None = pod

    def __call__(self) -> Object:
        """Raises LookupError where it has gone and nobody has said so."""
        pod = self._held or self._pods.get(*self._key)
        if pod is None:
            raise LookupError(f"pod {meta.key_text(self._key)} has gone")
        return pod

    def followed(self) -> None:
        """Its changes are told from now on: the cache has what it is."""
        self._held = None

    def gone(self, last: Object) -> None:
        """The cache has it no more, or another of its name; this is what it was."""
        self._held = last
