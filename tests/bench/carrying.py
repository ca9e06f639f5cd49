"""Sends or fetches a body of any size by HTTP/1.1, and holds none of it. It blocks."""

from __future__ import annotations

import socket

_PIECE = bytes(256 * 1024)


def fetch(port: int, host: str, size: int) -> None:
    """GET ``size`` octets of the application ``tests.bench.bodies_app``."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as sock:
        sock.sendall(b"GET /%d HTTP/1.1\r\nHost: %b\r\n\r\n" % (size, host.encode()))
        rest = _after_head(sock)
        buffer = bytearray(len(_PIECE))
        left = size - len(rest)
        while left:
            got = sock.recv_into(buffer)
            if not got:
                raise ConnectionError(f"{left} octets are missing")
            left -= got


def send(port: int, host: str, size: int, *, chunked: bool = False) -> None:
    """POST ``size`` octets, and wait for the answer."""
    framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % size
    with socket.create_connection(("127.0.0.1", port), timeout=60) as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: %b\r\n%b\r\n\r\n" % (host.encode(), framing))
        left = size
        while left:
            piece = _PIECE[:left]
            left -= len(piece)
            if chunked:
                sock.sendall(b"%x\r\n" % len(piece))
            sock.sendall(piece)
            if chunked:
                sock.sendall(b"\r\n")
        if chunked:
            sock.sendall(b"0\r\n\r\n")
        _after_head(sock)


def _after_head(sock: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        more = sock.recv(65536)
        if not more:
            raise ConnectionError("no answer")
        data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 "):
        raise ConnectionError(head.decode("latin-1"))
    return rest
