"""Traces that begin with what a source sends: one span for each event, attempts together.

The adapter of PingSources reads ``config-observability`` itself. Others have no right to, and are
told by a variable, as Knative tells its adapters.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial

from eventing.api.observability import OBSERVABILITY_CONFIG
from eventing.runtime.tracing.words import Attributes, of_destination, of_event, of_url
from hearth.kube.clock import Clock, wall_clock
from hearth.observability.traces.config import NONE, TracingConfig
from hearth.observability.traces.context import TraceContext
from hearth.observability.traces.sampling import new_span_id
from hearth.observability.traces.spans import Span, SpanKind
from hearth.observability.traces.tracer import Tracer


def told_config(environment: Mapping[str, str]) -> TracingConfig:
    """Return where traces go as a variable says it; raise ValueError where it cannot be read."""
    try:
        given = json.loads(environment.get(OBSERVABILITY_CONFIG) or "{}").get("tracing") or {}
        protocol, endpoint = given.get("protocol") or NONE, given.get("endpoint") or ""
        return TracingConfig(str(protocol), str(endpoint), float(given.get("samplingRate") or 0))
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"{OBSERVABILITY_CONFIG} cannot be read: {error}") from error


def of_source(group_resource: str, namespace: str, name: str) -> Attributes:
    """Return what Knative says of the source of an event."""
    return {
        "kn.source.name": name,
        "kn.source.namespace": namespace,
        "kn.source.resourcegroup": group_resource,
    }


class SendTracing:
    """Makes spans of what is sent."""

    def __init__(self, tracer: Tracer, clock: Clock = wall_clock) -> None:
        self._tracer = tracer
        self._clock = clock

    def begin(self) -> Sending | None:
        """Begin a trace; None where it is not recorded."""
        begun = self._tracer.sampler.begin() if self._tracer.is_on else None
        if begun is None:
            return None
        return Sending(self._tracer, begun[0].child(new_span_id()), self._clock)


class Sending:
    """One event on its way to its sink."""

    def __init__(self, tracer: Tracer, context: TraceContext, clock: Clock) -> None:
        self._tracer = tracer
        self._context = context
        self._clock = clock
        self._began = clock()

    @property
    def header(self) -> str:
        """The value of ``traceparent``, from which the receiver goes on."""
        return self._context.header.decode("ascii")

    def ended(
        self,
        url: str,
        event: Mapping[str, object],
        source: Attributes,
        *,
        status: int,
        error: str,
        attempts: int,
    ) -> None:
        """Note how sending ended; ``status`` is 0 where there was no answer."""
        noted = url, event, source, status, error, attempts, self._began, self._clock()
        self._tracer.record(partial(_span_of, self._context, *noted))


def _span_of(
    context: TraceContext,
    url: str,
    event: Mapping[str, object],
    source: Attributes,
    status: int,
    error: str,
    attempts: int,
    began: float,
    ended: float,
) -> Span:
    """In the thread that exports."""
    where = of_url(url)
    shown = str(where["url.full"])
    told = of_destination(shown) | source | of_event(event) | where
    if status:
        told["http.response.status_code"] = status
    if attempts > 1:
        told["http.request.resend_count"] = attempts - 1
    failed = None if 200 <= status < 300 else error or f"the answer was {status}"
    if failed is not None:
        told["error.type"] = str(status) if status else "no answer"
    start, end = int(began * 1e9), int(ended * 1e9)
    return Span(f"send {shown}", SpanKind.PRODUCER, context, b"", start, end, told, failed)
