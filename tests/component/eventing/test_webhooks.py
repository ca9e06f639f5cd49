"""Web hooks that are asked for permission, over real sockets."""

import asyncio
import contextlib
import time

from aiohttp import web

from eventing.runtime.client import DeliveryClient
from eventing.runtime.config import ClientLimits
from eventing.runtime.permission import Handshake
from eventing.runtime.request import post
from eventing.runtime.target import parse_target
from eventing.runtime.webhooks import WebhookSender

ORIGIN = "events.example.com"
ANYTHING = {"WebHook-Allowed-Origin": "*", "WebHook-Allowed-Rate": "*"}


class Hook:
    """A target: what it answers to OPTIONS and to POST, and what has come."""

    def __init__(self, permits, answers=()):
        self.permits, self.answers = permits, list(answers)
        self.got = []
        self.url = ""

    async def handle(self, request):
        body = await request.read()
        self.got.append((request.method, request.headers.copy(), body))
        if request.method == "OPTIONS":
            return web.Response(headers=self.permits)
        status, headers = self.answers.pop(0) if self.answers else (202, {})
        return web.Response(status=status, headers=headers)

    def methods(self):
        return [method for method, _, _ in self.got]


@contextlib.asynccontextmanager
async def sending(hook, *, required=True, rate=0):
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", hook.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    hook.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook?key=1"
    client = DeliveryClient(ClientLimits())
    handshake = Handshake(ORIGIN, rate, required=required)
    sender = WebhookSender(client, handshake, name="ns/t", clock=time.time)
    try:
        yield sender
    finally:
        sender.close()
        await client.close()
        await runner.cleanup()


def deliver(sender, url, body=b"x"):
    target = parse_target(url, None)
    request = post(target, (), body)
    answered = asyncio.get_running_loop().create_future()
    sender.send(target, request, answered.set_result, timeout_seconds=5)
    return answered


async def test_permission_is_asked_for_once_and_the_origin_goes_with_each_delivery():
    hook = Hook(ANYTHING)
    async with sending(hook, rate=6000) as sender:
        answers = await asyncio.gather(*(deliver(sender, hook.url) for _ in range(5)))
    assert [each.status for each in answers] == [202] * 5
    assert hook.methods() == ["OPTIONS", *["POST"] * 5]
    assert {headers["WebHook-Request-Origin"] for _, headers, _ in hook.got} == {ORIGIN}
    assert hook.got[0][1]["WebHook-Request-Rate"] == "6000"


async def test_without_permission_nothing_is_sent():
    hook = Hook({"Allow": "POST"})
    async with sending(hook) as sender:
        answers = await asyncio.gather(*(deliver(sender, hook.url) for _ in range(3)))
    assert [each.status for each in answers] == [403] * 3
    assert hook.methods() == ["OPTIONS"]


async def test_where_permission_is_offered_alone_who_gives_none_is_sent_to():
    hook = Hook({})
    async with sending(hook, required=False) as sender:
        assert (await deliver(sender, hook.url)).status == 202
    assert hook.methods() == ["OPTIONS", "POST"]
    assert "WebHook-Request-Origin" not in hook.got[1][1]


async def test_a_target_that_is_not_there_is_an_attempt_that_failed():
    hook = Hook(ANYTHING)
    async with sending(hook) as sender:
        answer = await deliver(sender, "http://127.0.0.1:1/")
        assert answer.status == 0
        assert "permission" in answer.error


async def test_after_410_and_before_retry_after_is_over_nothing_is_sent():
    hook = Hook(ANYTHING, [(429, {"Retry-After": "1"}), (410, {})])
    async with sending(hook) as sender:
        assert (await deliver(sender, hook.url)).status == 429
        began = asyncio.get_running_loop().time()
        assert (await deliver(sender, hook.url)).status == 410
        assert asyncio.get_running_loop().time() - began >= 0.9
        assert (await deliver(sender, hook.url)).status == 410
    assert hook.methods() == ["OPTIONS", "POST", "POST"]


async def test_what_waits_when_all_is_closed_is_not_sent():
    hook = Hook(ANYTHING | {"WebHook-Allowed-Rate": "1"})
    async with sending(hook) as sender:
        assert (await deliver(sender, hook.url)).status == 202
        waiting = deliver(sender, hook.url)
    assert not waiting.done()
    assert hook.methods() == ["OPTIONS", "POST"]
