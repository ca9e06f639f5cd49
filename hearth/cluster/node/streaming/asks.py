"""What the API server asks of the node, and what it is answered first. Pure.

Whoever connects to the socket sends one line of JSON, the ask (``hearth.cluster.rest.streams``
makes it), and is answered with one: ``{"code": 101}``, or a code of HTTP and a text. After 101 the
connection belongs to the client: both directions carry what follows the HTTP answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from hearth.cluster.node.runtime.api import STDERR, STDOUT

LONGEST = 1024 * 1024
"""Octets of an ask: as much as the API server takes of a path and its parameters, and more."""
SPDY = "spdy"
WEBSOCKET = "websocket"
TUNNEL = "tunnel"
"""SPDY inside of WebSocket messages."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One request of a client, already allowed; ``verb`` is exec, attach or portforward."""

    verb: str
    namespace: str
    pod: str
    uid: str
    transport: str
    protocol: str
    container: str = ""
    command: tuple[str, ...] = ()
    has_stdin: bool = False
    outputs: frozenset[int] = frozenset()
    is_terminal: bool = False
    ports: tuple[int, ...] = ()


def read_ask(line: bytes) -> Ask:
    """Raises ValueError for what is no ask."""
    given = orjson.loads(line)
    if not isinstance(given, Mapping):
        raise ValueError("an ask is an object")
    try:
        return _ask(given)
    except (KeyError, TypeError) as error:
        raise ValueError(f"not an ask: {error}") from None


def _ask(given: Mapping[str, Any]) -> Ask:
    streams: list[str] = given.get("streams") or []
    outputs = {STDOUT: "stdout", STDERR: "stderr"}
    return Ask(
        verb=given["verb"],
        namespace=given["namespace"],
        pod=given["pod"],
        uid=given["uid"],
        transport=given["transport"],
        protocol=given["protocol"],
        container=given.get("container", ""),
        command=tuple(given.get("command") or ()),
        has_stdin="stdin" in streams,
        outputs=frozenset(number for number, name in outputs.items() if name in streams),
        is_terminal="tty" in streams,
        ports=tuple(given.get("ports") or ()),
    )


def answer(code: int, text: str = "") -> bytes:
    """The first line of an answer."""
    return orjson.dumps({"code": code, "text": text}) + b"\n"
