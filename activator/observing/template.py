"""A line of the request log: what Knative's template finds in a request. Pure.

As ``knative.dev/serving/pkg/http`` fills it: the request as Go's net/http has it, the response's
code, size and latency in seconds, the revision, and the id of the trace that the request is in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from activator.http.fields import Field, find_field
from activator.notes import Note
from hearth.observability.traces.context import parse_traceparent
from serving.api import gotemplate
from serving.api.gotemplate import Struct, Template


def line_of(template: Template, note: Note) -> str:
    """Return the line of a request that is over, with its end."""
    try:
        text = template.execute(_input(note))
    except gotemplate.TemplateError:
        # As Knative: what can be said without the template.
        text = (
            f"Invalid request log template: method: {_text(note.method)}, response code: "
            f"{note.status}, latency: {_latency(note)}, url: {_text(note.target)}"
        )
    return text if text.endswith("\n") else text + "\n"


class _Lazy(Mapping[str, Any]):
    """Fields that are made when a template asks for them: it asks for few."""

    def __init__(self, note: Note, getters: Mapping[str, Callable[[Note], Any]]) -> None:
        self._note, self._getters = note, getters

    def __getitem__(self, name: str) -> Any:
        return self._getters[name](self._note)

    def __contains__(self, name: object) -> bool:
        return name in self._getters

    def __iter__(self) -> Iterator[str]:
        return iter(self._getters)

    def __len__(self) -> int:
        return len(self._getters)


def _input(note: Note) -> Struct:
    parts = {
        "Request": Struct("*http.Request", _Lazy(note, _REQUEST)),
        "Response": Struct("*http.RequestLogResponse", _Lazy(note, _RESPONSE)),
        "Revision": Struct("*http.RequestLogRevision", _Lazy(note, _REVISION)),
        "TraceID": _trace_id(note),
    }
    return Struct("*http.RequestLogTemplateInput", parts)


def _field(name: bytes) -> Callable[[Note], str]:
    return lambda note: _text(find_field(note.fields, name) or b"")


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


def _latency(note: Note) -> float:
    return round(note.ended_at - note.began_at, 9)


def _revision(name: str) -> Callable[[Note], str]:
    return lambda note: "" if note.backend is None else str(getattr(note.backend.spec, name))


def _trace_id(note: Note) -> str:
    if note.context is not None:
        return note.context.trace_id.decode()
    given = parse_traceparent(find_field(note.fields, b"traceparent") or b"")
    if given is not None:
        return given.trace_id.decode()
    return _text(find_field(note.fields, b"x-b3-traceid") or b"")


def _canonical(name: bytes) -> str:
    """A field's name as Go keeps it: ``User-Agent``."""
    return "-".join(part.capitalize() for part in _text(name).split("-"))


def _header(fields: list[Field]) -> Struct:
    values: dict[str, list[str]] = {}
    for name, value in fields:
        values.setdefault(_canonical(name), []).append(_text(value))

    def get(name: str) -> str:
        return next(iter(values.get(_canonical(name.encode()), [])), "")

    return Struct("http.Header", {"Get": get}, items=values)


def _url(note: Note) -> Struct:
    target = _text(note.target)
    path, _, query = target.partition("?")
    fields = {"Path": path, "RawQuery": query, "Host": "", "Scheme": ""}
    return Struct("*url.URL", fields, text=target)


_REQUEST: Mapping[str, Callable[[Note], Any]] = {
    "Method": lambda note: _text(note.method),
    "RequestURI": lambda note: _text(note.target),
    "URL": _url,
    "Host": lambda note: _text(note.authority),
    "Proto": lambda note: note.stream_protocol,
    "ContentLength": lambda note: note.length,
    "RemoteAddr": lambda note: note.peer.address,
    "UserAgent": _field(b"user-agent"),
    "Referer": _field(b"referer"),
    "Header": lambda note: _header(note.fields),
}
_RESPONSE: Mapping[str, Callable[[Note], Any]] = {
    "Code": lambda note: note.status,
    "Size": lambda note: note.size,
    "Latency": _latency,
}
_REVISION: Mapping[str, Callable[[Note], Any]] = {
    "Name": _revision("name"),
    "Namespace": _revision("namespace"),
    "Service": _revision("service"),
    "Configuration": _revision("configuration"),
    "PodName": lambda note: "" if note.pod is None else note.pod.name,
    "PodIP": lambda note: "" if note.pod is None else note.pod.address[0],
}
