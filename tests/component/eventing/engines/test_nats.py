"""What NATS alone can do to us: a server that ends, comes back, refuses, or has no room."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import nats
import pytest

from eventing.engines.nats.config import NatsLimits, NatsServer
from eventing.engines.nats.engine import NatsEngine
from eventing.engines.nats.log import NatsLog
from eventing.engines.seam import Refused, Start, Unavailable
from tests.component.eventing.engines.test_engines import (
    an_event,
    append,
    ids,
    nothing_more,
    saved,
    take,
)
from tests.component.keda import servers
from tests.ports import free_port, free_ports
from tests.waiting import until

LIMITS = NatsLimits(answer_seconds=2, ack_seconds=1, refresh_seconds=0)


@contextlib.asynccontextmanager
async def opened(
    port: int, *, limits: NatsLimits = LIMITS, **options: object
) -> AsyncIterator[tuple[NatsEngine, NatsLog]]:
    engine = NatsEngine(NatsServer((f"nats://127.0.0.1:{port}",)), limits)
    try:
        yield engine, await engine.open("log", options)
    finally:
        await engine.close()


@contextlib.contextmanager
def server(folder: Path, port: int) -> Iterator[int]:
    """The server's process id."""
    command = [servers.program("nats-server"), "-js", "-a", "127.0.0.1", "-p", port]
    store = ("-sd", folder / "jetstream")
    ready = servers.listening(port)
    with servers.process(*command, *store, ready=ready, folder=folder) as started:
        yield started.pid


async def refused(log: NatsLog, number: int) -> Refused:
    with pytest.raises(Refused) as found:
        await append(log, an_event(number))
    return found.value


async def until_taken(log: NatsLog, number: int) -> None:
    """Append as a producer does: again, until it is taken."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await append(log, an_event(number))
            except Refused:
                await asyncio.sleep(0.05)


async def test_what_was_acknowledged_outlives_kills_of_the_server(tmp_path: Path) -> None:
    """What is under way is refused and sent again; acknowledgements of ours may be forgotten."""

    port, taken = free_port(), 0
    async with contextlib.AsyncExitStack() as stack:
        running = contextlib.ExitStack()
        stack.enter_context(running)
        pid = running.enter_context(server(tmp_path, port))
        _, log = await stack.enter_async_context(opened(port))
        consumer = await log.consume("c")
        noted = [event for event in await _some(log, consumer, 3)]
        consumer.note(noted[0], "tried")
        consumer.park(noted[1], "why")
        consumer.settle(noted[2])
        await log.checkpoint()
        taken = 3
        got: list[str] = []
        for _ in range(3):
            for _ in range(40):
                await until_taken(log, taken)
                taken += 1
            os.kill(pid, signal.SIGKILL)
            assert (await refused(log, 10_000)).status == 503
            running.close()
            pid = running.enter_context(server(tmp_path, port))
        await until_taken(log, taken)
        while len(set(got) - {"10000", "2"}) < taken - 2:
            found = await take(consumer, 1, max_bytes=50_000)
            for event in found:
                consumer.settle(event)
            got += ids(found)
        expected = {str(number) for number in range(3, taken + 1)}
        assert expected <= set(got)
        assert set(got) - expected <= {"10000", "2"}, "of those before, one was settled just then"
        assert consumer.note_of(noted[0]) == "tried"
        assert list(consumer.parked().values()) == ["why"]


async def _some(log: NatsLog, consumer, count: int):
    await append(log, *(an_event(number) for number in range(count)))
    return await take(consumer, count)


async def test_a_server_that_stands_still_refuses_in_time_and_is_used_again(
    tmp_path: Path,
) -> None:
    port = free_port()
    with server(tmp_path, port) as pid:
        async with opened(port) as (_, log):
            consumer = await log.consume("c")
            os.kill(pid, signal.SIGSTOP)
            stat = Path(f"/proc/{pid}/stat")
            await until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T")
            try:
                told = await refused(log, 1)
            finally:
                os.kill(pid, signal.SIGCONT)
            assert (told.status, "does not answer" in str(told)) == (503, True)
            await until_taken(log, 2)
            found = await take(consumer, 1, max_bytes=50_000)
            while ids(found)[-1] != "2":
                found += await take(consumer, 1, max_bytes=50_000)
            assert ids(found) in (["1", "2"], ["2"])


async def test_no_server_and_a_wrong_token_are_named(tmp_path: Path) -> None:
    port, other = free_ports(2)
    with pytest.raises(Unavailable, match=f"NATS at nats://127.0.0.1:{port}"):
        async with opened(port):
            raise AssertionError("there is no server")
    command = [servers.program("nats-server"), "-js", "-a", "127.0.0.1", "-p", other]
    store = ("-sd", tmp_path / "js", "--auth", "right")
    with servers.process(*command, *store, ready=servers.listening(other), folder=tmp_path):
        engine = NatsEngine(NatsServer((f"nats://127.0.0.1:{other}",), token="wrong"), LIMITS)
        said = ""
        async with asyncio.timeout(60):
            while "authorization violation" not in said.lower():
                with pytest.raises(Unavailable) as caught:
                    await engine.open("log")
                said = str(caught.value)
                # It may have ended the connection before its words were read.
                assert "uthorization" in said or "reset" in said
        await engine.close()


async def test_rights_that_are_missing_are_named_at_once(tmp_path: Path) -> None:
    port = free_port()
    settings = tmp_path / "server.conf"
    settings.write_text(
        f'listen: "127.0.0.1:{port}"\njetstream {{ store_dir: "{tmp_path}/js" }}\n'
        "authorization { users = [ { user: u, password: p, permissions: { publish: "
        '{ deny: ["hearth.events.>"] } } } ] }\n'
    )
    command = [servers.program("nats-server"), "-c", settings]
    with servers.process(*command, ready=servers.listening(port), folder=tmp_path):
        limits = replace(LIMITS, answer_seconds=20)
        engine = NatsEngine(NatsServer((f"nats://u:p@127.0.0.1:{port}",)), limits)
        log = await engine.open("log")
        began = asyncio.get_running_loop().time()
        told = await refused(log, 1)
        assert "permissions violation for publish" in str(told).lower()
        assert "permissions violation for publish" in log.stats().problem.lower()
        assert asyncio.get_running_loop().time() - began < limits.answer_seconds
        await engine.close()


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with servers.nats(tmp_path_factory.mktemp("nats")) as (port, _):
        yield port


async def test_a_full_stream_refuses_and_drops_nothing(port: int) -> None:
    """Whoever else has filled it: the server's own limit counts, too."""
    async with opened(port, stream={"maxMsgs": 3}) as (engine, log):
        consumer = await log.consume("c")
        for number in range(3):
            await append(log, an_event(number))
        told = await refused(log, 3)
        assert (told.status, told.retry_after) == (429, 5)
        found = await take(consumer, 3)
        assert ids(found) == ["0", "1", "2"]
        for event in found:
            consumer.settle(event)
        await saved(log, lambda: log.stats().events == 0)
        await engine.drop("log")


