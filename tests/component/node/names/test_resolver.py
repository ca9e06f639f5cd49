"""The resolver on loopback: what is answered, how often, by UDP and TCP, and what is not."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import dns.asyncquery
import dns.exception
import dns.message
import dns.rcode
import pytest

from hearth.cluster.node.names import resolver as resolving
from hearth.cluster.node.names.resolver import Resolver
from hearth.cluster.node.names.zone import Found

HERE = "127.0.0.1"
NAME = "web.default.svc.cluster.local"


@dataclass
class Answers:
    """A resolver and what it has looked for; ``found`` is under every name."""

    found: Found | None = field(default_factory=lambda: Found(addresses=("10.96.1.2",)))
    machine: Sequence[str] = ()
    looked: list[str] = field(default_factory=list)
    port: int = 0

    async def look(self, name: str) -> Found | None:
        self.looked.append(name)
        if name == "bad":
            raise RuntimeError("an object that cannot be read")
        return self.found

    async def ask(self, name: str = NAME, *, by_tcp: bool = False) -> dns.message.Message:
        query = dns.message.make_query(name, "A")
        how = dns.asyncquery.tcp if by_tcp else dns.asyncquery.udp
        return await how(query, HERE, timeout=5, port=self.port)


@pytest.fixture
async def answers() -> AsyncIterator[tuple[Answers, Resolver]]:
    told = Answers()
    made = Resolver(told.look, lambda: told.machine)
    by_tcp = socket.create_server((HERE, 0))
    told.port = by_tcp.getsockname()[1]
    by_udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    by_udp.bind((HERE, told.port))
    for sock in (by_udp, by_tcp):
        sock.setblocking(False)
    await made.listen(by_udp, by_tcp)
    try:
        yield told, made
    finally:
        await made.close()


def addresses(reply: dns.message.Message) -> list[str]:
    return sorted(str(record) for records in reply.answer for record in records)


async def test_what_was_asked_before_is_known_until_something_changes(
    answers: tuple[Answers, Resolver],
) -> None:
    told, resolver = answers
    for _ in range(3):
        assert addresses(await told.ask()) == ["10.96.1.2"]
    assert told.looked == [NAME]
    told.found = None
    resolver.forget_answers()
    assert (await told.ask()).rcode() == dns.rcode.NXDOMAIN


async def test_a_long_answer_is_whole_by_tcp(answers: tuple[Answers, Resolver]) -> None:
    told, _ = answers
    told.found = Found(addresses=tuple(f"10.0.{n}.1" for n in range(100)))
    assert len(addresses(await told.ask(by_tcp=True))) == 100
    assert (await told.ask()).flags & dns.flags.TC


async def test_one_bad_object_hurts_its_own_name_only(answers: tuple[Answers, Resolver]) -> None:
    told, _ = answers
    assert (await told.ask("bad")).rcode() == dns.rcode.SERVFAIL
    assert addresses(await told.ask()) == ["10.96.1.2"]


async def test_names_of_the_world_fail_at_once_where_the_machine_knows_no_server(
    answers: tuple[Answers, Resolver],
) -> None:
    told, _ = answers
    told.found = Found(outside="www.example.com")
    told.machine = ["nonsense"]
    assert (await told.ask("www.example.com")).rcode() == dns.rcode.SERVFAIL


async def test_who_asks_too_much_new_waits_for_the_next_second(
    answers: tuple[Answers, Resolver], monkeypatch: pytest.MonkeyPatch
) -> None:
    told, _ = answers
    await told.ask()
    monkeypatch.setattr(resolving, "MOST_A_SECOND", 0)
    with pytest.raises(dns.exception.Timeout):
        await dns.asyncquery.udp(
            dns.message.make_query("new", "A"), HERE, timeout=0.2, port=told.port
        )
    assert addresses(await told.ask()) == ["10.96.1.2"]
    monkeypatch.setattr(resolving, "MOST_A_SECOND", 1000)
    assert addresses(await told.ask("new")) == ["10.96.1.2"]


async def test_connections_of_one_container_are_counted(
    answers: tuple[Answers, Resolver], monkeypatch: pytest.MonkeyPatch
) -> None:
    told, _ = answers
    monkeypatch.setattr(resolving, "_CONNECTIONS_OF_ONE", 1)
    async with contextlib.AsyncExitStack() as stack:
        _, idle = await asyncio.open_connection(HERE, told.port)
        stack.callback(idle.close)
        reader, writer = await asyncio.open_connection(HERE, told.port)
        stack.callback(writer.close)
        async with asyncio.timeout(60):
            assert await reader.read() == b""
