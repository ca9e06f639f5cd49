"""Exec, attach and port-forward: asks the node, then carries what client and node say."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from hearth.cluster.model import status
from hearth.cluster.model.objects import Object
from hearth.cluster.rest import streams
from hearth.cluster.rest.handlers.common import Call
from hearth.cluster.rest.requests import Response, text_response
from hearth.timeouts import time_limit

_CHUNK = 64 * 1024
_ANSWER_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Duplex:
    """One connection, both ways."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


async def connect(call: Call) -> Response:
    """Answers a request for a subresource of a pod that is a connection."""
    pod = _pod(call)
    verb = call.target.subresource
    container = ""
    if verb != streams.PORT_FORWARD:
        container = streams.container_of(pod, call.request.query.get("container", ""))
    if not (pod.get("spec") or {}).get("nodeName"):
        raise status.bad_request(f"pod {call.target.name} does not have a host assigned")
    try:
        upgrade = streams.upgrade_of(call.request, verb)
        asked = streams.ask(call.request, pod, container, verb=verb, upgrade=upgrade)
    except streams.Refusal as refusal:
        return refusal.response
    node, answer = await _ask(call, asked)
    if answer["code"] != 101:
        node.writer.close()
        return text_response(answer["text"], answer["code"])
    carry = _Carrier(node, call.api.closers).carry
    return Response(101, b"", "", upgrade.headers, carry)


def _pod(call: Call) -> Object:
    entry = call.api.store.get(call.key)
    if entry is None:
        raise status.not_found("", "pods", call.target.name)
    return entry.parse()


async def _ask(call: Call, asked: dict[str, Any]) -> tuple[Duplex, dict[str, Any]]:
    """The connection to the node, and what it has answered."""
    path = call.api.data_dir / "run" / "streams.sock"
    try:
        node = Duplex(*await asyncio.open_unix_connection(path))
    except OSError as error:
        raise status.backend_failed(f"dial unix {path}: {error.strerror}") from None
    try:
        async with time_limit(_ANSWER_SECONDS):
            node.writer.write(orjson.dumps(asked) + b"\n")
            return node, orjson.loads(await node.reader.readline())
    except (OSError, ValueError, TimeoutError):
        node.writer.close()
        raise status.backend_failed("the node gave no answer") from None


@dataclass(frozen=True, slots=True)
class _Carrier:
    """Carries octets between a client and the node, as fast as each takes them."""

    node: Duplex
    closers: set[Callable[[], None]]

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until one of them ends; what the node has said is sent before the connection closes."""
        close = writer.transport.abort
        self.closers.add(close)
        ways = [
            asyncio.create_task(_pump(reader, self.node.writer), name="stream-to-node"),
            asyncio.create_task(_pump(self.node.reader, writer), name="stream-to-client"),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.closers.discard(close)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            self.node.writer.transport.abort()  # what it has not taken by now is for nobody


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
