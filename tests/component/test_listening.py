"""Listening sockets: whom the kernel gives connections, and what becomes of those in a queue."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from hearth.listening import bind, steer, stop_new

COUNT = 60


def needs_the_kernels_leave() -> None:
    with bind("127.0.0.1", 0) as sock:
        if not stop_new(sock):
            pytest.skip("this kernel lets only CAP_NET_ADMIN stop first packets")


@pytest.fixture
def three() -> Iterator[list[socket.socket]]:
    first = bind("127.0.0.1", 0, is_shared=True)
    port = first.getsockname()[1]
    sockets = [first, *(bind("127.0.0.1", port, is_shared=True) for _ in range(2))]
    for sock in sockets:
        sock.setblocking(False)
    yield sockets
    for sock in sockets:
        sock.close()


def queued(sock: socket.socket) -> int:
    """How many connections wait there; they are taken."""
    count = 0
    while True:
        try:
            accepted, _ = sock.accept()
        except BlockingIOError:
            return count
        accepted.close()
        count += 1


def connect(sockets: list[socket.socket]) -> list[int]:
    address = sockets[0].getsockname()
    clients = [socket.create_connection(address) for _ in range(COUNT)]
    found = [queued(sock) for sock in sockets]
    for client in clients:
        client.close()
    return found


def test_connections_are_dealt_to_those_that_are_live(three: list[socket.socket]) -> None:
    steer(three, [0, 2])
    first, away, third = connect(three)
    assert away == 0
    assert first + third == COUNT
    assert min(first, third) >= COUNT // 6  # by chance: a half, give or take
    steer(three, [1])
    assert connect(three) == [0, COUNT, 0]
    steer(three, [])
    assert min(connect(three)) > 0


def test_what_has_come_can_be_accepted_though_nothing_new_may_come() -> None:
    with bind("127.0.0.1", 0) as sock:
        sock.setblocking(False)
        needs_the_kernels_leave()
        early = socket.create_connection(sock.getsockname())
        early.sendall(b"early")
        assert stop_new(sock)
        late = socket.socket()
        late.setblocking(False)
        assert late.connect_ex(sock.getsockname()) != 0
        accepted, _ = sock.accept()
        assert accepted.recv(16) == b"early"
        with pytest.raises(BlockingIOError):
            sock.accept()
        accepted.sendall(b"answer")
        assert early.recv(16) == b"answer"
        for client in (accepted, early, late):
            client.close()


def test_a_connection_outlives_the_process_that_did_not_accept_it() -> None:
    """It waits, and what the client has sent with it, for whoever has the socket, too."""
    with bind("127.0.0.1", 0) as sock:
        child = subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(60)"], pass_fds=[sock.fileno()]
        )
        client = socket.create_connection(sock.getsockname())
        client.sendall(b"before")
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        accepted, _ = sock.accept()
        assert accepted.recv(16) == b"before"
        accepted.close()
        client.close()


def test_an_address_that_is_taken_is_refused() -> None:
    with bind("127.0.0.1", 0) as sock, pytest.raises(OSError, match="in use"):
        bind("127.0.0.1", sock.getsockname()[1])


async def test_an_address_of_version_6() -> None:
    with bind("::1", 0) as sock:
        server = await asyncio.start_server(lambda reader, writer: writer.close(), sock=sock)
        reader, writer = await asyncio.open_connection("::1", sock.getsockname()[1])
        assert await reader.read() == b""
        writer.close()
        server.close()
        await server.wait_closed()
