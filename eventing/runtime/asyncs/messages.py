"""A request as an event and as a request again; its answer as a result and as an event. Pure."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any

import orjson

from activator.http.events import ResponseHead
from activator.http.fields import HOP_BY_HOP, Field, field_lines
from eventing.codec import Event
from serving.api.asyncrequests import HOST_FIELD, OPTIONS_FIELD, RESULTS, STATE_FIELD

REQUEST_TYPE, RESULT_TYPE = "dev.hearth.async.request", "dev.hearth.async.result"
_KIND = "application/vnd.hearth.request"
_FRAMING = {b"content-length", b"transfer-encoding", b"te", b"trailer", b"expect"}
_OWN_BUSINESS = HOP_BY_HOP | _FRAMING | {b"host", b"forwarded", b"date"}
_OURS = {HOST_FIELD, OPTIONS_FIELD, STATE_FIELD, b"prefer", b"x-hearth-capacity"}
_PREFIX = b"x-forwarded-"
_BAD = re.compile(rb"[\x00-\x08\x0a-\x1f]")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as its Service is to get it."""

    method: bytes
    target: bytes
    host: bytes
    fields: tuple[Field, ...]
    body: bytes = b""

    def event(self, service: tuple[str, str], ticket: str) -> Event:
        """Return the event that the log keeps."""
        head = {
            "method": self.method.decode("latin-1"),
            "target": self.target.decode("latin-1"),
            "host": self.host.decode("latin-1"),
            "fields": _texts(self.fields),
        }
        attributes: dict[str, str | int | bool] = {
            "specversion": "1.0",
            "id": ticket,
            "source": source_of(service),
            "type": REQUEST_TYPE,
            "datacontenttype": _KIND,
        }
        return Event(attributes, orjson.dumps(head) + b"\n" + self.body)

    @classmethod
    def of(cls, event: Event) -> Asked:
        """Read an event; raises ValueError for one that is none of ours."""
        line, _, body = (event.data or b"").partition(b"\n")
        try:
            head = orjson.loads(line)
            method, target, host = (
                head[name].encode("latin-1") for name in ("method", "target", "host")
            )
            asked = cls(method, target, host, _octets(head["fields"]), body)
            if _BAD.search(b"".join((method, target, host, *chain(*asked.fields)))):
                raise ValueError("a control character")
            return asked
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError("the event is no request that was taken in here") from error

    def request(self, ticket: str) -> bytes:
        """Return it whole, as it is sent; a key tells the application that it came before."""
        fields = self.fields
        if not any(name.lower() == b"idempotency-key" for name, _ in fields):
            fields = (*fields, (b"idempotency-key", ticket.encode()))
        length = b"%d" % len(self.body)
        fields = ((b"host", self.host), *fields, (b"content-length", length))
        opening = b"%b %b HTTP/1.1\r\n" % (self.method, self.target)
        return opening + field_lines(fields) + b"\r\n" + self.body


@dataclass(frozen=True, slots=True)
class Result:
    """The answer of a Service."""

    status: int
    fields: tuple[Field, ...]
    body: bytes

    def content(self) -> bytes:
        """Return what its file has."""
        head = {"status": self.status, "fields": _texts(self.fields)}
        return orjson.dumps(head) + b"\n" + self.body

    @classmethod
    def read(cls, content: bytes) -> Result:
        """Read a file; raises ValueError."""
        line, _, body = content.partition(b"\n")
        head = orjson.loads(line)
        return cls(head["status"], _octets(head["fields"]), body)

    def head(self) -> ResponseHead:
        """Return it as the answer to who asks for it."""
        return ResponseHead.of(self.status, ((STATE_FIELD, b"done"), *self.fields), self.body)

    def event(self, service: tuple[str, str], ticket: str) -> Event:
        """Return the event that the callback gets."""
        attributes: dict[str, str | int | bool] = {
            "specversion": "1.0",
            "id": ticket,
            "source": source_of(service),
            "type": RESULT_TYPE,
            "subject": location_of(service, ticket).decode(),
            "httpstatus": self.status,
        }
        kind = next((value for name, value in self.fields if name == b"content-type"), b"")
        if kind:
            attributes["datacontenttype"] = kind.decode("latin-1")
        return Event(attributes, self.body or None)


def failure(code: object, data: object) -> Result:
    """Return the result where no answer came, by what the dispatcher says of the last attempt."""
    status = int(str(code)) if str(code).isdigit() and 400 <= int(str(code)) < 600 else 502
    try:
        text = base64.b64decode(str(data or ""))
    except ValueError:
        text = b""
    return Result(status, ((b"content-type", b"text/plain; charset=utf-8"),), text)


def own_fields(fields: Iterable[Field]) -> tuple[Field, ...]:
    """Return those that are not about one connection, one hop or this mode."""
    return tuple(
        (name, value)
        for name, value in fields
        if (low := name.lower()) not in _OWN_BUSINESS
        and low not in _OURS
        and not low.startswith(_PREFIX)
    )


def source_of(service: tuple[str, str]) -> str:
    """Return the ``source`` of events about a Service."""
    return f"/namespaces/{service[0]}/services/{service[1]}"


def location_of(service: tuple[str, str], ticket: str) -> bytes:
    """Return where the result of a request is."""
    return RESULTS + "/".join((*service, ticket)).encode()


def _texts(fields: Iterable[Field]) -> list[Any]:
    return [[name.decode("latin-1"), value.decode("latin-1")] for name, value in fields]


def _octets(fields: Iterable[Any]) -> tuple[Field, ...]:
    return tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in fields)
