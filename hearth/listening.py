"""Listening sockets that lose no connection: neither when a process ends nor when one is killed.

Theory of operation:

* A connection that has been made and not accepted yet belongs to the listening socket. It lives as
  long as any process has that socket open. So the supervisor of one machine opens the sockets and
  its children only accept: what comes while a child is away waits for its successor.
* Several workers have a socket each for the same port (SO_REUSEPORT), and the kernel deals new
  connections out among them. One socket for all would need no dealing, but who wakes first takes a
  whole burst: of 32 connections at once one of two workers got 27 to 32, and where they have a
  socket each 16 to 24, half of the times no more than 18.
* A worker that is away is dealt nothing: ``steer`` gives the kernel a program that knows the others
  (``SO_ATTACH_REUSEPORT_CBPF``; ``net.ipv4.tcp_migrate_req`` does that only for sockets that are
  closed, and is off where nobody has turned it on).
* Who closes the last descriptor of a socket resets what is in its queue. ``stop_new`` lets in no
  first packet any more, so that what has come can be accepted before. Newer kernels (6.18 does, 6.1
  does not) let only CAP_NET_ADMIN say so; without it who comes in that last moment is reset.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import weakref
from array import array
from collections.abc import Iterable, Sequence

# Connections that arrive faster than they are accepted wait here; a burst of 1,000 must not be
# refused by the kernel. It caps the number at net.core.somaxconn (4096 by default).
BACKLOG = 4096
HANDSHAKE_SECONDS = 0.05
"""How long a handshake takes whose first packet was let in: a round trip, and then some."""

_SO_ATTACH_FILTER, _SO_ATTACH_REUSEPORT_CBPF = 26, 51  # asm-generic/socket.h
# Classic BPF (linux/bpf_common.h, linux/filter.h).
_LOAD_BYTE, _LOAD_WORD, _MODULO = 0x30, 0x20, 0x94
_IF_EQUAL, _IF_SET, _RETURN = 0x15, 0x45, 0x06
_RANDOM = 0xFFFFF000 + 56  # SKF_AD_OFF + SKF_AD_RANDOM
_TCP_FLAGS, _SYN, _WHOLE = 13, 0x02, 0xFFFFFFFF

_Instruction = tuple[int, int, int, int]


class PortClaims:
    """Ports that are kept for who will listen there: no other Hearth of the machine takes them.

    A claim is a name that all processes of a network namespace see, and that goes with its holders
    (an abstract socket, unix(7)): those who made it and those forked since.
    """

    def __init__(self) -> None:
        self._held: dict[int, socket.socket | None] = {}
        weakref.finalize(self, _let_go, self._held)

    def __contains__(self, port: int) -> bool:
        return port in self._held

    def take(self, port: int) -> bool:
        """Claim a port; False where somebody else has."""
        held = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            held.bind(f"\0hearth-port-{port}")
        except OSError:
            held.close()
            return False
        self._held[port] = held
        return True

    def keep(self, port: int) -> None:
        """Count a port that somebody listens on already as ours, whoever has claimed it."""
        if port not in self._held and not self.take(port):
            self._held[port] = None

    def release(self, ports: Iterable[int]) -> None:
        """Give ports back."""
        _let_go({port: self._held.pop(port, None) for port in ports})

    def close(self) -> None:
        """Give all of them back."""
        _let_go(self._held)


def _let_go(held: dict[int, socket.socket | None]) -> None:
    while held:
        _, claim = held.popitem()
        if claim is not None:
            claim.close()


def bind(host: str, port: int, *, is_shared: bool = False) -> socket.socket:
    """Open a listening socket (port 0: a free one); raises OSError.

    The address may be taken again at once after a restart. ``is_shared``: others may listen there,
    too, if they say the same.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


def steer(sockets: Sequence[socket.socket], live: Sequence[int]) -> None:
    """Deal connections out among these of the sockets that share a port; none: among all.

    ``sockets`` are in the order in which they were opened, ``live`` counts from 0. Where the kernel
    cannot do it, connections for the others wait until somebody accepts them.
    """
    with contextlib.suppress(OSError):
        _attach(sockets[0], _SO_ATTACH_REUSEPORT_CBPF, dealing(live or range(len(sockets))))


def stop_new(sock: socket.socket) -> bool:
    """Let no connection begin any more; those that have begun can still be accepted.

    False where the kernel does not let this process say so: then all is as before.
    """
    try:
        _attach(sock, _SO_ATTACH_FILTER, _NO_SYN)
    except OSError:
        return False
    return True


def dealing(live: Sequence[int]) -> list[_Instruction]:
    """The program that returns one of these numbers, each as often as any other."""
    program = [(_LOAD_WORD, 0, 0, _RANDOM), (_MODULO, 0, 0, len(live))]
    for number, index in enumerate(live[:-1]):
        program += [(_IF_EQUAL, 0, 1, number), (_RETURN, 0, 0, index)]
    return [*program, (_RETURN, 0, 0, live[-1])]


_NO_SYN: list[_Instruction] = [
    (_LOAD_BYTE, 0, 0, _TCP_FLAGS),
    (_IF_SET, 0, 1, _SYN),
    (_RETURN, 0, 0, 0),
    (_RETURN, 0, 0, _WHOLE),
]


def _attach(sock: socket.socket, option: int, program: Sequence[_Instruction]) -> None:
    code = array("B", b"".join(struct.pack("HBBI", *instruction) for instruction in program))
    address, _ = code.buffer_info()
    sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("HP", len(program), address))
