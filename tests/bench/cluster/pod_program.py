"""Runs in pods of the benchmark: answers after a while, and takes events.

Handed to the Python of Hearth's image as text, so that no other image is needed; the standard
library is all it may use. ``GET /`` takes WORK_MS and tells the most requests there were at once,
``POST`` notes an event, ``GET /events`` tells of all of them.
"""

from __future__ import annotations

import asyncio
import json
import os

WORK_SECONDS = float(os.environ.get("WORK_MS", "0")) / 1000
HEAD = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n"
TAKEN = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"


class Program:
    """What this pod saw."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self.events: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:-2])
                await reader.readexactly(int(headers.get("content-length", 0)))
                if head.startswith("POST"):
                    self.events.append(headers.get("ce-id", ""))
                    writer.write(TAKEN)
                    continue
                body = json.dumps(await self.answer(head.split(" ", 2)[1])).encode()
                writer.write(HEAD.format(len(body)).encode() + body)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()

    async def answer(self, target: str) -> object:
        """Return what to say to a GET."""
        if target == "/events":
            return self.events
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(WORK_SECONDS)
        self.now -= 1
        return self.most


async def main() -> None:
    """Serve until the end."""
    program = Program()
    server = await asyncio.start_server(program.serve, "0.0.0.0", int(os.environ["PORT"]))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
