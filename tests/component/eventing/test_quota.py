"""How many events a namespace may send, from the setting to the answers."""

import asyncio

from eventing.api import keys
from hearth.knative.resources import BROKERS
from hearth.kube.resources import CONFIGMAPS
from tests.component.eventing.cluster import HEADERS, cluster


async def test_a_namespace_that_sends_too_much_is_told_to_wait(tmp_path):
    async with cluster(tmp_path) as found:
        await found.create_broker()
        url = (await found.until_ready(BROKERS, "default"))["status"]["address"]["url"]

        async def until(status):
            async with asyncio.timeout(20):
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
