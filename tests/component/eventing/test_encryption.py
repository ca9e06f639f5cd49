"""transport-encryption: addresses with https, and what is refused without."""

import ssl

import aiohttp

from eventing.api import keys
from eventing.runtime import main as broker
from hearth.knative.resources import BROKERS, CHANNELS, SUBSCRIPTIONS
from hearth.kube.resources import CONFIGMAPS
from tests.component.eventing.cluster import HEADERS, cluster, condition, next_of, running, sink


async def switch(found, mode):
    data = {"data": {"transport-encryption": mode}}
    await found.client.patch(CONFIGMAPS, "config-features", keys.SYSTEM_NAMESPACE, data)


async def post(found, address):
    """Trusts nobody but whom the address tells of."""
    context = ssl.create_default_context(cadata=address["CACerts"])
    answer = await found.session.post(
        address["url"], data=b"{}", headers=HEADERS, ssl=context, allow_redirects=False
    )
    async with answer:
        return answer.status


def names(obj):
    return [each["name"] for each in (obj.get("status") or {}).get("addresses") or ()]


async def test_events_are_sent_encrypted(tmp_path):
    async with cluster(tmp_path, with_broker=False) as found, sink() as (to, got):
        async with running(lambda ready: broker.run(found.broker_config(), ready)):
            await found.create_broker()
            await found.create_trigger("t", to)
            plain = await found.until_ready(BROKERS, "default")
            assert names(plain) == []
            await switch(found, "permissive")
            both = await found.until(BROKERS, "default", lambda obj: names(obj) != [])
            assert names(both) == ["https", "http"]
            assert both["status"]["address"] == plain["status"]["address"]
            assert condition(both)[0] == "True"
            secure = both["status"]["addresses"][0]
            assert await post(found, secure) == 202
            assert await found.send(plain["status"]["address"]["url"]) == 202
            for _ in range(2):
                await next_of(got)

            # From one addressable to another: the sender trusts the address's authority.
            await found.create(CHANNELS, "c")
            await found.until(CHANNELS, "c", lambda obj: names(obj) == ["https", "http"])
            ref = {"apiVersion": BROKERS.api_version, "kind": "Broker", "name": "default"}
            channel = {"apiVersion": CHANNELS.api_version, "kind": "Channel", "name": "c"}
            await found.create(SUBSCRIPTIONS, "s", channel=channel, subscriber={"ref": ref})
            subscription = await found.until_ready(SUBSCRIPTIONS, "s")
            told = subscription["status"]["physicalSubscription"]
            assert told["subscriberUri"] == secure["url"]
            made = await found.client.get(CHANNELS, "c", "default")
            assert await post(found, made["status"]["addresses"][0]) == 202
            await next_of(got)

            await switch(found, "strict")
            strict = await found.until(BROKERS, "default", lambda obj: names(obj) == ["https"])
            assert strict["status"]["address"] == secure
            url = plain["status"]["address"]["url"]
            async with aiohttp.ClientSession() as fresh:
                async with fresh.post(url, data=b"{}", headers=HEADERS) as answer:
                    assert answer.status == 403
                async with fresh.get(f"http://127.0.0.1:{found.port}/healthz") as answer:
                    assert answer.status == 200
            assert await post(found, secure) == 202
        # After a restart the authority is the same, so that what others know stays true.
        async with running(lambda ready: broker.run(found.broker_config(), ready)):
            url = secure["url"]
            again = await found.until(
                BROKERS, "default", lambda obj: obj["status"]["address"]["url"] != url
            )
            assert again["status"]["address"]["CACerts"] == secure["CACerts"]
            assert await post(found, again["status"]["address"]) == 202
            await switch(found, "disabled")
            await found.until(BROKERS, "default", lambda obj: names(obj) == [])
            assert await found.send(plain["status"]["address"]["url"]) == 202


async def test_no_address_is_told_that_nobody_serves(tmp_path):
    async with cluster(tmp_path, with_broker=False) as found:
        await switch(found, "strict")
        await found.create_broker()
        made = await found.until(
            BROKERS, "default", lambda obj: condition(obj, "Addressable")[1] == "NotEncrypted"
        )
        assert "address" not in made["status"]
