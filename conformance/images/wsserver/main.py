"""Sends back what a WebSocket says, with ``SUFFIX``; ``?delay=N`` seconds later."""

from __future__ import annotations

import base64
import hashlib
import os
import struct
import time

from serve import Request, serve

_KEY = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CLOSE = 8


def frame(opcode: int, data: bytes) -> bytes:
    size = len(data)
    if size < 126:
        head = bytes([0x80 | opcode, size])
    else:
        head = struct.pack("!BBH", 0x80 | opcode, 126, size)
    return head + data


def read(request: Request) -> tuple[int, bytes]:
    first, second = request.rfile.read(2)
    size = second & 127
    if size == 126:
        (size,) = struct.unpack("!H", request.rfile.read(2))
    mask = request.rfile.read(4)
    data = request.rfile.read(size)
    return first & 15, bytes(each ^ mask[i % 4] for i, each in enumerate(data))


def converse(request: Request) -> None:
    suffix = os.environ.get("SUFFIX", "")
    delay = float(request.query("delay") or 0)
    while True:
        opcode, data = read(request)
        if opcode == CLOSE:
            request.wfile.write(frame(CLOSE, data))
            return
        if suffix:
            data += f" {suffix}".encode()
        time.sleep(delay)
        request.wfile.write(frame(opcode, data))


def answer(request: Request) -> None:
    key = request.headers.get("Sec-WebSocket-Key")
    if key is None:
        probed = request.headers.get("User-Agent", "").startswith("kube-probe/")
        request.answer(status=200 if probed else 400)
        return
    accept = base64.b64encode(hashlib.sha1((key + _KEY).encode()).digest()).decode()
    request.send_response(101)
    for name, value in (("Upgrade", "websocket"), ("Connection", "Upgrade")):
        request.send_header(name, value)
    request.send_header("Sec-WebSocket-Accept", accept)
    request.end_headers()
    request.close_connection = True
    open_ones.add(request)
    try:
        converse(request)
    except (OSError, ValueError):
        pass  # The client is gone.
    finally:
        open_ones.discard(request)


def say_goodbye() -> None:
    """At the end: whoever is still there hears 1000, bye."""
    for request in list(open_ones):
        request.wfile.write(frame(CLOSE, struct.pack("!H", 1000) + b"bye"))


open_ones: set[Request] = set()
serve(answer, at_end=say_goodbye)
