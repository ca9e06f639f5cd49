"""One request and its answer, free of HTTP machinery. Handlers take and give these."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import orjson

from hearth.cluster.apiserver import negotiate, paths
from hearth.cluster.apiserver.negotiate import Output

MAX_BODY = 3 * 1024 * 1024
"""As kube-apiserver's limit on request bodies."""


@dataclass(frozen=True, slots=True)
class User:
    """Who asks."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, list[str]] = field(default_factory=dict)

    @property
    def is_anonymous(self) -> bool:
        return self.name == "system:anonymous"

    def info(self) -> dict[str, Any]:
        """The user as reviews and admission requests carry it."""
        found: dict[str, Any] = {"username": self.name}
        if self.uid:
            found["uid"] = self.uid
        if self.groups:
            found["groups"] = list(self.groups)
        if self.extra:
            found["extra"] = dict(self.extra)
        return found


ANONYMOUS = User("system:anonymous", groups=("system:unauthenticated",))


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
        return paths.parse_query(self.raw_query) if self.raw_query else {}

    @cached_property
    def output(self) -> Output:
        return negotiate.negotiate(self.headers.get("accept", ""))

    @property
    def manager(self) -> str:
        """The field manager of a client that names none: its User-Agent up to the slash."""
        head = self.headers.get("user-agent", "").partition("/")[0]
        return "".join(c for c in head if c.isprintable())[:128] or "unknown"


Body = bytes | AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class Response:
    """What is answered; a stream is sent piece by piece, each piece at once."""

    status: int
    body: Body
    content_type: str = negotiate.JSON
    headers: tuple[tuple[str, str], ...] = ()


def json_response(value: Any, code: int = 200) -> Response:
    return Response(code, orjson.dumps(value))


def text_response(text: str, code: int = 200) -> Response:
    return Response(code, text.encode(), "text/plain; charset=utf-8")
