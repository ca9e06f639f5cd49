"""An application that says how many requests it had at once, also after it was killed.

Usage: counting_app.py [PORT FILE MILLISECONDS]

Every request takes so long. The file holds the most there were at once. Without arguments, as the
container of a Service: $PORT, a file of its own in the folder $RECORD, $MILLISECONDS.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import uvloop

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Counter:
    def __init__(self, file: Path, seconds: float) -> None:
        self._file, self._seconds = file, seconds
        self._now = self._most = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                await self._answer(writer)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()

    async def _answer(self, writer: asyncio.StreamWriter) -> None:
        self._now += 1
        if self._now > self._most:
            self._most = self._now
            self._file.write_text(str(self._most))
        await asyncio.sleep(self._seconds)
        self._now -= 1
        writer.write(ANSWER)


async def main(port: int, file: Path, seconds: float) -> None:
    counter = Counter(file, seconds)
    server = await asyncio.start_server(counter.serve, "127.0.0.1", port, backlog=1024)
    print("ready", flush=True)
    await server.serve_forever()


def arguments() -> tuple[int, Path, float]:
    if len(sys.argv) > 1:
        return int(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]) / 1000
    env = os.environ
    record = Path(env["RECORD"]) / str(os.getpid())
    return int(env["PORT"]), record, float(env["MILLISECONDS"]) / 1000


if __name__ == "__main__":
    uvloop.run(main(*arguments()))
