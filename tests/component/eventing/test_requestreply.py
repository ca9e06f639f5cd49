"""RequestReply: a request through a Broker, its reply as the answer, and none that comes late."""

import asyncio
import base64
import contextlib

from aiohttp import ClientConnectionError, ClientTimeout, web

from eventing.api import keys
from eventing.kinds.adapters import Adapters
from eventing.sources.webhook.main import ReceiverConfig, run
from hearth.knative.resources import BROKERS, REQUESTREPLIES, WEBHOOKSOURCES
from hearth.kube.resources import SECRETS
from tests.component.eventing.cluster import (
    HEADERS,
    cluster,
    condition,
    next_of,
    running,
    sink,
)
from tests.ports import free_ports


@contextlib.asynccontextmanager
async def replier(answers):
    """A subscriber whose replies bear the correlation of the request as their replyid."""
    asked = []

    async def take(request):
        body = await request.read()
        asked.append(request.headers.copy())
        if not answers:
            return web.Response(status=202)
        reply = {
            **HEADERS,
            "ce-id": "r",
            "ce-type": "reply",
            "ce-replyid": request.headers["ce-correlationid"],
        }
        return web.Response(status=200, headers=reply, body=b'{"got":' + body + b"}")

    app = web.Application()
    app.router.add_post("/", take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield {"uri": f"http://127.0.0.1:{runner.addresses[0][1]}/"}, asked
    finally:
        await runner.cleanup()


async def ready(found, to, **spec):
    """A Broker, what answers its requests, and a RequestReply; returns where it is."""
    await found.create_broker()
    await found.until_ready(BROKERS, "default")
    requests = [{"not": {"exact": {"type": "reply"}}}]
    await found.create_trigger("t", to, filters=requests)
    await found.create(REQUESTREPLIES, "rr", **broker_ref("default"), **spec)
    rr = await found.until_ready(REQUESTREPLIES, "rr")
    assert rr["status"]["desiredReplicas"] == rr["status"]["readyReplicas"] == 1
    return rr["status"]["address"]["url"]


def broker_ref(name):
    ref = {"apiVersion": "eventing.knative.dev/v1", "kind": "Broker", "name": name}
    return {"brokerRef": ref}


async def post(found, url, **more):
    headers = HEADERS | more
    async with found.session.post(url, data=b"1", headers=headers) as answer:
        return answer.status, answer.headers, await answer.read()


async def test_the_reply_is_the_answer(tmp_path):
    async with cluster(tmp_path) as found, replier(True) as (to, asked), sink() as (other, got):
        url = await ready(found, to)
        # Replies are events of the Broker like any other.
        await found.create_trigger("all", other, filters=[{"exact": {"type": "reply"}}])
        async with asyncio.timeout(60):
            while (answered := await post(found, url, **{"ce-id": "a:b"}))[0] != 200:
                assert answered[0] in (503, 504)
        assert (await next_of(got))["ce-type"] == "reply"
        status, headers, body = answered
        assert (status, body, headers["ce-type"]) == (200, b'{"got":1}', "reply")
        assert headers["content-type"] == "application/json"
        first, second = asked[-1]["ce-correlationid"].rsplit(":", 2)[:2]
        assert first == "a:b"
        assert len(second) >= 40
        # Many at once are not mixed up.
        many = await asyncio.gather(*(post(found, url, **{"ce-id": str(n)}) for n in range(20)))
        for number, (status, headers, _) in enumerate(many):
            assert status == 200
            assert headers["ce-replyid"].startswith(f"{number}:")
        batch = {"content-type": "application/cloudevents-batch+json"}
        async with found.session.post(url, data=b"[]", headers=batch) as answer:
            assert answer.status == 400
        assert (await post(found, url + "x"))[0] == 404
        broker = f"http://127.0.0.1:{found.port}/default/default"
        made_up = {"ce-type": "reply", "ce-replyid": asked[-1]["ce-correlationid"]}
        assert await found.send(broker, **made_up) == 202, "a second reply goes to nobody"


async def test_what_is_not_answered_in_time_is_told(tmp_path):
    async with cluster(tmp_path) as found, replier(False) as (to, asked):
        names = {"correlationAttribute": "asks", "replyAttribute": "answers", "timeout": "PT0.3S"}
        url = await ready(found, to, **names)
        status, _, body = await post(found, url)
        assert (status, body) == (504, b"no reply came in time\n")
        async with asyncio.timeout(60):
            while not asked:
                await asyncio.sleep(0.01)
        # Who hangs up is forgotten; the reply that comes then harms nobody.
        with contextlib.suppress(ClientConnectionError, TimeoutError):
            async with found.session.post(
                url, data=b"1", headers=HEADERS, timeout=ClientTimeout(total=0.05)
            ):
                pass
        async with asyncio.timeout(60):
            while len(asked) < 2:
                await asyncio.sleep(0.01)
        reply = {"ce-type": "reply", "ce-answers": asked[-1]["ce-asks"]}
        broker = f"http://127.0.0.1:{found.port}/default/default"
        assert await found.send(broker, **reply) == 202
        assert (await post(found, url))[0] == 504


async def test_a_request_needs_its_broker(tmp_path):
    async with cluster(tmp_path) as found:
        await found.create(REQUESTREPLIES, "rr", **broker_ref("nothere"))
        rr = await found.until(
            REQUESTREPLIES, "rr", lambda obj: condition(obj, "BrokerReady")[1] == "NotFound"
        )
        assert condition(rr)[0] == "Unknown"
        await found.until(
            REQUESTREPLIES,
            "rr",
            lambda obj: keys.OPENED_ANNOTATION in (obj["status"].get("annotations") or {}),
        )
        url = f"http://127.0.0.1:{found.port}/requestreplies/default/rr"
        status, headers, body = await post(found, url)
        assert (status, headers["retry-after"]) == (503, "1")
        assert body == b"there is no broker default/nothere\n"


async def test_a_webhook_is_answered_by_whoever_replies_behind_a_broker(tmp_path):
    here = Adapters(in_cluster=False)
    async with cluster(tmp_path, adapters=here) as found, replier(True) as (to, asked):
        url = await ready(found, to)
        secret = {"data": {"token": base64.b64encode(b"s").decode()}}
        named = {"metadata": {"name": "s", "namespace": "default"}}
        await found.client.create(
            SECRETS, {"apiVersion": "v1", "kind": "Secret", **named, **secret}
        )
        source = {"sender": "http", "reply": True, "sink": {"uri": url}}
        reference = {"secretKeyRef": {"name": "s", "key": "token"}}
        await found.create(WEBHOOKSOURCES, "w", secrets=[reference], **source)
        [port] = free_ports(1)
        config = ReceiverConfig(found.kubeconfig, tmp_path / "seen", port=port)
        async with running(lambda ready: run(config, ready)):
            await found.until_ready(WEBHOOKSOURCES, "w")
            hook = f"http://127.0.0.1:{port}/default/w/s"
            kind = {"content-type": "application/json"}
            async with (
                asyncio.timeout(60),
                found.session.post(hook, data=b"7", headers=kind) as said,
            ):
                assert (said.status, await said.read()) == (200, b'{"got":7}')
        assert asked[-1]["ce-type"] == "dev.hearth.webhook"
