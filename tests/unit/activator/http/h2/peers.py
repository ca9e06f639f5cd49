"""Lanes that write down what they hear, and connections of the package h2 to speak with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import h2.config
import h2.connection

from activator.http.fields import Field, Trailers
from activator.http.h2.codes import Code
from activator.http.h2.decoder import Block
from activator.http.h2.lanes import Lane
from activator.http.h2.limits import DEFAULT_LIMITS, EngineLimits
from activator.http.h2.requests import read_trailers
from activator.http.h2.roles import ClientEngine, ServerEngine


@dataclass
class Heard:
    """What one stream has brought, however it was cut."""

    fields: list[Field] | None = None
    body: bytes = b""
    trailers: Trailers | None = None
    interim: list[bytes] = field(default_factory=list)
    cut: tuple[int, bool] | None = None
    windows: list[bool] = field(default_factory=list)
    flow: int = 0


class Listening(Lane):
    __slots__ = ("heard",)

    def __init__(self, engine: Any, stream: int, heard: Heard) -> None:
        super().__init__(engine, stream, engine.peer_window)
        self.heard = heard

    def begin(self, block: Block, data: bytes, flow: int, end: bool) -> None:
        self.heard.fields = block.fields
        if end:
            self.heard.body += data
            self.heard.trailers = ()
        else:
            self.take_data(data, flow, False)

    def take_interim(self, block: Block, end: bool) -> bool:
        if not block.fields[0][1].startswith(b"1"):
            return False
        self.heard.interim.append(block.fields[0][1])
        return True

    def deliver(self, data: bytes) -> None:
        self.heard.body += data

    def deliver_end(self, trailers: Trailers) -> None:
        self.heard.trailers = trailers

    def deliver_window(self, is_open: bool) -> None:
        self.heard.windows.append(is_open)

    def read_trailers(self, block: Block) -> Trailers:
        return read_trailers(self.id, block)

    def on_cut(self, code: int, detail: str, *, is_fault: bool) -> None:
        self.heard.cut = (code, is_fault)


def at_once(call: Callable[[], None]) -> None:
    call()


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Server:
    """Our server half of a connection, without a socket."""

    def __init__(self, limits: EngineLimits = DEFAULT_LIMITS) -> None:
        self.written = bytearray()
        self.heard: dict[int, Heard] = {}
        self.lanes: dict[int, Listening] = {}
        self.clock = Clock()
        self.drained = 0
        self.engine = ServerEngine(
            self.written.extend, self.clock, at_once, self.new_lane, limits, idle=self.idle
        )
        self.engine.start()

    def idle(self) -> None:
        self.drained += 1

    def new_lane(self, stream: int) -> Listening:
        self.heard[stream] = Heard()
        self.lanes[stream] = Listening(self.engine, stream, self.heard[stream])
        return self.lanes[stream]

    def take(self) -> bytes:
        written = bytes(self.written)
        self.written.clear()
        return written


class Client:
    """Our client half."""

    def __init__(self, limits: EngineLimits = DEFAULT_LIMITS) -> None:
        self.written = bytearray()
        self.heard: dict[int, Heard] = {}
        self.clock = Clock()
        self.engine = ClientEngine(self.written.extend, self.clock, at_once, limits)
        self.engine.start()

    def open(self, fields: list[Field], body: bytes, end: bool) -> Listening:
        heard = Heard()
        lane = Listening(self.engine, self.engine.next_stream, heard)
        self.engine.add(lane)
        self.heard[lane.id] = heard
        lane.write_head(fields, body, end)
        return lane

    def take(self) -> bytes:
        written = bytes(self.written)
        self.written.clear()
        return written


def their_client() -> h2.connection.H2Connection:
    config = h2.config.H2Configuration(
        client_side=True,
        header_encoding=None,
        validate_outbound_headers=False,
        normalize_outbound_headers=False,
    )
    made = h2.connection.H2Connection(config)
    made.initiate_connection()
    return made


def their_server() -> h2.connection.H2Connection:
    made = h2.connection.H2Connection(
        h2.config.H2Configuration(client_side=False, header_encoding=None)
    )
    made.initiate_connection()
    return made


def error_code(written: bytes) -> Code | None:
    """The code of the first GOAWAY or RST_STREAM among frames."""
    for kind, _, _, payload in frames(written):
        if kind == 7:
            return Code(int.from_bytes(payload[4:8], "big"))
        if kind == 3:
            return Code(int.from_bytes(payload, "big"))
    return None


def frames(data: bytes) -> list[tuple[int, int, int, bytes]]:
    found, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 3], "big")
        stream = int.from_bytes(data[at + 5 : at + 9], "big")
        found.append((data[at + 3], data[at + 4], stream, data[at + 9 : at + 9 + size]))
        at += 9 + size
    assert at == len(data)
    return found