async def test_a_stream_that_was_deleted_refuses_and_is_made_again(port: int) -> None:
    async with opened(port) as (engine, log):
        consumer = await log.consume("c")
        [event] = await _some(log, consumer, 1)
        consumer.settle(event)
        waiting = asyncio.create_task(consumer.fetch(10_000))
        client = await nats.connect(f"nats://127.0.0.1:{port}")
        await client.jetstream().delete_stream(log.stream)
        await client.close()
        told = await refused(log, 1)
        assert "nobody listens" in str(told)
        await until_taken(log, 2)
        async with asyncio.timeout(60):
            assert ids(await waiting) == ["2"]
        await engine.drop("log")


async def test_what_others_publish_is_delivered_where_a_stream_takes_it(port: int) -> None:
    async with opened(port, stream={"additionalSubjects": ["orders.new"]}) as (engine, log):
        consumer = await log.consume("c")
        client = await nats.connect(f"nats://127.0.0.1:{port}")
        stream = client.jetstream()
        await stream.publish("orders.new", b"no event at all")
        headers = {"ce-specversion": "1.0", "ce-id": "9", "ce-source": "/shop", "ce-type": "new"}
        await stream.publish("orders.new", b"{}", headers=headers)
        await client.close()
        [event] = await take(consumer, 1)
        assert (event.attributes["source"], event.data) == ("/shop", b"{}")
        assert await nothing_more(consumer)
        await engine.drop("log")


