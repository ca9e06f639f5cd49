"""A burst on a service at zero with a hard limit, and a steady load on a slow one, through it all.

Both go through ``hearth up`` and a Service. The burst is 1,000 clients at once, each with a
connection of its own. The load is open: a request is due each millisecond, whatever became of those
before, and its time counts from then on; the same application is asked directly in turns, and what
the way through the gateway adds is the difference.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

from hearth.knative.resources import KSERVICES
from hearth.kube.cache import WatchCache
from hearth.kube.client import KubeClient
from hearth.kube.meta import Object
from hearth.kube.resources import PODS
from tests.bench.hearth import RunningHearth
from tests.bench.rows import Row, percentile, row
from tests.ports import free_port

CLIENTS, LIMIT, MOST_PODS, BURST_MILLISECONDS, BURSTS = 1000, 10, 10, 50, 3
RATE, SLICES, SLICE_SECONDS, WORK_MILLISECONDS = 1000, 6, 10.0, 100
PATIENCE_SECONDS = 60.0
_APP = Path(__file__).with_name("counting_app.py")


@dataclass
class Seen:
    """What clients saw: how long answers took, in seconds, and how many were none."""

    seconds: list[float] = field(default_factory=list)
    failures: int = 0


class Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self) -> None:
        self._data = b""
        self._answer: asyncio.Future[bytes] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def ask(self, request: bytes) -> asyncio.Future[bytes]:
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)  # type: ignore[attr-defined]
        return self._answer

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, end, body = self._data.partition(b"\r\n\r\n")
        if end and body and self._answer is not None:
            self._data = b""
            self._answer.set_result(head)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(b"")


class Clients:
    """Ask one port; connections are used again."""

    def __init__(self, port: int, host: str) -> None:
        self._port = port
        self._request = f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
        self._idle: list[Connection] = []
        self.seen = Seen()

    async def ask(self, due: float) -> None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                head = await self._answer()
        except (OSError, TimeoutError):
            head = b""
        if head.startswith(b"HTTP/1.1 200"):
            self.seen.seconds.append(time.perf_counter() - due)
        else:
            self.seen.failures += 1

    async def _answer(self) -> bytes:
        if self._idle:
            connection = self._idle.pop()
        else:
            loop = asyncio.get_running_loop()
            _, connection = await loop.create_connection(Connection, "127.0.0.1", self._port)
        head = await connection.ask(self._request)
        if head:
            self._idle.append(connection)
        return head

    async def at_once(self, count: int) -> None:
        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(count):
                group.create_task(self.ask(began))

    async def steadily(self, rate: int, seconds: float) -> None:
        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for number in range(int(rate * seconds)):
                due = began + number / rate
                if (wait := due - time.perf_counter()) > 0:
                    await asyncio.sleep(wait)
                group.create_task(self.ask(due))

    def close(self) -> None:
        for connection in self._idle:
            connection.transport.close()


def _service(name: str, record: Path, milliseconds: int, limit: int, **annotations: str) -> Object:
    env = {"RECORD": str(record), "MILLISECONDS": str(milliseconds)}
    container = {
        "image": "bench/counting",
        "env": [{"name": key, "value": value} for key, value in env.items()],
    }
    about = {f"autoscaling.knative.dev/{key}": value for key, value in annotations.items()}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "template": {
                "metadata": {"annotations": about},
                "spec": {"containerConcurrency": limit, "containers": [container]},
            }
        },
    }


async def _no_pods(pods: WatchCache) -> None:
    async with asyncio.timeout(120):
        while len(pods):
            await asyncio.sleep(0.05)


async def _ready(client: KubeClient, name: str) -> None:
    async with asyncio.timeout(60):
        while not _is_ready(await client.get(KSERVICES, name, "default")):
            await asyncio.sleep(0.05)


def _is_ready(service: Object) -> bool:
    conditions = (service.get("status") or {}).get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


async def _burst(hearth: RunningHearth, record: Path) -> list[Seen]:
    async with KubeClient.from_kubeconfig(hearth.kubeconfig) as client:
        pods = WatchCache(client, PODS)
        watching = asyncio.create_task(pods.run())
        await pods.synced()
        service = _service(
            "burst",
            record,
            BURST_MILLISECONDS,
            LIMIT,
            window="6s",
            **{"max-scale": str(MOST_PODS)},
        )
        await client.create(KSERVICES, service)
        await _ready(client, "burst")
        bursts = []
        for _ in range(BURSTS):
            await _no_pods(pods)
            clients = Clients(hearth.port, f"burst.default.localhost:{hearth.port}")
            await clients.at_once(CLIENTS)
            clients.close()
            bursts.append(clients.seen)
        await client.delete(KSERVICES, "burst", "default")
        await _no_pods(pods)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        return bursts


async def _steady(hearth: RunningHearth, record: Path) -> list[tuple[Seen, Seen]]:
    """In turns: through the gateway, and to the application itself."""
    port = free_port()
    arguments = [str(port), str(record / "direct"), str(WORK_MILLISECONDS)]
    app = await asyncio.create_subprocess_exec(
        sys.executable, str(_APP), *arguments, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert app.stdout is not None
        await app.stdout.readline()
        async with KubeClient.from_kubeconfig(hearth.kubeconfig) as client:
            bounds = {"min-scale": "1", "max-scale": "1"}
            service = _service("steady", record, WORK_MILLISECONDS, 0, **bounds)
            await client.create(KSERVICES, service)
            await _ready(client, "steady")
        turns = []
        for _ in range(SLICES):
            pair = []
            for clients in (
                Clients(hearth.port, f"steady.default.localhost:{hearth.port}"),
                Clients(port, "steady"),
            ):
                # The first requests open the connections; they are no steady load.
                await clients.at_once(2 * RATE * WORK_MILLISECONDS // 1000)
                clients.seen = Seen(failures=clients.seen.failures)
                await clients.steadily(RATE, SLICE_SECONDS)
                clients.close()
                pair.append(clients.seen)
            turns.append((pair[0], pair[1]))
        return turns
    finally:
        app.kill()
        await app.wait()


def _most_in_a_pod(record: Path) -> int:
    return max(int(path.read_text()) for path in record.iterdir())


def rows() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder, RunningHearth() as hearth:
        hearth.command("image", "add", "bench/counting", "--", sys.executable, str(_APP))
        record = Path(folder) / "burst"
        record.mkdir()
        bursts = uvloop.run(_burst(hearth, record))
        most = _most_in_a_pod(record)
        turns = uvloop.run(_steady(hearth, Path(folder)))
    return [*_burst_rows(bursts, most), *_steady_rows(turns)]


def _burst_rows(bursts: list[Seen], most: int) -> list[Row]:
    what = f"{CLIENTS:,} at once on a service at zero, containerConcurrency {LIMIT}"
    failed = [float(seen.failures) for seen in bursts]
    return [
        row(f"{what}: not answered", failed, "requests", at_most=0),
        row(f"{what}: most in a pod", [float(most)], "requests", at_most=LIMIT),
        row(
            f"{what}, {BURST_MILLISECONDS} ms each, {MOST_PODS} pods: all answered after",
            [max(seen.seconds) for seen in bursts],
            "s",
        ),
    ]


def _steady_rows(turns: list[tuple[Seen, Seen]]) -> list[Row]:
    seconds = SLICES * SLICE_SECONDS
    what = f"{RATE:,} requests/s for {seconds:.0f} s to a {WORK_MILLISECONDS} ms service"
    found = []
    for name, share, goal in (("p50", 0.5, None), ("p95", 0.95, 1.0), ("p99", 0.99, None)):
        added = [
            (percentile(through.seconds, share) - percentile(direct.seconds, share)) * 1000
            for through, direct in turns
        ]
        alone = statistics.median(percentile(direct.seconds, share) for _, direct in turns) * 1000
        found.append(
            row(f"{what}: {name} added", added, "ms", at_most=goal, peers={"application": alone})
        )
    failed = [float(sum(through.failures for through, _ in turns))]
    return [*found, row(f"{what}: failed", failed, "requests", at_most=0)]
