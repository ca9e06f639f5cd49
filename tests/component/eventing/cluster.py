"""Eventing's control plane and its broker process against a real API server, for tests."""

import asyncio
import contextlib
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import ClientSession, web
from multidict import CIMultiDict

from eventing import main as control
from eventing.api import keys
from eventing.engines.classes import ENGINES, EnginesConfig
from eventing.runtime import main as broker
from hearth.cluster.apiserver.testing import running_apiserver
from hearth.knative.resources import BROKERS, TRIGGERS
from hearth.kube.client import KubeClient
from hearth.kube.errors import NotFound
from tests.ports import free_ports

HEADERS = {
    "ce-specversion": "1.0",
    "ce-id": "1",
    "ce-source": "/s",
    "ce-type": "t",
    "content-type": "application/json",
}


TOKEN = "those who know it may ask"


@contextlib.asynccontextmanager
async def running(make):
    """A main module's ``run`` as a task, ready when the context is entered."""
    ready = asyncio.Event()
    task = asyncio.create_task(make(ready.set))
    waiting = asyncio.create_task(ready.wait())
    try:
        async with asyncio.timeout(60):
            await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            await task
        yield
    finally:
        for each in (task, waiting):
            each.cancel()
        await asyncio.wait({task, waiting})


@dataclass
class Cluster:
    client: KubeClient
    session: ClientSession
    kubeconfig: Path
    folder: Path
    port: int
    admin_port: int

    def broker_config(self):
        return broker.BrokerConfig(
            self.kubeconfig,
            EnginesConfig(self.folder / "broker"),
            port=self.port,
            admin=broker.AdminConfig("127.0.0.1", self.admin_port, TOKEN),
        )

    async def ask(self, path, *, token=TOKEN, **query):
        """What the broker process answers about events, and with which status."""
        url = f"http://127.0.0.1:{self.admin_port}{path}"
        shown = {"X-Hearth-Token": token} if token else {}
        async with self.session.get(url, params=query, headers=shown) as answer:
            return answer.status, await answer.json()

    async def do(self, path, **body):
        """Has the broker process do something; returns the status and what it says."""
        url = f"http://127.0.0.1:{self.admin_port}{path}"
        async with self.session.post(url, json=body, headers={"X-Hearth-Token": TOKEN}) as answer:
            return answer.status, await answer.json()

    async def told(self, path, **query):
        status, found = await self.ask(path, **query)
        assert status == 200, found
        return found

    async def until(self, resource, name, condition, seconds=60):
        """Waits for a condition of an object; tells its state when it does not come."""
        found = None
        try:
            async with asyncio.timeout(seconds):
                while True:
                    with contextlib.suppress(NotFound):
                        found = await self.client.get(resource, name, "default")
                        if condition(found):
                            return found
                    await asyncio.sleep(0.01)
        except TimeoutError:
            pytest.fail(
                f"{resource.kind} {name} did not get there: {found and found.get('status')}"
            )

    async def until_there(self, resource, name, namespace, seconds=60):
        async with asyncio.timeout(seconds):
            while True:
                with contextlib.suppress(NotFound):
                    return await self.client.get(resource, name, namespace)
                await asyncio.sleep(0.01)

    async def until_ready(self, resource, name):
        return await self.until(resource, name, lambda found: condition(found)[0] == "True")

    async def create_broker(self, *, of_class=keys.BROKER_CLASS, **spec):
        marks = {keys.BROKER_CLASS_ANNOTATION: of_class}
        obj = {
            "apiVersion": "eventing.knative.dev/v1",
            "kind": "Broker",
            "metadata": {"name": "default", "namespace": "default", "annotations": marks},
            "spec": spec,
        }
        return await self.client.create(BROKERS, obj)

    async def create_trigger(self, name, subscriber, *, annotations=None, **spec):
        obj = {
            "apiVersion": "eventing.knative.dev/v1",
            "kind": "Trigger",
            "metadata": {"name": name, "namespace": "default", "annotations": annotations or {}},
            "spec": {"broker": "default", "subscriber": subscriber} | spec,
        }
        return await self.client.create(TRIGGERS, obj)

    async def create(self, resource, name, *, annotations=None, **spec):
        metadata = {"name": name, "namespace": "default", "annotations": annotations or {}}
        obj = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}
        return await self.client.create(resource, {**obj, "spec": spec})

    async def send(self, url, **more):
        async with self.session.post(url, data=b"{}", headers=HEADERS | more) as answer:
            return answer.status

    async def send_to(self, channel, **more):
        """Send to a channel by the name it has in its status."""
        host = channel["status"]["address"]["url"].removeprefix("http://")
        return await self.send(f"http://127.0.0.1:{self.port}/", host=host, **more)


def condition(obj, kind="Ready"):
    for found in (obj.get("status") or {}).get("conditions") or ():
        if found["type"] == kind:
            return found["status"], found.get("reason"), found.get("message")
    return None, None, None


@contextlib.asynccontextmanager
async def cluster(
    folder,
    *,
    with_broker=True,
    factories=ENGINES,
    make_config=lambda found: found.broker_config(),
    before=None,
    **control_settings,
):
    """``before`` is called with a client before control starts, which gets ``control_settings``."""
    port, admin_port = free_ports(2)
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(running_apiserver(folder / "api"))
        client = await stack.enter_async_context(KubeClient.from_kubeconfig(server.kubeconfig))
        session = await stack.enter_async_context(ClientSession())
        found = Cluster(client, session, server.kubeconfig, folder, port, admin_port)
        config = control.EventingConfig(
            server.kubeconfig,
            broker_url=f"http://127.0.0.1:{port}",
            broker_classes=frozenset(factories),
            **control_settings,
        )
        if before is not None:
            await before(client)
        await stack.enter_async_context(running(lambda ready: control.run(config, ready)))
        if with_broker:
            await stack.enter_async_context(
                running(lambda ready: broker.run(make_config(found), ready, factories=factories))
            )
        yield found


@contextlib.asynccontextmanager
async def sink(answer=None):
    """A subscriber: where it is, and the headers it gets. ``answer`` are those of its replies."""
    got: asyncio.Queue[CIMultiDict[str]] = asyncio.Queue()

    async def take(request):
        await request.read()
        got.put_nowait(request.headers.copy())
        return web.Response(status=200, headers=answer)

    app = web.Application()
    app.router.add_post("/{path:.*}", take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield {"uri": f"http://127.0.0.1:{runner.addresses[0][1]}/x"}, got
    finally:
        await runner.cleanup()


async def next_of(queue, seconds=60):
    return await asyncio.wait_for(queue.get(), seconds)
