"""Live settings from ConfigMaps: parsed on each change, the last good value kept."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from hearth.kube.cache import WatchCache
from hearth.kube.meta import Object, name, namespace

log = logging.getLogger(__name__)

T = TypeVar("T")


class Live(Generic[T]):
    """One ConfigMap as a typed value; ``value`` is always one that parsed."""

    def __init__(self, parse: Callable[[Mapping[str, str]], T]) -> None:
        self._parse = parse
        self._callbacks: list[Callable[[], None]] = []
        self.value = parse({})

    def on_change(self, callback: Callable[[], None]) -> None:
        self._callbacks.append(callback)

    def offer(self, data: Mapping[str, str], *, source: str) -> None:
        """Takes new data; data that does not parse is logged and left out."""
        try:
            value = self._parse(data)
        except ValueError as error:
            log.error(
                "config map ignored, the last good one stays",
                extra={"config_map": source, "error": str(error)},
            )
            return
        if value != self.value:
            self.value = value
            for callback in self._callbacks:
                callback()


def follow(cache: WatchCache, wanted: Mapping[str, Live[object]], *, space: str) -> None:
    """Feeds the ConfigMaps of one namespace, by name, into their live values.

    A deleted ConfigMap means the defaults.
    """

    def changed(old: Object | None, new: Object | None) -> None:
        obj = new if new is not None else old
        if obj is None or namespace(obj) != space or name(obj) not in wanted:
            return
        data = (new.get("data") or {}) if new is not None else {}
        kept = {key: value for key, value in data.items() if not key.startswith("_")}
        wanted[name(obj)].offer(kept, source=f"{space}/{name(obj)}")

    cache.on_change(changed)
