"""Three activators share pods with a limit, and processes of both kinds are killed at random.

A request that is idempotent is sent again by its client when its connection breaks, or the
activator says that the application's did, as load balancers and HTTP clients do (RFC 9110,
9.2.2): it is lost when that does not help within ``PATIENCE_SECONDS``.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.gateway_process import HOST
from tests.bench.rows import Row, row
from tests.ports import free_port

ACTIVATORS, PODS, LIMIT = 3, 4, 5
WORK_MILLISECONDS = 10
RATE, SECONDS = 500, 60
KILL_EVERY_SECONDS = 2.0
PATIENCE_SECONDS = 10.0
REQUEST = f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
_ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Outcome:
    """What clients and applications saw."""

    answered: int = 0
    repeated: int = 0
    lost: int = 0
    kills: int = 0
    most_in_a_pod: int = 0
    slowest_seconds: float = 0.0
    failures: list[str] = field(default_factory=list)


class Cluster:
    """The processes, and what is listed of them."""

    def __init__(self, folder: Path, limit: int, work_milliseconds: float) -> None:
        self._folder, self._limit, self._work = folder, limit, work_milliseconds
        self.activators: dict[int, tuple[Process, int]] = {}
        """By the port of the gateway: the process, and its port for peers."""
        self.pods: dict[str, tuple[Process, int]] = {}
        self._number = 0

    async def add_pod(self) -> None:
        self._number += 1
        name, port = f"pod-{self._number}", free_port()
        arguments = ["counting_app", port, self._folder / name, self._work]
        self.pods[name] = await _started(*arguments), port
        await self.tell()

    async def add_activator(self, ports: tuple[int, int] | None = None) -> None:
        gateway, peers = ports or (free_port(), free_port())
        process = await _spawned("activator_process", gateway, peers, self._limit)
        self.activators[gateway] = process, peers
        await self.tell()
        await _ready(process)

    async def tell(self) -> None:
        """What the cluster lists goes to every activator."""
        pods = {name: port for name, (_, port) in self.pods.items()}
        peers = [f"127.0.0.1:{port}" for _, port in self.activators.values()]
        line = json.dumps({"pods": pods, "peers": peers}).encode() + b"\n"
        for process, _ in self.activators.values():
            assert process.stdin is not None
            process.stdin.write(line)

    async def kill_a_pod(self) -> None:
        """Without a word; another one takes its place."""
        name = random.choice(list(self.pods))
        await _killed(self.pods[name][0])
        del self.pods[name]
        await self.tell()
        await self.add_pod()

    async def kill_an_activator(self) -> None:
        """Without a word; it is started again in its place."""
        gateway = random.choice(list(self.activators))
        process, peers = self.activators[gateway]
        await _killed(process)
        await self.add_activator((gateway, peers))

    async def close(self) -> None:
        for process, _ in (*self.activators.values(), *self.pods.values()):
            await _killed(process)

    def most_in_a_pod(self) -> int:
        return max(int(path.read_text()) for path in self._folder.iterdir())


async def _spawned(module: str, *arguments: object) -> Process:
    texts = [str(argument) for argument in arguments]
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", f"tests.bench.{module}", *texts, stdin=PIPE, stdout=PIPE, cwd=_ROOT
    )


async def _ready(process: Process) -> None:
    assert process.stdout is not None
    async with asyncio.timeout(20):
        assert await process.stdout.readline() == b"ready\n"


async def _started(module: object, *arguments: object) -> Process:
    process = await _spawned(str(module), *arguments)
    await _ready(process)
    return process


async def _killed(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()


@contextlib.asynccontextmanager
async def running(
    *, activators: int = ACTIVATORS, pods: int = PODS, limit: int = LIMIT, work: float = 10.0
) -> AsyncIterator[Cluster]:
    with tempfile.TemporaryDirectory() as folder:
        cluster = Cluster(Path(folder), limit, work)
        try:
            for _ in range(pods):
                await cluster.add_pod()
            for _ in range(activators):
                await cluster.add_activator()
            yield cluster
        finally:
            await cluster.close()


class Client:
    """Sends requests one after the other to one activator after the other."""

    def __init__(self, cluster: Cluster, outcome: Outcome) -> None:
        self._cluster, self._outcome = cluster, outcome
        self._connections: dict[int, tuple[asyncio.StreamReader, asyncio.StreamWriter]] = {}

    async def get(self) -> None:
        """One idempotent request, again where it may be repeated."""
        loop = asyncio.get_running_loop()
        started, problem = loop.time(), ""
        while loop.time() - started < PATIENCE_SECONDS:
            port = random.choice(list(self._cluster.activators))
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    problem = await self._ask(port)
            except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
                problem = type(error).__name__
                self._drop(port)
            if not problem:
                self._outcome.answered += 1
                took = loop.time() - started
                self._outcome.slowest_seconds = max(self._outcome.slowest_seconds, took)
                return
            self._outcome.repeated += 1
            await asyncio.sleep(0.01)
        self._outcome.lost += 1
        self._outcome.failures.append(problem)

    async def _ask(self, port: int) -> str:
        connection = self._connections.pop(port, None)
        reader, writer = connection or await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(REQUEST)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
        except BaseException:
            writer.close()
            raise
        self._connections[port] = reader, writer
        return "" if head.startswith(b"HTTP/1.1 200") else head.decode().partition("\r\n\r\n")[0]

    def _drop(self, port: int) -> None:
        _, writer = self._connections.pop(port, (None, None))
        if writer is not None:
            writer.close()

    def close(self) -> None:
        for port in list(self._connections):
            self._drop(port)


async def killing(cluster: Cluster, *, rate: float, kills: int, kill_every: float) -> Outcome:
    """Load at a rate, while now a pod and now an activator is killed, so many times."""
    outcome = Outcome()
    workers = max(1, int(rate / 10))
    loop = asyncio.get_running_loop()

    async def work(number: int) -> None:
        client = Client(cluster, outcome)
        due = loop.time() + number / rate
        while outcome.kills < kills:
            await asyncio.sleep(max(0.0, due - loop.time()))
            due = max(due + workers / rate, loop.time() - 1.0)
            await client.get()
        client.close()

    async def kill() -> None:
        while outcome.kills < kills:
            await asyncio.sleep(kill_every)
            await (cluster.kill_an_activator() if outcome.kills % 2 else cluster.kill_a_pod())
            outcome.kills += 1

    async with asyncio.TaskGroup() as group:
        for number in range(workers):
            group.create_task(work(number))
        group.create_task(kill())
    outcome.most_in_a_pod = cluster.most_in_a_pod()
    return outcome


async def _measure() -> Outcome:
    async with running() as cluster:
        kills = int(SECONDS / KILL_EVERY_SECONDS)
        return await killing(cluster, rate=RATE, kills=kills, kill_every=KILL_EVERY_SECONDS)


def rows() -> list[Row]:
    outcome = asyncio.run(_measure())
    print(f"activators: {outcome}", file=sys.stderr)
    most = outcome.most_in_a_pod
    return [
        row("activators killed: requests answered", [outcome.answered], ""),
        row("activators killed: idempotent requests lost", [outcome.lost], "", at_most=0),
        row("activators killed: most requests in a pod", [most], "", at_most=LIMIT),
        row("activators killed: slowest request", [outcome.slowest_seconds], "s"),
    ]
