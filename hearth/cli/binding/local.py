"""Servers of databases and brokers that run on this machine: found by how they greet."""

from __future__ import annotations

import asyncio
import contextlib
import os
import struct
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import typer

from hearth.cli.errors import UserError
from hearth.functions.binding.services import KINDS, Kind, entries_for
from hearth.timeouts import time_limit

HOST = "127.0.0.1"
_SECONDS = 1.0
_ASKS = {
    "postgresql": struct.pack("!ii", 8, 80_877_103),  # SSLRequest
    "redis": b"PING\r\n",
    "rabbitmq": b"AMQP\x00\x00\x00\x00",  # a version that none has: it says which it speaks
    "mysql": b"",  # speaks first
}
_SAID_BY = {"postgresql": ("PGUSER", "PGPASSWORD", "PGDATABASE")}
"""Variables of each service's own clients that say who logs in, and where to."""


@dataclass(frozen=True, slots=True)
class Server:
    """One that answers on this machine."""

    kind: Kind
    port: int
    is_open: bool = False
    """Whether it asks for no password."""


async def find(kinds: Iterable[Kind] = KINDS, port: int | None = None) -> list[Server]:
    """Return the servers that answer at their usual ports, or at one that is named."""
    found = await asyncio.gather(*(_look(kind, port or _usual_port(kind)) for kind in kinds))
    return [server for server in found if server is not None]


def _usual_port(kind: Kind) -> int:
    """As clients have it: ``PGPORT`` is libpq's, ``MYSQL_TCP_PORT`` MySQL's own."""
    variable = {"postgresql": "PGPORT", "mysql": "MYSQL_TCP_PORT"}.get(kind.type, "")
    said = os.environ.get(variable, "")
    return int(said) if said.isdecimal() else kind.port


async def _look(kind: Kind, port: int) -> Server | None:
    with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
        async with time_limit(_SECONDS):
            reader, writer = await asyncio.open_connection(HOST, port)
            try:
                writer.write(_ASKS[kind.type])
                greeting = await reader.read(64)
            finally:
                writer.close()
        if greets(kind.type, greeting):
            return Server(kind, port, is_open=greeting.startswith(b"+PONG"))
    return None


def greets(service_type: str, greeting: bytes) -> bool:
    """Whether these are the first words of such a server. Pure."""
    match service_type:
        case "postgresql":
            return greeting in (b"S", b"N")
        case "redis":
            return greeting.startswith((b"+PONG", b"-NOAUTH", b"-DENIED"))
        case "rabbitmq":
            return greeting.startswith(b"AMQP")
        case "mysql":
            return len(greeting) > 5 and greeting[4:5] in (b"\x0a", b"\xff")
    return False


def entries(server: Server, service: str) -> dict[str, str]:
    """Return what an application needs to know; ask on a terminal for what cannot be known.

    Raises UserError where there is none to ask.
    """
    kind = server.kind
    said = _said(kind, os.environ)
    if not said and (server.is_open or kind.type == "rabbitmq"):
        said = dict(kind.defaults)
    if not said:
        said = _asked(server, service)
    return entries_for(kind, HOST, server.port, said)


def _said(kind: Kind, environment: Mapping[str, str]) -> dict[str, str]:
    variables: Sequence[str] = _SAID_BY.get(kind.type, ())
    fields = ("username", "password", "database")
    found = dict(zip(fields, (environment.get(each, "") for each in variables), strict=False))
    return found if found.get("username") else {}


def _asked(server: Server, service: str) -> dict[str, str]:
    kind = server.kind
    found = f"{kind.type} answers at {HOST}:{server.port}"
    if not sys.stdin.isatty():
        raise UserError(
            f"{found}, but who logs in there is not known: "
            f"--bind {kind.scheme}://USER:PASSWORD@{HOST}:{server.port}/NAME"
        )
    typer.echo(f"{found}. How does {service} log in?")
    return {
        "username": typer.prompt("  user", default=os.environ.get("USER") or "root"),
        "password": typer.prompt("  password", default="", hide_input=True, show_default=False),
        kind.path: typer.prompt(f"  {kind.path}", default=service),
    }
