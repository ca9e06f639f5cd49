"""Events of a log that somebody waits for: by one attribute and its value."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from eventing.engines.event import StoredEvent
from hearth.kube.guards import caught

Come = Callable[[StoredEvent], None]


class Expectations:
    """False as long as nobody waits, which is all that an event costs then."""

    def __init__(self) -> None:
        self._waiting: dict[str, dict[str, Come]] = {}

    def __bool__(self) -> bool:
        """Whether anybody waits."""
        return bool(self._waiting)

    def expect(self, attribute: str, value: str, come: Come) -> None:
        """Call back once, with the first event whose attribute has this value."""
        self._waiting.setdefault(attribute, {})[value] = come

    def forget(self, attribute: str, value: str) -> None:
        """Wait no more."""
        waiting = self._waiting.get(attribute)
        if waiting is not None:
            waiting.pop(value, None)
            if not waiting:
                del self._waiting[attribute]

    def tell(self, events: Sequence[StoredEvent]) -> None:
        """Tell who waits of the events that came."""
        for event in events:
            for attribute in list(self._waiting):
                value = event.attributes.get(attribute)
                come = None if value is None else self._waiting.get(attribute, {}).get(value)
                if value is None or come is None:
                    continue
                self.forget(attribute, value)
                try:
                    come(event)
                except Exception:
                    caught("reply")
