"""Questions on the port of statistics: one HTTP request a connection, answered and closed. Pure.

``GET /scale?namespace=NAMESPACE&name=NAME`` with the token of the statistics in ``X-Hearth-Token``:
the API server, which passes requests on to a pod, keeps ``Authorization`` for itself. What is wrong
is told as Kubernetes tells it, by a Status.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

import orjson

Explain = Callable[[str, str], dict[str, Any] | None]
"""What is said of something that is scaled, by namespace and name; None where there is none."""

LONGEST_HEAD = 8 * 1024
_TOKEN_FIELD = "x-hearth-token"
_REASONS = {200: "OK", 400: "Bad Request", 403: "Forbidden", 404: "Not Found"}


def is_question(start: bytes) -> bool:
    """Whether a connection begins as a request does, and not as an activator does."""
    return start[:1] == b"G"


def respond(
    head: bytes,
    *,
    accepts: Callable[[bytes], bool],
    explain: Explain | None,
    about: str = "Service and no revision",
) -> bytes:
    """Return the answer to a request's head; the connection ends with it.

    ``accepts`` tells whether who shows a token may ask, ``about`` what it may ask about.
    """
    request, *lines = head.decode("latin-1").split("\r\n")
    fields = {name.strip().lower(): value.strip() for name, _, value in _split(lines)}
    if not accepts(fields.get(_TOKEN_FIELD, "").encode("latin-1")):
        # Not 401: a client of the API server would think of its own credentials.
        return _failed(403, "only those who show its token are answered")
    method, _, rest = request.partition(" ")
    path, _, query = rest.partition(" ")[0].partition("?")
    if method != "GET" or path != "/scale" or explain is None:
        return _failed(404, f"there is no {path} to {method}")
    asked = dict(parse_qsl(query))
    namespace, name = asked.get("namespace", ""), asked.get("name", "")
    if not (namespace and name):
        return _failed(400, "which one? give a namespace and a name")
    told = explain(namespace, name)
    if told is None:
        text = f"there is no {about} {namespace}/{name} that is scaled"
        return _failed(404, text)
    return _answer(200, told)


def _split(lines: list[str]) -> list[tuple[str, str, str]]:
    return [line.partition(":") for line in lines if line]


def _failed(status: int, message: str) -> bytes:
    told = {"kind": "Status", "apiVersion": "v1", "status": "Failure"}
    return _answer(status, {**told, "message": message, "code": status})


def _answer(status: int, told: dict[str, Any]) -> bytes:
    body = orjson.dumps(told)
    lines = (
        f"HTTP/1.1 {status} {_REASONS[status]}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Connection: close",
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body
