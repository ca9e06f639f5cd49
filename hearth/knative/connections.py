"""Connections to all autoscalers there are, on which statistics and wishes are sent."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine

from hearth.knative.autoscalers import Autoscalers
from hearth.knative.leaderelection import Address

log = logging.getLogger(__name__)

_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 0.5

Serve = Callable[[Address, asyncio.StreamWriter], Coroutine[None, None, None]]
"""What is done with a connection for as long as it lasts; it may end with an OSError."""


class Connections:
    """One TCP connection to each autoscaler, opened again when it is lost."""

    def __init__(self, autoscalers: Autoscalers, hello: Callable[[], bytes]) -> None:
        """``hello`` is what is said first."""
        self._autoscalers = autoscalers
        self._hello = hello
        self._moved = asyncio.Event()
        autoscalers.on_change(self._moved.set)
        self.writers: dict[Address, asyncio.StreamWriter] = {}
        """Where somebody listens now."""
        self.errors = 0
        """How often nobody could be reached."""

    @property
    def is_complete(self) -> bool:
        """Whether every autoscaler there is can be told."""
        addresses = self._autoscalers.addresses()
        return bool(addresses) and addresses <= self.writers.keys()

    async def run(self, serve: Serve) -> None:
        """Keep connections until cancelled."""
        kept: dict[Address, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as group:
            while True:
                self._moved.clear()
                wanted = self._autoscalers.addresses()
                for address in kept.keys() - wanted:
                    kept.pop(address).cancel()
                for address in wanted - kept.keys():
                    keep = self._keep(address, serve)
                    kept[address] = group.create_task(keep, name=f"stats-{address[0]}:{address[1]}")
                await self._moved.wait()

    async def _keep(self, address: Address, serve: Serve) -> None:
        pause = _FIRST_PAUSE
        while True:
            try:
                await self._connected(address, serve)
                pause = _FIRST_PAUSE
            except OSError as error:
                self.errors += 1
                log.debug("autoscaler not reachable", extra={"error": str(error)})
            finally:
                writer = self.writers.pop(address, None)
                if writer is not None:
                    writer.close()
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _connected(self, address: Address, serve: Serve) -> None:
        reader, writer = await asyncio.open_connection(*address)
        self.writers[address] = writer
        writer.write(self._hello())
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(_served(serve, address, writer), name="stats-frames")
            # The autoscaler sends nothing; reading tells when it is gone, one way or another.
            with contextlib.suppress(OSError):
                while await reader.read(4096):
                    pass
            serving.cancel()


async def _served(serve: Serve, address: Address, writer: asyncio.StreamWriter) -> None:
    try:
        await serve(address, writer)
    except OSError:
        writer.close()  # Who reads learns of it.
