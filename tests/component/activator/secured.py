"""TLS in front of the lab's gateway, and clients that speak it."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from activator.tls.contexts import certified_context
from activator.tls.names import NameMap
from activator.tls.terminator import Terminator, TlsLimits
from hearth.kube.certificates import Pair, issued, new_authority
from hearth.kube.clock import wall_clock
from tests.component.activator.conftest import Client, Lab

NOW = datetime.datetime.fromtimestamp(wall_clock(), tz=datetime.UTC)
AUTHORITY = new_authority("test", ["test"], NOW)


def pair_for(*names: str) -> Pair:
    return issued(AUTHORITY, names, NOW)


class Secured:
    """Listeners with TLS, for outside and inside."""

    def __init__(self, lab: Lab, limits: TlsLimits | None = None) -> None:
        self.lab = lab
        self.terminator = Terminator(lab.plane.timers, limits)
        self.port = self.internal_port = 0

    async def start(self) -> Secured:
        door = self.terminator.wrap
        _, self.port = await self.lab.plane.listen("127.0.0.1", 0, internal=False, door=door)
        _, self.internal_port = await self.lab.plane.listen(
            "127.0.0.1", 0, internal=True, door=door
        )
        return self

    def show(self, **hosts: Pair) -> None:
        """Certificates by name; ``__`` stands for a dot, ``any`` and ``wild__`` for stars."""
        names = {
            "*" if name == "any" else name.replace("wild__", "*.").replace("__", "."): pair
            for name, pair in hosts.items()
        }
        self.show_names(names)

    def show_names(self, pairs: Mapping[str, Pair]) -> None:
        contexts = {name: certified_context(each.chain, each.key) for name, each in pairs.items()}
        self.terminator.show(NameMap(contexts))

    async def connect(
        self, name: str | None, tls: ssl.SSLContext | None = None, *, internal: bool = False
    ) -> Client:
        port = self.internal_port if internal else self.port
        context = tls or client_context()
        if name is None:
            context.check_hostname = False
        streams = await asyncio.open_connection(
            "127.0.0.1", port, ssl=context, server_hostname=name or ""
        )
        client = Client(*streams)
        self.lab._stack.push_async_callback(client.close)
        return client


def client_context(*protocols: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=AUTHORITY.chain.decode())
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context


async def shown(secured: Secured, name: str | None) -> set[str]:
    """The names of the certificate that a client of this name gets to see."""
    client = await secured.connect(name)
    certificate: Mapping[str, Any] = client.writer.get_extra_info("peercert")
    await client.close()
    return {value for _, value in certificate["subjectAltName"]}


def authority_file(folder: Path) -> Path:
    path = folder / "ca.crt"
    path.write_bytes(AUTHORITY.chain)
    return path


async def command(*words: str, sent: bytes = b"") -> tuple[int, str]:
    """Exit code and all output of a program."""
    process = await asyncio.create_subprocess_exec(
        *words,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(60):
            out, _ = await process.communicate(sent)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    return process.returncode or 0, out.decode(errors="replace")
