"""``python -m tests.bench.cluster --kubeconfig FILE --gateway HOST:PORT --image IMAGE``.

Measures Hearth on a cluster. ``starts`` is against the same pods without it, in one run: for every
Service there is a bare Deployment of the very pod that Hearth makes, and the two are measured in
turns. ``warm``, ``idle``, ``many``, ``kills`` and ``events`` are modules of their own here. The pod
network must be reachable from here. Makes and removes the namespace ``hearth-bench``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import statistics
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from hearth.kube.client import KubeClient
from hearth.kube.errors import AlreadyExists, NotFound
from hearth.kube.resources import NAMESPACES
from tests.bench.cluster import idle, kills, many, warm
from tests.bench.cluster.bare import Bare
from tests.bench.cluster.installation import Installation
from tests.bench.cluster.served import NAMESPACE, Served
from tests.bench.cluster.writes import Writes
from tests.bench.rows import Row, markdown, percentile, row

MEASUREMENTS = ("idle", "starts", "warm", "kills", "events", "many")
STEADY_SECONDS = 60.0
PAUSE_SECONDS = 1.5
"""Before each start, so that the node is done with what the one before left behind."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.cluster")
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--gateway", required=True, help="host:port of hearth-gateway")
    parser.add_argument(
        "--image", required=True, help="answers HTTP on $PORT; on the nodes already"
    )
    parser.add_argument("--services", type=int, default=30, help="of starts")
    parser.add_argument("--many", type=int, default=1000, help="Services of many")
    parser.add_argument("--rate", type=float, default=5.0, help="at which many are made, a second")
    parser.add_argument("--kill", metavar="COMMAND", help="ends {container}, the id of one, "
                        "on its node, before its pod is deleted at once")  # fmt: skip
    parser.add_argument("--kill-every", type=float, default=2.0, help="seconds, of kills")
    parser.add_argument("--attempt", type=float, default=10.0, help="seconds after which a client "
                        "of kills hangs up and tries again")  # fmt: skip
    parser.add_argument("only", nargs="*", default=list(MEASUREMENTS), choices=MEASUREMENTS)
    options = parser.parse_args()
    found = asyncio.run(_measure(options))
    print(markdown(found))
    return 0


async def _measure(options: argparse.Namespace) -> list[Row]:
    async with (
        KubeClient.from_kubeconfig(options.kubeconfig) as client,
        _namespace(client),
        Served.running(client, options.gateway, options.image) as served,
    ):
        installation = Installation(client, options.kill)
        found = list[Row]()
        for title in options.only:
            _note(f"-- {title}")
            rows = await _rows(title, options, client, installation, served)
            _note(markdown(rows))
            found += rows
        return found


async def _rows(
    title: str,
    options: argparse.Namespace,
    client: KubeClient,
    installation: Installation,
    served: Served,
) -> list[Row]:
    match title:
        case "starts":
            return await _starts(client, served, options.services)
        case "warm":
            return await warm.measured(client, installation, served, options.gateway)
        case "idle":
            return await idle.measured(client, installation)
        case "kills":
            return await kills.of_requests(
                client,
                installation,
                options.gateway,
                every_seconds=options.kill_every,
                attempt_seconds=options.attempt,
            )
        case "events":
            return await kills.of_events(client, installation)
        case _:
            return await many.measured(
                client, installation, served, number=options.many, rate=options.rate
            )


async def _starts(client: KubeClient, served: Served, services: int) -> list[Row]:
    writes = Writes(client)
    names = [f"bench-{number}" for number in range(services)]
    async with Bare.running(client, NAMESPACE) as bare:
        rows = await _ready(served, bare, names, writes)
        _note("waiting until all are at zero")
        await served.asleep()
        rows += await _cold(served, bare, names)
        await served.asleep()
        _note("writes in steady state")
        return [*rows, await _steady(writes, len(names))]


