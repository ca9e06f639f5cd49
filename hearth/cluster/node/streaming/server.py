"""Listens for the API server, which asks on behalf of clients (``asks``), and serves them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

from hearth.cluster.node.runtime.api import Instance
from hearth.cluster.node.streaming.asks import LONGEST, TUNNEL, WEBSOCKET, Ask, answer, read_ask
from hearth.cluster.node.streaming.commands import Command
from hearth.cluster.node.streaming.forwarding import Dial, make_forwarding
from hearth.cluster.node.streaming.wires import Connection, RawWire, TunnelWire, Wire
from hearth.kube.guards import caught

log = logging.getLogger(__name__)

IDLE_SECONDS = 4 * 3600.0
"""Without a sign of the client, or of the command (kubelet's streamingConnectionIdleTimeout)."""
PING_SECONDS = 5.0
"""As kubectl does; who has gone while nothing is read of it is found out by the third."""
_LAST_SECONDS = 5.0
"""In which a client takes the end of its streams."""
MOST_SESSIONS = 1000
_LONGEST_PATH = 107  # sockaddr_un of Linux (unix(7))


class Pods(Protocol):
    """The pods of the node."""

    def instance(self, uid: str, container: str) -> Instance | None:
        """What runs of a container; LookupError for a pod that is not here."""


class Work(Protocol):
    """What is done for a client: ``work`` over ``connection``, until either ends."""

    connection: Connection

    async def work(self) -> None:
        """Does it. Raises ConnectionError when the client has gone."""


def socket_path(data_dir: Path) -> Path:
    """Where is listened."""
    return data_dir / "run" / "streams.sock"


class StreamServer:
    """Serves any number of clients, each in a task of its own."""

    def __init__(self, pods: Pods, dial: Dial) -> None:
        self._pods = pods
        self._dial = dial
        self._sessions: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def listening(self, path: Path) -> AsyncIterator[None]:
        """Serves inside the block; where the path is too long for a socket, nobody asks."""
        if len(os.fsencode(path)) > _LONGEST_PATH:
            yield
            return
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        server = await asyncio.start_unix_server(self._serve, path, limit=LONGEST)
        os.chmod(path, 0o600)
        try:
            yield
        finally:
            server.close()
            for session in list(self._sessions):
                session.cancel()
            await asyncio.gather(*self._sessions, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = asyncio.current_task()
        assert session is not None
        self._sessions.add(session)
        try:
            await self._answer(RawWire(reader, writer), await reader.readline())
        except (ConnectionError, ValueError, TimeoutError) as error:
            log.debug("client not served", extra={"problem": str(error)})
        except asyncio.CancelledError:
            pass  # the node goes down; asyncio's server would log it
        except Exception:
            caught("node-streaming")
        finally:
            writer.close()
            self._sessions.discard(session)

    async def _answer(self, wire: Wire, line: bytes) -> None:
        if not line:
            return
        ask = read_ask(line)
        instance, code, problem = self._find(ask)
        if code != 101:
            await wire.send(answer(code, problem))
            return
        await wire.send(answer(101))
        if ask.transport == TUNNEL:
            wire = TunnelWire(wire)
        if ask.verb == "portforward":
            await _run(make_forwarding(ask, wire, self._dial), wire)
        else:
            later = f"unable to upgrade connection: {problem}"
            await _run(Command(ask, wire, instance, later), wire)

    def _find(self, ask: Ask) -> tuple[Instance | None, int, str]:
        """The container that is meant, the code to answer, and what there is against it."""
        if len(self._sessions) > MOST_SESSIONS:
            return None, 429, "maximum number of in-flight requests exceeded"
        try:
            instance = self._pods.instance(ask.uid, ask.container)
        except LookupError:
            return None, 404, "pod does not exist"
        if instance is not None or ask.verb == "portforward":
            return instance, 101, ""
        problem = f'container not found ("{ask.container}")'
        return None, 101 if _tells_later(ask) else 500, problem


def _tells_later(ask: Ask) -> bool:
    """Version 5 has the API server answer first and tell of the node's refusal afterwards."""
    return ask.transport == WEBSOCKET and ask.protocol.startswith("v5.")


async def _run(work: Work, wire: Wire) -> None:
    """Until the work is done, or the client has gone: then it is cancelled."""
    receiving = asyncio.create_task(work.connection.receive(), name="stream-receive")
    keeping = asyncio.create_task(_keep(work.connection, wire), name="stream-keep")
    working = asyncio.create_task(work.work(), name="stream-work")
    tasks = {receiving, keeping, working}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if working.done() and not working.exception():
            await work.connection.finish()
            await asyncio.wait({receiving}, timeout=_LAST_SECONDS)
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result


async def _keep(connection: Connection, wire: Wire) -> None:
    """Asks now and then whether the client is there, for while it waits nothing is read of it."""
    while time.monotonic() - wire.used_at < IDLE_SECONDS:
        await asyncio.sleep(PING_SECONDS)
        await connection.ping()
