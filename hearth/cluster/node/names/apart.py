"""Names on an event loop of their own: starts of pods, which keep the node's loop busy, delay none.

Threads of one interpreter take turns; while this one is there they are shorter than usual.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future

from hearth.cluster.node.names.service import Names, NamesConfig
from hearth.cluster.node.names.way import Way
from hearth.kube.client import KubeClient

_TURN_SECONDS = 0.0005


class NamesApart:
    """``Names`` in a thread that begins with the first bridge."""

    def __init__(self, config: NamesConfig, connect: Callable[[], KubeClient]) -> None:
        """``connect`` is called in the thread: a client belongs to one loop."""
        self._config = config
        self._connect = connect
        self._ready: Future[tuple[asyncio.AbstractEventLoop, Names]] = Future()
        self._thread: threading.Thread | None = None
        self._ending = asyncio.Event()

    async def attach(self, bridge: str, gateway: str) -> Way:
        """Serves the containers of a bridge from now on."""
        if self._thread is None:
            sys.setswitchinterval(_TURN_SECONDS)
            self._thread = threading.Thread(target=self._run, name="node-names", daemon=True)
            self._thread.start()
        loop, names = await asyncio.shield(asyncio.wrap_future(self._ready))
        attaching = asyncio.run_coroutine_threadsafe(names.attach(bridge, gateway), loop)
        return await asyncio.wrap_future(attaching)

    async def close(self) -> None:
        """Ends everything, and the thread."""
        if self._thread is not None:
            await asyncio.wait([asyncio.wrap_future(self._ready)])
            if self._ready.exception() is None:
                self._ready.result()[0].call_soon_threadsafe(self._ending.set)
            await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as error:
            if self._ready.done():
                raise
            self._ready.set_exception(error)

    async def _serve(self) -> None:
        async with self._connect() as client:
            names = Names(self._config, client)
            self._ready.set_result((asyncio.get_running_loop(), names))
            try:
                await self._ending.wait()
            finally:
                await names.close()