async def test_streams_of_others_are_not_ours_to_list(port: int) -> None:
    client = await nats.connect(f"nats://127.0.0.1:{port}")
    await client.jetstream().add_stream(name="HEARTH_theirs", subjects=["theirs"])
    await client.close()
    ours = NatsEngine(NatsServer((f"nats://127.0.0.1:{port}",), owner="us"), LIMITS)
    await ours.open("log")
    assert await ours.keys() == ["log"]
    theirs = NatsEngine(NatsServer((f"nats://127.0.0.1:{port}",), owner="them"), LIMITS)
    assert await theirs.keys() == []
    await theirs.close()
    await ours.drop("log")
    await ours.close()


async def test_three_servers_lose_nothing_with_the_leader_of_a_stream(tmp_path: Path) -> None:
    """It is killed while events come; what was acknowledged is given, little of it twice."""
    with servers.nats_cluster(tmp_path) as found:
        urls = tuple(f"nats://{each.host}:{each.port}" for each in found)
        limits = NatsLimits(answer_seconds=2, ack_seconds=2, refresh_seconds=0)
        engine = NatsEngine(NatsServer(urls), limits)
        log = await engine.open("log", {"stream": {"replicas": 3}})
        consumer = await log.consume("c", Start.EARLIEST)
        got: list[str] = []

        async def read() -> None:
            while True:
                for event in await consumer.fetch(50_000):
                    got.append(str(event.attributes["id"]))
                    consumer.settle(event)

        reading = asyncio.create_task(read())
        for number in range(100):
            await until_taken(log, number)
        leader = (await engine.connection.call(f"STREAM.INFO.{log.stream}"))["cluster"]["leader"]
        os.kill(found[int(leader[-1])].pid, signal.SIGKILL)
        for number in range(100, 300):
            await until_taken(log, number)
        wanted = set(map(str, range(300)))
        async with asyncio.timeout(60):
            while not wanted <= set(got):
                await asyncio.sleep(0.01)
        assert len(got) < 2 * len(wanted), "acknowledgements of ours that it forgot"
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await engine.close()


class Way:
    """What lies between us and the server: a cut one stays open and forwards nothing."""

    def __init__(self, port: int) -> None:
        self.is_cut: list[asyncio.Event] = []
        self._port = port
        self._tasks: set[asyncio.Task[None]] = set()

    async def taken(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._port)
        cut = asyncio.Event()
        self.is_cut.append(cut)
        for source, target in ((reader, back), (there, writer)):
            task = asyncio.create_task(self._forward(source, target, cut))
            self._tasks.add(task)

    async def _forward(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, cut: asyncio.Event
    ) -> None:
        try:
            while data := await source.read(65536):
                if not cut.is_set():
                    target.write(data)
        except OSError:
            pass
        finally:
            target.close()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def test_a_way_that_is_cut_is_told_in_time_and_another_taken(port: int) -> None:
    """Nobody says that it is cut: neither side hears of the other any more."""
    way = Way(port)
    listener = await asyncio.start_server(way.taken, "127.0.0.1", 0)
    at = listener.sockets[0].getsockname()[1]
    limits = NatsLimits(answer_seconds=1, ack_seconds=1, refresh_seconds=0)
    async with opened(at, limits=limits) as (engine, log):
        consumer = await log.consume("c")
        [event] = await _some(log, consumer, 1)
        for cut in way.is_cut:
            cut.set()
        consumer.settle(event)
        began = asyncio.get_running_loop().time()
        told = await refused(log, 1)
        assert (told.status, "does not answer" in str(told)) == (503, True)
        assert asyncio.get_running_loop().time() - began < 20 * limits.answer_seconds
        async with asyncio.timeout(60):
            await until_taken(log, 2)
        assert ids(await take(consumer, 1))[-1:] in (["0"], ["2"]), "acknowledged, or given again"
        await engine.drop("log")
    listener.close()
    await way.close()


async def test_an_engine_ends_in_time_without_its_server(tmp_path: Path) -> None:
    port = free_port()
    with server(tmp_path, port):
        engine = NatsEngine(NatsServer((f"nats://127.0.0.1:{port}",)), LIMITS)
        log = await engine.open("log")
        consumers = [await log.consume(f"c{number}") for number in range(5)]
        await append(log, *(an_event(number) for number in range(5)))
        for consumer in consumers:
            await take(consumer, 5)
    await until(lambda: not engine.connection.is_connected)
    async with asyncio.timeout(2 * LIMITS.answer_seconds):
        await engine.close()
    with pytest.raises(Refused, match="no connection"):
        log.append([an_event(9)], lambda _: None)
