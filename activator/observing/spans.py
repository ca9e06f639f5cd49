"""The spans of one request. Pure: of what was noted, in the thread that exports."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from activator.http.fields import find_field
from activator.notes import Note
from hearth.observability.traces.context import TraceContext
from hearth.observability.traces.spans import Recorded, Span, SpanKind, Value

_LONGEST = 1024
"""Characters of a value that a client chose."""

Attributes = dict[str, Value]


def spans_of(note: Note, context: TraceContext, new_id: Callable[[], bytes]) -> Iterator[Recorded]:
    """Yield what makes the spans of a request that is over."""
    yield partial(_handle, note, context)
    if note.backend is not None:
        waiting = context.child(new_id())
        yield partial(_wait, note, waiting, context)
        if note.pod_seen_at:
            yield partial(_phase, note, waiting, "scale", context.child(new_id()))
            yield partial(_phase, note, waiting, "probe", context.child(new_id()))
    if note.admitted_at:
        proxy = context.child(new_id())
        yield partial(_proxy, note, proxy, context)
        if note.sent_at:
            yield partial(_sent, note, proxy)


def _moment(note: Note, at: float) -> int:
    return note.began_ns + int(max(0.0, at - note.began_at) * 1e9)


def _handle(note: Note, context: TraceContext) -> Span:
    return Span(
        "handle",
        SpanKind.SERVER,
        context,
        note.parent_id,
        note.began_ns,
        _moment(note, note.ended_at),
        _of_request(note) | _of_revision(note) | _of_answer(note),
        _failure(note),
        note.is_remote,
    )


def _wait(note: Note, context: TraceContext, parent: TraceContext) -> Span:
    found = note.admitted_at
    error = None if found else note.reason or "given up by its client"
    return Span(
        "throttler_try",
        SpanKind.INTERNAL,
        context,
        parent.span_id,
        note.began_ns,
        _moment(note, found or note.ended_at),
        _of_revision(note),
        error,
    )


def _phase(note: Note, parent: TraceContext, name: str, context: TraceContext) -> Span:
    seen = min(max(note.pod_seen_at, note.began_at), note.admitted_at)
    ready = min(max(note.pod_ready_at, seen), note.admitted_at)
    begin, end = (note.began_at, seen) if name == "scale" else (seen, ready)
    return Span(
        name,
        SpanKind.INTERNAL,
        context,
        parent.span_id,
        _moment(note, begin),
        _moment(note, end),
        _of_revision(note),
    )


def _proxy(note: Note, context: TraceContext, parent: TraceContext) -> Span:
    return Span(
        "activator_proxy",
        SpanKind.INTERNAL,
        context,
        parent.span_id,
        _moment(note, note.admitted_at),
        _moment(note, note.ended_at),
        _of_revision(note),
        _failure(note),
    )


def _sent(note: Note, parent: TraceContext) -> Span:
    told: Attributes = {"http.request.method": _text(note.method)}
    if note.pod is not None:
        host, port = note.pod.address
        told |= {"server.address": host, "server.port": port}
    if note.answered_at:
        told["http.response.status_code"] = note.status
    path = _text(note.target).partition("?")[0]
    return Span(
        f"{_text(note.method)} {path}",
        SpanKind.CLIENT,
        parent.child(note.proxy_id),
        parent.span_id,
        _moment(note, note.sent_at),
        _moment(note, note.ended_at),
        told,
        _failure(note),
    )


def _failure(note: Note) -> str | None:
    """What OpenTelemetry calls an error of a server: a status of 500 and more, or none at all."""
    if note.reason and note.status >= 500:
        return note.reason
    if note.status >= 500:
        return str(note.status)
    return None if note.status else "given up by its client"


def _of_request(note: Note) -> Attributes:
    path, _, query = _text(note.target).partition("?")
    host, _, port = _text(note.authority).rpartition(":")
    told: Attributes = {
        "http.request.method": _text(note.method),
        "url.scheme": _text(note.peer.scheme),
        "url.path": path,
        "client.address": note.peer.address,
        "network.protocol.name": "http",
        "network.protocol.version": note.stream_protocol.partition("/")[2],
        "server.address": host if port.isdigit() else _text(note.authority),
    }
    if query:
        told["url.query"] = query
    if host and port.isdigit():
        told["server.port"] = int(port)
    agent = find_field(note.fields, b"user-agent")
    if agent is not None:
        told["user_agent.original"] = _text(agent)
    return told


def _of_answer(note: Note) -> Attributes:
    told: Attributes = {"http.response.body.size": note.size}
    if note.status:
        told["http.response.status_code"] = note.status
    if note.reason:
        told["error.type"] = note.reason
    return told


def _of_revision(note: Note) -> Attributes:
    if note.backend is None:
        return {}
    spec = note.backend.spec
    return {
        "kn.service.name": spec.service,
        "kn.configuration.name": spec.configuration,
        "kn.revision.name": spec.name,
        "k8s.namespace.name": spec.namespace,
    }


def _text(value: bytes) -> str:
    return value[:_LONGEST].decode("utf-8", "replace")
