"""Answers of a Kafka broker as the protocol's documentation gives them.

For what no broker here does: TLS, a group's offsets of all topics, errors by partition.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from aiokafka.protocol.admin import ApiVersionResponse_v0
from aiokafka.protocol.commit import OffsetFetchResponse_v2
from aiokafka.protocol.coordination import FindCoordinatorResponse_v0
from aiokafka.protocol.metadata import MetadataResponse_v1
from aiokafka.protocol.offset import OffsetResponse_v1

_VERSIONS = [(18, 0, 0), (3, 1, 1), (10, 0, 0), (9, 2, 2), (2, 1, 1)]
"""Of ApiVersions, Metadata, FindCoordinator, OffsetFetch, ListOffsets."""


@dataclass
class Broker:
    """``committed`` and ``ends`` by topic; ``error`` is the code that each committed offset has."""

    committed: dict[str, list[int]]
    ends: dict[str, list[int]]
    error: int = 0
    port: int = 0
    asked: list[int] = field(default_factory=list)

    def answer(self, key: int) -> bytes:
        self.asked.append(key)
        made: Any = {
            18: lambda: ApiVersionResponse_v0(0, _VERSIONS),
            3: self._metadata,
            10: lambda: FindCoordinatorResponse_v0(0, 1, "127.0.0.1", self.port),
            9: self._offsets,
            2: self._ends,
        }[key]()
        return bytes(made.encode())

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

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                (size,) = struct.unpack(">i", await reader.readexactly(4))
                request = await reader.readexactly(size)
                key, _, correlation = struct.unpack(">hhi", request[:8])
                body = struct.pack(">i", correlation) + broker.answer(key)
                writer.write(struct.pack(">i", len(body)) + body)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    broker.port = server.sockets[0].getsockname()[1]
    async with server:
        yield broker
        server.close()
