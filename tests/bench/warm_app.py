"""The fastest small application that fits in a screen: answers at once, prints its port.

That is $PORT, else a free one.
"""

from __future__ import annotations

import asyncio
import os
from typing import cast

import uvloop

RESPONSE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 13\r\n"
    b"Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n\r\nHello, World!"
)


class Answer(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.transport.write(RESPONSE * data.count(b"\r\n\r\n"))


async def main() -> None:
    port = int(os.environ.get("PORT", "0"))
    server = await asyncio.get_running_loop().create_server(Answer, "127.0.0.1", port)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
