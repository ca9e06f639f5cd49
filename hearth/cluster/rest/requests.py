"""One request and its answer, free of HTTP machinery. Handlers take and give these."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import orjson

from hearth.cluster.codec import negotiate, paths
from hearth.cluster.codec.negotiate import Output
from hearth.cluster.model.user import User


@dataclass
class Request:
    """What was asked. ``headers`` has lower-case names; of repeated ones the last."""

    method: str
    path: str
    raw_query: str
    headers: Mapping[str, str]
    body: bytes
    user: User
    warnings: list[str] = field(default_factory=list)

    @cached_property
    def query(self) -> dict[str, str]:
        """The first value of each query parameter."""
        return paths.parse_query(self.raw_query) if self.raw_query else {}

    @cached_property
    def output(self) -> Output:
        """The form of answer that the Accept header asks for; 406 for none."""
        return negotiate.negotiate(self.headers.get("accept", ""))

    @property
    def manager(self) -> str:
        """The field manager of a client that names none: its User-Agent up to the slash."""
        head = self.headers.get("user-agent", "").partition("/")[0]
        if not head.isprintable():
            head = "".join(c for c in head if c.isprintable())
        return head[:128] or "unknown"


Body = bytes | AsyncIterator[bytes]


class Cut(Exception):
    """The rest of a body will not come, and who reads it shall see that it is not whole."""


class Response(NamedTuple):
    """What is answered; a stream is sent piece by piece, each piece at once."""

    status: int
    body: Body
    content_type: str = negotiate.JSON
    headers: tuple[tuple[str, str], ...] = ()
    carry: Callable[[Any, Any], Awaitable[None]] | None = None
    """After 101: gets the connection's reader and writer, to whom all belongs from then on."""


def json_response(value: Any, code: int = 200) -> Response:
    """A value as JSON."""
    return Response(code, orjson.dumps(value))


def text_response(text: str, code: int = 200) -> Response:
    """A plain text."""
    return Response(code, text.encode(), "text/plain; charset=utf-8")