async def _ready(served: Served, bare: Bare, names: list[str], writes: Writes) -> list[Row]:
    """Create to Ready, beyond what the bare Deployment takes for the same."""
    ours, own, spent = [], [], []
    for name in names:
        await asyncio.sleep(PAUSE_SECONDS)
        before = await writes.by_hearth()
        ours.append(await served.create(name))
        spent.append(float(await writes.by_hearth() - before))
        await asyncio.sleep(PAUSE_SECONDS)
        own.append(await bare.create(name, await served.deployment(name)))
        await bare.scale_to_zero(name)
        _note(f"{name}: ready in {ours[-1].whole:.0f} ms, bare {own[-1].whole:.0f} ms")
    made = statistics.median(start.made for start in own)
    peer = {"bare Deployment": statistics.median(start.whole for start in own)}
    beyond = [start.beyond(twin) for start, twin in zip(ours, own, strict=True)]
    return [
        row("apply to Ready beyond the bare pod", beyond, "ms", at_most=100),
        row("of that, until the pod is made", [start.made - made for start in ours], "ms"),
        row("of that, after the pod is ready", [s.whole - s.ready for s in ours], "ms"),
        row("apply to Ready, whole", [start.whole for start in ours], "ms", peers=peer),
        row("writes of Hearth's until a Service is Ready", spent, ""),
    ]


async def _cold(served: Served, bare: Bare, names: list[str]) -> list[Row]:
    """Request to answer at zero, beyond 0 to 1 of the bare Deployment until its pod answers."""
    ours, own = [], []
    for name in names:
        await asyncio.sleep(PAUSE_SECONDS)
        own.append(await bare.start(name))
        await bare.scale_to_zero(name)
        await asyncio.sleep(PAUSE_SECONDS)
        ours.append(await served.ask(name))
        _note(f"{name}: cold {ours[-1].whole:.0f} ms, bare {own[-1].whole:.0f} ms")
    beyond = [start.beyond_from_zero(twin) for start, twin in zip(ours, own, strict=True)]
    whole, bare_whole = [start.whole for start in ours], [start.whole for start in own]
    middle = statistics.median(bare_whole)
    return [
        row("cold start beyond a bare Deployment", beyond, "ms", at_most=20),
        row(
            "of that, until the pod is made",
            [s.made - t.made for s, t in zip(ours, own, strict=True)],
            "ms",
        ),
        row("difference of the wholes", [each - middle for each in whole], "ms"),
        row("cold start, whole", whole, "ms", peers={"bare Deployment": middle}),
        row("cold start, whole, p95", [percentile(whole, 0.95)], "ms"),
        row("bare Deployment, p95", [percentile(bare_whole, 0.95)], "ms"),
    ]


async def _steady(writes: Writes, services: int) -> Row:
    before = await writes.by_hearth()
    await asyncio.sleep(STEADY_SECONDS)
    told = float(await writes.by_hearth() - before)
    return row(f"writes of Hearth's in 60 s, {services} Services at zero", [told], "", at_most=0)


@asynccontextmanager
async def _namespace(client: KubeClient) -> AsyncIterator[None]:
    obj = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    try:
        await client.create(NAMESPACES, obj)
    except AlreadyExists as error:
        raise SystemExit(f"namespace {NAMESPACE} is there already: remove it first") from error
    try:
        await _default_account(client)
        yield
    finally:
        await client.delete(NAMESPACES, NAMESPACE)
        await _gone(client)


async def _gone(client: KubeClient) -> None:
    with contextlib.suppress(NotFound):
        async with asyncio.timeout(300):
            while True:
                await client.get(NAMESPACES, NAMESPACE)
                await asyncio.sleep(0.5)


async def _default_account(client: KubeClient) -> None:
    """No pod is admitted before a controller has made this."""
    async with asyncio.timeout(60):
        while True:
            try:
                path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/default"
                await client.request("GET", path)
                return
            except NotFound:
                await asyncio.sleep(0.05)


def _note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
