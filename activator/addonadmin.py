"""What the add-on's interceptor answers at its admin port: requests of each route, and health.

Its external scaler asks here twice a second; Hearth's own is told instead (``reporter``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import orjson

from activator.backends import Backend


@dataclass(frozen=True, slots=True)
class AddonAdmin:
    """Answers by path, as ``hearth.observability.health`` serves them."""

    targets: Callable[[], Iterable[Backend]]
    """The target of each route."""
    is_ready: Callable[[], bool]

    def answer(self, target: str) -> tuple[int, str]:
        """Return status and body for a path."""
        if target == "/queue":
            counts = {
                f"{backend.ref.namespace}/{backend.ref.route}": {
                    "Concurrency": backend.stats.active,
                    "RequestCount": backend.stats.entered,
                }
                for backend in self.targets()
            }
            return 200, orjson.dumps(counts).decode() + "\n"
        if target == "/livez":
            return 200, ""
        if target == "/readyz":
            return (200, "") if self.is_ready() else (503, "")
        return 404, ""
