"""Asks a proxy for a tunnel: the way to in-cluster names with TLS where no resolver knows them.

The other side is ``activator.tunnels``.
"""

from __future__ import annotations

import asyncio
import socket

from eventing.runtime.target import Address

_MOST_OCTETS = 8 * 1024


async def open_tunnel(proxy: Address, target: Address) -> socket.socket:
    """Return a connection through which ``target`` is spoken to; raise OSError for none."""
    loop = asyncio.get_running_loop()
    family = socket.AF_INET6 if ":" in proxy[0] else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        await loop.sock_connect(sock, proxy)
        authority = b"%b:%d" % (target[0].encode("ascii"), target[1])
        await loop.sock_sendall(
            sock, b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n\r\n" % (authority, authority)
        )
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            # Byte by byte: what follows the head belongs to who speaks through the tunnel.
            piece = await loop.sock_recv(sock, 1)
            if not piece or len(head) > _MOST_OCTETS:
                raise ConnectionError(f"no way to {authority.decode()}: the proxy hung up")
            head += piece
        status = head.split(b" ", 2)[1:2]
        if status != [b"200"]:
            said = b" ".join(head.split(b"\r\n", 1)[0].split(b" ")[1:]).decode("latin-1")
            raise ConnectionError(f"no way to {authority.decode()}: {said}")
    except BaseException:
        sock.close()
        raise
    return sock
