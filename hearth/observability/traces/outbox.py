"""Spans on their way out: a bounded queue, and one thread that exports.

Nobody waits for a collector: what finds no room in the queue is dropped and counted, as is a batch
that the collector does not take. An outage is told once, and once that it is over.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from hearth.observability.metrics import SPANS
from hearth.observability.traces.spans import Recorded, Span

log = logging.getLogger(__name__)


class Exporter(Protocol):
    """Gives spans to a collector."""

    def export(self, spans: Sequence[Span]) -> str:
        """Return why it did not take them; nothing where it did. Called in the thread."""

    def close(self) -> None:
        """End an export under way, and its connections. Called from any thread."""


@dataclass(frozen=True, slots=True)
class OutboxLimits:
    """How much waits for a collector, and how long."""

    spans: int = 4096
    """Spans in memory, at most: about 1 KB each."""
    batch: int = 512
    """Spans exported at once: 300 KB. What stands before a collector may take no more than 1 MB."""
    interval_seconds: float = 5.0
    """How long a span waits for others to go with, at most: an export costs as much as many."""
    close_seconds: float = 3.0
    """What the collector is given at the end of the process."""


class Outbox:
    """``make`` makes the exporter, in the thread: its imports hold nobody up."""

    def __init__(
        self,
        make: Callable[[], Exporter],
        *,
        endpoint: str,
        limits: OutboxLimits | None = None,
        failed: Callable[[], None] = lambda: None,
    ) -> None:
        """``failed`` is called, in the thread, where there can be no exporter at all."""
        self._make = make
        self._endpoint = endpoint
        self._limits = limits or OutboxLimits()
        self._failed = failed
        self._spans: deque[Recorded] = deque()
        self._woken = threading.Event()
        self._closing = False
        self._exporter: Exporter | None = None
        self._is_down = False
        self._exported = SPANS.labels("exported")
        self._refused = SPANS.labels("failed")
        self._dropped = SPANS.labels("dropped")
        self._thread = threading.Thread(target=self._run, name="traces", daemon=True)

    def start(self) -> None:
        """Begin to export."""
        self._thread.start()

    def add(self, span: Recorded) -> None:
        """Take a span, or drop it where there is no room. Never waits."""
        spans = self._spans
        if len(spans) >= self._limits.spans or self._closing:
            self._dropped.inc()
            return
        spans.append(span)
        if len(spans) == self._limits.batch:
            self._woken.set()

    def close(self) -> None:
        """Export what is there, but not for long. Blocks; call it off the event loop."""
        self._closing = True
        self._woken.set()
        self._thread.join(self._limits.close_seconds)
        if self._exporter is not None:
            self._exporter.close()
        self._dropped.inc(len(self._spans))
        self._spans.clear()

    # -- in the thread -----------------------------------------------------------------------

    def _run(self) -> None:
        try:
            exporter = self._exporter = self._make()
        except Exception as error:
            facts = {"endpoint": self._endpoint, "error": str(error)}
            log.error("traces cannot be exported at all", extra=facts)
            self._closing = True
            self._failed()
            return
        while not self._closing:
            self._woken.wait(self._limits.interval_seconds)
            self._woken.clear()
            self._empty(exporter)

    def _empty(self, exporter: Exporter) -> None:
        while self._spans:
            count = min(len(self._spans), self._limits.batch)
            recorded = [self._spans.popleft() for _ in range(count)]
            try:
                error = exporter.export([make() for make in recorded])
            except Exception as unexpected:
                error = f"{type(unexpected).__name__}: {unexpected}"
            self._note(count, error)

    def _note(self, spans: int, error: str) -> None:
        (self._refused if error else self._exported).inc(spans)
        if self._closing:
            return  # what fails now may have been ended by us
        facts = {"endpoint": self._endpoint}
        if error and not self._is_down:
            log.warning("traces are not exported", extra={**facts, "error": error})
        elif self._is_down and not error:
            log.info("traces are exported again", extra=facts)
        self._is_down = bool(error)
