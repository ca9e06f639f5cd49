"""Which requests are watched, and who is told: a tracer, histograms, the request log.

Follows ``config-observability``. While it asks for nothing the gateway has no observer at all.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from activator.forwarding import PROBE
from activator.gateway import Gateway
from activator.http.events import Peer, ServerStream
from activator.http.fields import Field, find_field
from activator.notes import Note
from activator.observing.requestlog import RequestLog
from activator.observing.spans import spans_of
from hearth.observability.traces.context import context_of, with_context
from hearth.observability.traces.sampling import new_span_id
from hearth.observability.traces.tracer import Tracer
from serving.api import gotemplate
from serving.api.config.observability import ObservabilityConfig

_KUBELET = b"kube-probe/"


class Observation:
    """All that watches the requests of one activator."""

    def __init__(
        self,
        tracer: Tracer,
        gateway: Gateway,
        *,
        make_log: Callable[[gotemplate.Template], RequestLog] = RequestLog,
    ) -> None:
        self._tracer = tracer
        self._gateway = gateway
        self._make_log = make_log
        self._log: RequestLog | None = None
        self._template = ""
        self._ending: list[threading.Thread] = []

    def configure(self, config: ObservabilityConfig) -> None:
        """Go on by another configuration."""
        self._tracer.configure(config.tracing)
        template = config.request_log_template if config.enable_request_log else ""
        if template != self._template:
            self._template = template
            self._end_log()
            if template:
                self._log = self._make_log(gotemplate.parse("requestLog", template))
                self._log.start()
        if not self._tracer.is_on and self._log is None:
            self._gateway.observe(None)
            return
        observer = Observer(
            self._tracer,
            self._log,
            clock=self._gateway.clock,
            logs_probes=config.enable_probe_request_log,
        )
        self._gateway.observe(observer)

    def _end_log(self) -> None:
        log, self._log = self._log, None
        if log is not None:
            thread = threading.Thread(target=log.close, name="request-log-end", daemon=True)
            thread.start()
            self._ending = [each for each in self._ending if each.is_alive()]
            self._ending.append(thread)

    def close(self) -> None:
        """Tell what there is to tell. Blocks; call it off the event loop."""
        self._gateway.observe(None)
        self._end_log()
        self._tracer.close()
        for thread in self._ending:
            thread.join()


class Observer:
    """A ``RequestObserver`` by one configuration."""

    def __init__(
        self,
        tracer: Tracer,
        log: RequestLog | None,
        *,
        clock: Callable[[], float],
        logs_probes: bool,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """``clock`` is the gateway's."""
        self._clock, self._wall_ns = clock, wall_ns
        self._tracer = tracer
        self._log = log
        self._logs_probes = logs_probes

    def begin(self, stream: ServerStream, peer: Peer) -> Note | None:
        """Note a request that is logged, or in a trace that is recorded."""
        head = stream.head
        decided = None
        if self._tracer.is_on:
            given = context_of(head.fields)
            sampler = self._tracer.sampler
            decided = sampler.begin() if given is None else sampler.parent_of(given)
        if decided is None and self._log is None:
            return None
        is_probe = (head.taken is not None and PROBE in head.taken) or _is_kubelets(head.fields)
        if is_probe:
            if self._log is None or not self._logs_probes:
                return None
            decided = None  # as Knative: probes are not traced
        note = Note(self, stream, peer, self._clock(), self._wall_ns())
        if decided is not None:
            parent, note.is_remote = decided
            note.parent_id = parent.span_id
            note.context = parent.child(new_span_id())
            note.proxy_id = new_span_id()
            onward = parent.child(note.proxy_id)
            head.fields = with_context(head.fields, onward, continues=note.is_remote)
        return note

    def ended(self, note: Note) -> None:
        """Hand on what was noted."""
        context = note.context
        if context is not None and self._tracer.is_on:
            for span in spans_of(note, context, new_span_id):
                self._tracer.record(span)
            if note.backend is not None:
                seconds = note.ended_at - note.began_at
                note.backend.stats.exemplify(
                    note.status, seconds, context.trace_id, note.began_ns / 1e9 + seconds
                )
        if self._log is not None:
            self._log.add(note)


def _is_kubelets(fields: list[Field]) -> bool:
    return (find_field(fields, b"user-agent") or b"").startswith(_KUBELET)
