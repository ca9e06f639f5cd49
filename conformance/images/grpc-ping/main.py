"""gRPC's ``Ping`` and ``PingStream``: what came, the host where it is asked for, ``SUFFIX``.

A Request and a Response have one field: ``string msg = 1``. They are read and written by hand.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
from serve import port

SERVING = b"\x08\x01"


def decode(data: bytes) -> str:
    size, at, shift = 0, 1, 0
    while data and data[at] & 0x80:
        size, shift, at = size | (data[at] & 0x7F) << shift, shift + 7, at + 1
    return data[at + 1 : at + 1 + (size | data[at] << shift)].decode() if data else ""


def encode(text: str) -> bytes:
    data = text.encode()
    size, head = len(data), bytearray(b"\x0a")
    while size > 127:
        head.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes(head) + bytes([size]) + data


HOST = socket.gethostname() if os.environ.get("HOSTNAME", "") in ("1", "true", "True") else ""
DELAY = float(os.environ.get("DELAY") or 0) / 1000


def pong(text: str) -> str:
    return text + HOST + os.environ.get("SUFFIX", "")


def ping(text: str, _: grpc.ServicerContext) -> str:
    time.sleep(DELAY)
    return pong(text)


def ping_stream(texts: Iterator[str], _: grpc.ServicerContext) -> Iterator[str]:
    yield from map(pong, texts)


def main() -> None:
    server = grpc.server(ThreadPoolExecutor(64))
    unary = grpc.unary_unary_rpc_method_handler(ping, decode, encode)
    stream = grpc.stream_stream_rpc_method_handler(ping_stream, decode, encode)
    healthy = grpc.unary_unary_rpc_method_handler(lambda *_: SERVING)
    methods = {"Ping": unary, "PingStream": stream}
    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler("ping.PingService", methods),
            grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": healthy}),
        )
    )
    server.add_insecure_port(f"[::]:{port()}")
    server.start()
    signal.signal(signal.SIGTERM, lambda *_: server.stop(30))
    server.wait_for_termination()


if __name__ == "__main__":
    main()
