"""What makes spans asks this: whether at all, of what, and where they go."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from hearth.observability.traces.config import GRPC, TracingConfig
from hearth.observability.traces.sampling import Sampler
from hearth.observability.traces.spans import Recorded

if TYPE_CHECKING:
    from hearth.observability.traces.outbox import Exporter, Outbox, OutboxLimits


class Tracer:
    """The traces of one process, off until they are configured. Ask ``is_on`` before all else.

    ``service`` names the process to a collector, ``namespace`` where it runs.
    """

    def __init__(
        self,
        service: str,
        namespace: str,
        *,
        limits: OutboxLimits | None = None,
        make_exporter: Callable[[TracingConfig], Exporter] | None = None,
    ) -> None:
        self.is_on = False
        self.sampler = Sampler()
        self._resource = {"service.name": service, "k8s.namespace.name": namespace}
        self._limits = limits
        self._make = make_exporter or self._make_exporter
        self._config = TracingConfig()
        self._outbox: Outbox | None = None
        self._closing: list[threading.Thread] = []

    def configure(self, config: TracingConfig) -> None:
        """Go on by another configuration; what was recorded before goes where it was to go."""
        if config == self._config:
            return
        self._config = config
        self.is_on, before, self._outbox = False, self._outbox, None
        self.sampler = Sampler(config.rate)
        if before is not None:
            thread = threading.Thread(target=before.close, name="traces-end", daemon=True)
            thread.start()
            self._closing = [each for each in self._closing if each.is_alive()]
            self._closing.append(thread)
        if config.rate <= 0:
            return
        # With metrics: not for commands that only may send an event.
        from hearth.observability.traces.outbox import Outbox

        outbox = self._outbox = Outbox(
            lambda: self._make(config),
            endpoint=config.endpoint or config.protocol,
            limits=self._limits,
            failed=lambda: self._give_up(outbox),
        )
        self.is_on = True
        outbox.start()

    def _make_exporter(self, config: TracingConfig) -> Exporter:
        if config.protocol == GRPC:
            from hearth.observability.traces.grpcexport import GrpcExporter

            return GrpcExporter(config.url, self._resource)
        from hearth.observability.traces.sdk import make_exporter

        return make_exporter(config, self._resource)

    def _give_up(self, outbox: Outbox) -> None:
        """In the thread of an outbox that can export nothing."""
        if self._outbox is outbox:
            self._outbox = None
            self.is_on = False

    def record(self, span: Recorded) -> None:
        """Hand on a span that is over. Never waits."""
        if self._outbox is not None:
            self._outbox.add(span)

    def close(self) -> None:
        """Export what there is, but not for long. Blocks; call it off the event loop."""
        self.is_on, outbox, self._outbox = False, self._outbox, None
        if outbox is not None:
            outbox.close()
        for thread in self._closing:
            thread.join()
