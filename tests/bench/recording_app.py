"""An application that notes what it was asked to do, and ends in order when it is told to.

Environment: PORT, RECORD (a folder). ``GET /?ms=5`` is answered after so many milliseconds;
``POST`` with ``x-request-id`` as well, after the id has been written to a file of this process in
the folder. Its name is the process id.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal

import uvloop

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LAST = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
_MILLISECONDS = re.compile(rb"ms=(\d+)")
_ID = re.compile(rb"\r\nx-request-id: *([^\r]+)", re.IGNORECASE)
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class App:
    def __init__(self, record: str) -> None:
        self._record = os.open(
            os.path.join(record, str(os.getpid())), os.O_WRONLY | os.O_CREAT | os.O_APPEND
        )
        self._idle: set[asyncio.StreamWriter] = set()
        self._busy: set[asyncio.Task[None]] = set()
        self._is_ending = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        try:
            while not self._is_ending:
                self._idle.add(writer)
                head = await reader.readuntil(b"\r\n\r\n")
                self._idle.discard(writer)
                self._busy.add(task)
                await self._answer(head, reader, writer)
                self._busy.discard(task)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            self._idle.discard(writer)
            self._busy.discard(task)
            writer.close()

    async def _answer(
        self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if length := _LENGTH.search(head):
            await reader.readexactly(int(length[1]))
        if head.startswith(b"POST "):
            found = _ID.search(head)
            assert found is not None
            os.write(self._record, found[1] + b"\n")
        work = _MILLISECONDS.search(head)
        await asyncio.sleep(int(work[1]) / 1000 if work else 0)
        writer.write(LAST if self._is_ending else ANSWER)

    async def end(self) -> None:
        """Answer what has come, and take nothing new."""
        self._is_ending = True
        for writer in self._idle:
            writer.close()
        if self._busy:
            await asyncio.wait(self._busy)


async def main() -> None:
    app = App(os.environ["RECORD"])
    address = "127.0.0.1", int(os.environ["PORT"])
    server = await asyncio.start_server(app.serve, *address, backlog=1024)
    ending = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ending.set)
    await ending.wait()
    server.close()
    await app.end()


if __name__ == "__main__":
    uvloop.run(main())
