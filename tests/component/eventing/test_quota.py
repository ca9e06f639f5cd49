"""How many events a namespace may send, from the setting to the answers."""

import asyncio

from aiohttp import web

from eventing.api import keys
from hearth.knative.resources import BROKERS, TRIGGERS
from hearth.kube.resources import CONFIGMAPS, NAMESPACES
from tests.component.eventing.cluster import HEADERS, cluster


async def test_a_namespace_that_sends_too_much_is_told_to_wait(tmp_path):
    async with cluster(tmp_path) as found:
        await found.create_broker()
        url = (await found.until_ready(BROKERS, "default"))["status"]["address"]["url"]

        async def until(status):
            async with asyncio.timeout(60):
                while True:
                    async with found.session.post(url, data=b"{}", headers=HEADERS) as answer:
                        if answer.status == status:
                            return answer.headers.get("retry-after")
                        assert answer.status in (202, 429)

        async def allow(rate):
            change = {"data": {keys.EVENT_RATE_FLAG: rate}}
            await found.client.patch(CONFIGMAPS, "config-features", keys.SYSTEM_NAMESPACE, change)

        await until(202)
        await allow("0.01")
        assert int(await until(429)) > 0
        await allow("0")
        assert await until(202) is None


async def test_a_full_namespace_is_told_so_and_touches_no_other(tmp_path):
    works = False

    async def take(request):
        await request.read()
        return web.Response(status=200 if works else 503)

    async with cluster(tmp_path) as found:
        app = web.Application()
        app.router.add_post("/", take)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        slow = {"uri": f"http://127.0.0.1:{runner.addresses[0][1]}/"}
        await found.create_broker()
        url = (await found.until_ready(BROKERS, "default"))["status"]["address"]["url"]
        delivery = {"retry": 1000, "backoffPolicy": "linear", "backoffDelay": "PT0.05S"}
        await found.create_trigger("t", slow, delivery=delivery)
        await found.until_ready(TRIGGERS, "t")
        other = {
            "apiVersion": "eventing.knative.dev/v1",
            "kind": "Broker",
            "metadata": {
                "name": "default",
                "namespace": "other",
                "annotations": {keys.BROKER_CLASS_ANNOTATION: keys.BROKER_CLASS},
            },
            "spec": {},
        }
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "other"}}
        await found.client.create(NAMESPACES, namespace)
        await found.client.create(BROKERS, other)
        others = url.replace("/default/default", "/other/default")
        change = {"data": {keys.EVENT_DISK_FLAG: "200k"}}
        await found.client.patch(CONFIGMAPS, "config-features", keys.SYSTEM_NAMESPACE, change)

        async def send(to):
            async with found.session.post(to, data=b"x" * 10_000, headers=HEADERS) as answer:
                return answer.status, answer.headers.get("retry-after"), await answer.text()

        async def until(status):
            async with asyncio.timeout(60):
                while (got := await send(url))[0] != status:
                    assert got[0] in (202, 429)
                    await asyncio.sleep(0.01)
                return got

        _, retry_after, text = await until(429)
        assert retry_after == "5"
        assert text.startswith("the namespace default is full: its events take ")
        assert "namespace-event-disk allows 0.2 MiB" in text
        async with asyncio.timeout(60):
            while (await send(others))[0] != 202:  # until it is there
                await asyncio.sleep(0.01)
        assert (await send(url))[0] == 429
        works = True
        await until(202)
        await runner.cleanup()
