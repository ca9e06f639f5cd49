"""Events in a log: a line for each, by the fields that Knative's sink has."""

from __future__ import annotations

import logging
import re

from eventing.api.integrationsink import Log
from eventing.aws.faults import Asked
from eventing.codec import Event

_LEVELS = {
    "TRACE": logging.DEBUG,
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARN": logging.WARNING,
    "ERROR": logging.ERROR,
}
_MOST_CHARACTERS = 10_000
"""What is shown of a body, as with Camel's log."""
_SECRETS = re.compile(
    r"""(?ix)
    ( ["']? [\w.-]* (?: pass(?:word|phrase|wd)? | secret | token | credential | access.?key
      | api.?key | private.?key ) [\w.-]* ["']? \s* [:=] \s* )
    ( "(?:[^"\\]|\\.)*" | '[^']*' | [^\s,;&}\]]+ )
    """
)
_MASKED = r'\1"xxxxx"'


def level_of(name: str) -> int | None:
    """Return the level of lines; None where none is written. Pure."""
    return None if name.upper() == "OFF" else _LEVELS.get(name.upper(), logging.INFO)


def line_of(log: Log, event: Event) -> str:
    """Return what is said of an event. Pure."""
    parts: list[str] = []
    if log.show_headers or log.show_properties or log.show_all_properties:
        told = {k: v for k, v in sorted(event.texts().items()) if k != "datacontenttype"}
        parts += [f"{name}: {value}" for name, value in told.items()]
    if log.show_body_type:
        parts.append(f"BodyType: {event.text('datacontenttype') or 'none'}")
    if log.show_body:
        parts.append(f"Body: {_body(event)}")
    text = "\n".join(["Event", *parts]) if log.multiline else f"Event[{', '.join(parts)}]"
    if log.log_mask:
        text = _SECRETS.sub(_MASKED, text)
    return f"{log.marker} {text}" if log.marker else text


def _body(event: Event) -> str:
    if event.data is None:
        return "[no body]"
    text = event.data[: 4 * _MOST_CHARACTERS].decode(errors="replace")
    if len(text) <= _MOST_CHARACTERS:
        return text
    return f"{text[:_MOST_CHARACTERS]}... [cut: {len(event.data)} bytes]"


class LogSink:
    """Writes a line for each event."""

    asked = Asked("the log")

    def __init__(self, spec: Log) -> None:
        self._spec = spec
        self._level = level_of(spec.level or "INFO")
        self._logger = logging.getLogger(spec.logger_name or "log-sink")
        if self._level is not None:
            self._logger.setLevel(self._level)

    async def open(self) -> None:
        """Nothing has to be there."""

    async def put(self, event: Event) -> None:
        """Write the line."""
        if self._level is not None:
            facts = {name: event.text(name) for name in ("id", "source", "type")}
            self._logger.log(self._level, "%s", line_of(self._spec, event), extra={"event": facts})
