"""Ingress and dispatchers as processes of their own, on a real server; some of it is killed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path

from aiohttp import ClientError, web

from eventing.api import keys
from eventing.api.natsjetstream import CONFIG_ANNOTATION
from hearth.knative.resources import BROKERS, TRIGGERS
from tests.component.eventing.cluster import HEADERS, cluster
from tests.component.eventing.engines.test_nats import server
from tests.ports import free_port, free_ports

ROOT = Path(__file__).parents[3]
AGAIN = "2s"
"""So long after a dispatcher is gone, others are given what it had."""


@contextlib.asynccontextmanager
async def component(name: str, number: int, folder: Path, kubeconfig: Path, **settings: object):
    """``hearth run``, as in a pod; its process id."""
    metrics, health, admin = free_ports(3)
    given = {
        "HEARTH_HOST": "127.0.0.1",
        "HEARTH_CONTROL_HOST": "127.0.0.1",
        "HEARTH_METRICS_PORT": metrics,
        "HEARTH_HEALTH_PORT": health,
        "HEARTH_BROKER_ADMIN_PORT": admin,
        "HEARTH_BROKER_ADMIN_TOKEN": "known",
        "HEARTH_DATA_DIR": folder / f"{name}-{number}",
        "HEARTH_DRAIN_DELAY_SECONDS": 0,
        "KUBECONFIG": kubeconfig,
        "POD_NAME": f"{name}-{number}",
        "POD_NAMESPACE": keys.SYSTEM_NAMESPACE,
        "POD_IP": "127.0.0.1",
        **{f"HEARTH_{each.upper()}": value for each, value in settings.items()},
    }
    environment = os.environ | {each: str(value) for each, value in given.items()}
    with (folder / f"{name}-{number}.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "hearth.cli", "run", name, cwd=ROOT, env=environment, stderr=log
        )
    try:
        yield process, health
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        async with asyncio.timeout(60):
            await process.wait()


async def until_ready(session, process, health: int) -> None:
    async with asyncio.timeout(60):
        while True:
            assert process.returncode is None
            with contextlib.suppress(ClientError):
                async with session.get(f"http://127.0.0.1:{health}/readyz") as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.05)


class Load:
    """Producers that send again what was not taken, and what subscribers got."""

    def __init__(self, session, url: str) -> None:
        self._session, self._url = session, url
        self._ends = asyncio.Event()
        self.taken: set[str] = set()

    @contextlib.asynccontextmanager
    async def running(self, producers: int):
        async with asyncio.TaskGroup() as group:
            for number in range(producers):
                group.create_task(self._send(number))
            try:
                yield
            finally:
                self._ends.set()

    async def _send(self, producer: int) -> None:
        number = 0
        while not self._ends.is_set():
            name = f"{producer}-{number}"
            headers = HEADERS | {"ce-id": name}
            async with self._session.post(self._url, data=b"{}", headers=headers) as answer:
                if answer.status == 202:
                    self.taken.add(name)
                    number += 1
                else:
                    await asyncio.sleep(0.05)

    async def goes_on(self, count: int = 50) -> None:
        """Wait until so many more are taken."""
        wanted = len(self.taken) + count
        async with asyncio.timeout(60):
            while len(self.taken) < wanted:
                await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def counting():
    """A subscriber that counts what it gets, by id."""
    got: Counter[str] = Counter()

    async def take(request: web.Request) -> web.Response:
        await request.read()
        got[request.headers["ce-id"]] += 1
        return web.Response()

    app = web.Application()
    app.router.add_post("/{name}", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    [(host, port)] = runner.addresses
    try:
        yield f"http://{host}:{port}", got
    finally:
        await runner.cleanup()


async def test_a_dispatcher_and_the_server_are_killed_under_load_and_nothing_is_lost(tmp_path):
    port, ingress_port = free_port(), free_port()
    asked = json.dumps({"consumer": {"ackWait": AGAIN}})
    async with contextlib.AsyncExitStack() as stack:
        nats = contextlib.ExitStack()
        stack.enter_context(nats)
        pid = nats.enter_context(server(tmp_path, port))
        found = await stack.enter_async_context(cluster(tmp_path, with_broker=False))
        subscriber, got = await stack.enter_async_context(counting())
        said = {"nats_url": f"nats://127.0.0.1:{port}", "broker_port": ingress_port}
        started = [
            await stack.enter_async_context(
                component(name, number, tmp_path, found.kubeconfig, **said)
            )
            for name, number in (
                ("broker-ingress", 0),
                ("broker-dispatcher", 0),
                ("broker-dispatcher", 1),
                ("broker-dispatcher", 2),
            )
        ]
        marks = {keys.BROKER_CLASS_ANNOTATION: keys.NATS_CLASS, CONFIG_ANNOTATION: asked}
        metadata = {"name": "default", "namespace": "default", "annotations": marks}
        made = {"apiVersion": "eventing.knative.dev/v1", "kind": "Broker", "metadata": metadata}
        await found.client.create(BROKERS, made)
        await asyncio.gather(*(until_ready(found.session, *each) for each in started))
        await found.until_ready(BROKERS, "default")
        slow = {"retry": 100, "backoffPolicy": "linear", "backoffDelay": "PT0.1S"}
        for name in ("one", "two"):
            await found.create_trigger(name, {"uri": f"{subscriber}/{name}"}, delivery=slow)
            await found.until_ready(TRIGGERS, name)
        url = f"http://127.0.0.1:{ingress_port}/default/default"
        load = Load(found.session, url)
        async with load.running(4):
            await load.goes_on(200)
            started[2][0].kill()
            await load.goes_on(200)
            os.kill(pid, signal.SIGKILL)
            nats.close()
            nats.enter_context(server(tmp_path, port))
            await load.goes_on(200)
            started[1][0].send_signal(signal.SIGTERM)
            async with asyncio.timeout(60):
                assert await started[1][0].wait() == 0
            await load.goes_on(100)
        async with asyncio.timeout(60):
            while min(got[each] for each in load.taken) < 2:
                await asyncio.sleep(0.05)
        twice = sum(got[each] - 2 for each in load.taken)
        print(f"{len(load.taken)} events for two Triggers, {twice} deliveries twice")
        assert twice < len(load.taken), "what was under way, not all of it"
