"""What the page asks other processes: the seam to whoever knows where they are (``hearth.cli``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

Json = dict[str, Any]


class CannotAsk(Exception):
    """A process gives no answer, or refuses; the text says which, and what to do."""


class Neighbours(Protocol):
    """The processes of one machine, or of a cluster. All raise CannotAsk."""

    async def readings(self) -> Mapping[str, str]:
        """Return what each activator counts, in Prometheus' text, by the activator's name."""
        ...

    async def broker(self, method: str, target: str, body: Json | None = None) -> Json:
        """Ask the broker about events (``eventing.runtime.admin.server`` lists what)."""
        ...

    async def explanations(self, namespace: str, name: str) -> Sequence[Json]:
        """Return why a Service, a Revision or a ScaledObject has the pods that it has."""
        ...
