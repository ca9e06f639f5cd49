"""Answers of a Kafka broker as the protocol's documentation gives them.

For what no broker here does: TLS, SASL, a group's offsets of all topics, errors by partition.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import ssl
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from aiokafka.protocol.admin import (
    ApiVersionResponse_v0,
    SaslAuthenticateResponse_v0,
    SaslHandShakeResponse_v1,
)
from aiokafka.protocol.commit import OffsetFetchResponse_v2
from aiokafka.protocol.coordination import FindCoordinatorResponse_v0
from aiokafka.protocol.metadata import MetadataResponse_v1
from aiokafka.protocol.offset import OffsetResponse_v1

from tests.waiting import until

_VERSIONS = [(18, 0, 0), (3, 1, 1), (10, 0, 0), (9, 2, 2), (2, 1, 1), (17, 1, 1), (36, 0, 0)]
"""Of ApiVersions, Metadata, FindCoordinator, OffsetFetch, ListOffsets, and of SASL."""
_SASL_AUTHENTICATION_FAILED = 58
_SALT = b"salt of a test"


@dataclass
class Broker:
    """``committed`` and ``ends`` by topic; ``error`` is the code that each committed offset has."""

    committed: dict[str, list[int]]
    ends: dict[str, list[int]]
    error: int = 0
    user: tuple[str, str] = ("", "")
    """Name and password of who may come by SASL."""
    mechanism: str = "PLAIN"
    """PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512."""
    port: int = 0
    asked: list[int] = field(default_factory=list)
    _said: list[bytes] = field(default_factory=list)

    def answer(self, key: int, request: bytes) -> bytes:
        self.asked.append(key)
        made: Any = {
            18: lambda: ApiVersionResponse_v0(0, _VERSIONS),
            3: self._metadata,
            10: lambda: FindCoordinatorResponse_v0(0, 1, "127.0.0.1", self.port),
            9: self._offsets,
            2: self._ends,
            17: lambda: SaslHandShakeResponse_v1(0, [self.mechanism]),
            36: lambda: self._sasl(request),
        }[key]()
        return bytes(made.encode())

    def _sasl(self, request: bytes) -> Any:
        told = self._scram(request) if self.mechanism != "PLAIN" else self._plain(request)
        if told is None:
            return SaslAuthenticateResponse_v0(_SASL_AUTHENTICATION_FAILED, "refused", b"")
        return SaslAuthenticateResponse_v0(0, "", told)

    def _plain(self, request: bytes) -> bytes | None:
        return b"" if request.endswith("\0".join(("", *self.user)).encode()) else None

    def _scram(self, request: bytes) -> bytes | None:
        """The server's half of RFC 5802; None for a proof that is none."""
        kind = self.mechanism.removeprefix("SCRAM-").replace("-", "").lower()
        if b"n,," in request:
            first = request.partition(b"n,,")[2]
            challenge = (
                first.partition(b"r=")[2] + b"more,s=" + base64.b64encode(_SALT) + b",i=4096"
            )
            self._said = [first, b"r=" + challenge]
            return self._said[1]
        final, _, proof = request[request.index(b"c=") :].rpartition(b",p=")
        salted = hashlib.pbkdf2_hmac(kind, self.user[1].encode(), _SALT, 4096)
        key, signed = hmac.digest(salted, b"Client Key", kind), b",".join([*self._said, final])
        signature = hmac.digest(hashlib.new(kind, key).digest(), signed, kind)
        if base64.b64decode(proof) != bytes(a ^ b for a, b in zip(key, signature, strict=True)):
            return None
        server_key = hmac.digest(salted, b"Server Key", kind)
        return b"v=" + base64.b64encode(hmac.digest(server_key, signed, kind))

    def _metadata(self) -> Any:
        topics = [
            (0, name, False, [(0, number, 1, [1], [1]) for number in range(len(ends))])
            for name, ends in self.ends.items()
        ]
        return MetadataResponse_v1([(1, "127.0.0.1", self.port, None)], 1, topics)

    def _offsets(self) -> Any:
        topics = [
            (name, [(number, offset, "", self.error) for number, offset in enumerate(offsets)])
            for name, offsets in self.committed.items()
        ]
        return OffsetFetchResponse_v2(topics, 0)

    def _ends(self) -> Any:
        topics = [
            (name, [(number, 0, -1, end) for number, end in enumerate(ends)])
            for name, ends in self.ends.items()
        ]
        return OffsetResponse_v1(topics)


@contextlib.asynccontextmanager
async def speaking(
    broker: Broker, *, context: ssl.SSLContext | None = None
) -> AsyncIterator[Broker]:
    """The broker on a free port, with TLS where there is a context."""

    serving = set[asyncio.Task[None] | None]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.current_task())
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                (size,) = struct.unpack(">i", await reader.readexactly(4))
                request = await reader.readexactly(size)
                key, _, correlation = struct.unpack(">hhi", request[:8])
                body = struct.pack(">i", correlation) + broker.answer(key, request)
                writer.write(struct.pack(">i", len(body)) + body)
        writer.close()
        serving.discard(asyncio.current_task())

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    broker.port = server.sockets[0].getsockname()[1]
    async with server:
        yield broker
        server.close()
        await until(lambda: not serving)
