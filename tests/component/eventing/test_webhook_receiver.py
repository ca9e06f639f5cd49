"""The receiver of WebhookSources over sockets: what is taken, refused, repeated, answered."""

import asyncio
import contextlib
import dataclasses
import json
import socket
from typing import Any
from urllib.parse import urlencode

import pytest
from aiohttp import ClientSession, web

from eventing.sources.sender import Sender
from eventing.sources.webhook import receiver as receiving
from eventing.sources.webhook.receiver import LIMITS, Receiver
from eventing.sources.webhook.rules import rules_of
from eventing.sources.webhook.seen import Memory
from eventing.sources.webhook.serving import POLICY
from eventing.sources.webhook.signing import headers_of
from eventing.sources.webhook.taking import Served
from tests.ports import free_port

NOW = 1_700_000_000.0
BODY = b'{"repository": {"html_url": "https://github.com/o/r"}}'
FORM = "application/x-www-form-urlencoded"


class World:
    """A receiver with some WebhookSources, and the sink of all of them."""

    def __init__(self, folder):
        self.memory = Memory(folder)
        self.served = {}
        self.secrets = [b"secret"]
        self.got = []
        self.answer = lambda request: web.Response(status=202)
        self.sink = self.url = ""
        self.sender: Any = None
        self.session: Any = None
        self.now = NOW

    def add(self, name, sender, **spec):
        obj = {"metadata": {"name": name, "namespace": "ns"}, "spec": {"sender": sender, **spec}}
        self.served["ns", name] = Served(
            ("ns", name),
            rules_of(obj),
            lambda: self.secrets,
            self.memory.of(name),
            lambda event: self.sender.send(self.sink, event),
        )

    async def take(self, request):
        body = await request.read()
        self.got.append((request.headers, body))
        answer = self.answer(request)
        return await answer if asyncio.iscoroutine(answer) else answer

    async def post(self, path, body=BODY, **headers):
        async with self.session.post(self.url + path, data=body, headers=headers) as answer:
            return answer.status, await answer.text(), answer.headers

    async def deliver(self, sender, body=BODY, *, event="", told="1", secret=b"secret", now=NOW):
        made = headers_of(sender, secret, event, body, now=now, told=told)
        return await self.post(f"/ns/{sender}", body, **made)


@contextlib.asynccontextmanager
async def world(folder, *, limits=LIMITS, retries=0):
    found = World(folder)
    app = web.Application()
    app.router.add_post("/{path:.*}", found.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.sink = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    receiver = Receiver(found.served.get, limits=limits, clock=lambda: found.now)
    port = await receiver.start("127.0.0.1", 0)
    found.url = f"http://127.0.0.1:{port}"
    policy = dataclasses.replace(POLICY, retries=retries, delay_seconds=0.01)
    async with Sender(policy) as found.sender, ClientSession() as found.session:
        try:
            yield found
        finally:
            await receiver.stop(grace_seconds=1)
            await runner.cleanup()


async def test_what_is_signed_is_sent_once(tmp_path):
    async with world(tmp_path) as found:
        found.add("github", "github")
        assert (await found.deliver("github", event="push"))[0] == 202
        [(headers, body)] = found.got
        assert (headers["ce-type"], headers["ce-id"]) == ("dev.knative.source.github.push", "1")
        assert (headers["ce-source"], body) == ("https://github.com/o/r", BODY)
        # The same again, as GitHub redelivers it; and under another id, which is not signed.
        assert (await found.deliver("github", event="push"))[0] == 202
        status, text, _ = await found.deliver("github", event="deployment", told="2")
        assert status == 409 and "replay" in text
        status, text, _ = await found.deliver("github", secret=b"other", told="3")
        assert status == 401 and text == "the signature is wrong: has the sender the same secret?"
        assert len(found.got) == 1
        # Two secrets, while one is changed for the other.
        found.secrets = [b"secret", b"other"]
        assert (await found.deliver("github", b'{"n": 2}', secret=b"other", told="3"))[0] == 202
        found.secrets = []
        status, text, headers = await found.deliver("github", b'{"n": 3}', told="4")
        assert status == 503 and headers["retry-after"] == "30"
        assert len(found.got) == 2


async def test_two_at_once_are_one_event(tmp_path):
    async with world(tmp_path) as found:
        found.add("github", "github")
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def slow():
            begun.set()
            await go_on.wait()
            return web.Response(status=202)

        found.answer = lambda request: slow()
        first = asyncio.create_task(found.deliver("github"))
        await begun.wait()
        second = asyncio.create_task(found.deliver("github"))
        assert (await found.deliver("github", told="2"))[0] == 409
        go_on.set()
        assert [(await each)[0] for each in (first, second)] == [202, 202]
        assert len(found.got) == 1


async def test_a_sink_that_is_away_is_no_loss(tmp_path):
    async with world(tmp_path, retries=1) as found:
        found.add("github", "github")
        sink, found.sink = found.sink, f"http://127.0.0.1:{free_port()}/"
        status, text, headers = await found.deliver("github")
        assert (status, text) == (503, "the sink cannot be reached")
        assert headers["retry-after"] == "30"
        found.sink = sink
        found.answer = lambda request: web.Response(status=429, headers={"retry-after": "7"})
        status, text, headers = await found.deliver("github")
        assert (status, text, headers["retry-after"]) == (503, "the sink answers 429", "7")
        found.answer = lambda request: web.Response(status=400, text="a secret of the sink")
        status, text, _ = await found.deliver("github")
        assert (status, text) == (502, "the sink refuses the event: 400")
        found.answer = lambda request: web.Response(status=200)
        assert (await found.deliver("github"))[0] == 202
        assert len(found.got) == 4


async def test_a_sink_that_is_slow_is_told_so(tmp_path):
    async with world(tmp_path) as found:
        found.add("github", "github", timeout="PT0.1S")

        go_on = asyncio.Event()

        async def late():
            await go_on.wait()
            return web.Response()

        found.answer = lambda request: late()
        status, text, _ = await found.deliver("github")
        go_on.set()
        assert (status, text) == (503, "the sink did not answer within 0.1 s")


async def test_slack(tmp_path):
    async with world(tmp_path) as found:
        found.add("slack", "slack", reply=True)
        asks = b'{"type": "url_verification", "challenge": "abc"}'
        assert (await found.deliver("slack", asks))[:2] == (200, "abc")
        status, text, _ = await found.deliver("slack", asks, now=NOW - 301)
        assert status == 401 and "301 s away" in text
        assert not found.got
        command = urlencode({"command": "/hi", "trigger_id": "t", "team_id": "T"}).encode()
        found.answer = lambda request: web.Response(text="hello")
        status, text, headers = await found.deliver("slack", command)
        assert (status, json.loads(text)["text"]) == (200, "hello")
        assert headers["content-type"] == "application/json"
        # Slack tries again, with another time of sending: it is the same event.
        assert (await found.deliver("slack", command, now=NOW + 60))[:2] == (200, "")
        assert len(found.got) == 1


async def test_a_reply_that_is_an_event_becomes_the_answer(tmp_path):
    async with world(tmp_path) as found:
        found.add("standard", "standard", reply=True)
        event = {"ce-id": "r", "ce-source": "/s", "ce-type": "t", "ce-specversion": "1.0"}
        found.answer = lambda request: web.json_response({"a": 1}, headers=event)
        status, text, headers = await found.deliver("standard", b"{}")
        assert (status, text, headers["content-type"]) == (
            200,
            '{"a": 1}',
            "application/json; charset=utf-8",
        )
        found.answer = lambda request: web.Response(status=202)
        assert (await found.deliver("standard", b"{}", told="2"))[:2] == (202, "")
        found.answer = lambda request: web.Response(body=b"x" * 70_000)
        status, text, _ = await found.deliver("standard", b"{}", told="3")
        assert status == 202 and "too large" in text


async def test_docker_hub_has_the_secret_in_its_url(tmp_path):
    async with world(tmp_path) as found:
        found.secrets = [b"a/b c"]
        found.add("hub", "dockerhub")
        body = b'{"callback_url": "https://h/1", "repository": {"repo_name": "o/r"}}'
        kind = {"content-type": "application/json"}
        assert (await found.post("/ns/hub", body, **kind))[0] == 401
        assert (await found.post("/ns/hub/a/c", body, **kind))[0] == 401
        assert (await found.post("/ns/hub/a%2Fb%20c", body, **kind))[0] == 202
        assert found.got[0][0]["ce-callbackurl"] == "https://h/1"


async def test_bitbucket_tests_the_connection(tmp_path):
    async with world(tmp_path) as found:
        found.add("bitbucket", "bitbucket")
        ping = {"x-event-key": "diagnostics:ping", "content-type": "application/json"}
        assert (await found.post("/ns/bitbucket", b'{"test": true}', **ping))[0] == 200
        assert not found.got


async def test_what_is_no_webhook(tmp_path):
    limits = dataclasses.replace(LIMITS, event_bytes=1000, request_seconds=0.2)
    async with world(tmp_path, limits=limits) as found:
        found.add("github", "github")
        assert (await found.post("/ns/other"))[0] == 404
        assert (await found.post("/"))[0] == 404
        async with found.session.get(f"{found.url}/ns/github") as answer:
            assert (answer.status, answer.headers["allow"]) == (405, "POST")
        async with found.session.get(f"{found.url}/healthz") as answer:
            assert answer.status == 200
        assert (await found.deliver("github", b"{" + b" " * 2000))[0] == 413
        made = headers_of("github", b"secret", "push", b"x", now=NOW, told="1")
        packed = {**made, "content-encoding": "gzip"}
        assert (await found.post("/ns/github", b"x", **packed))[0] == 415
        text = {**made, "content-type": "text/html"}
        status, said, _ = await found.post("/ns/github", b"x", **text)
        assert (status, said) == (415, "the body is text/html; JSON is expected")
        assert (await found.post("/ns/github", b"x", **made))[0] == 400
        assert await _half_sent(found.url) == b"HTTP/1.1 408 Request Timeout"
        assert not found.got


async def _half_sent(url):
    """What somebody hears who sends half a request."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /ns/github HTTP/1.1\r\nhost: h\r\ncontent-length: 10\r\n\r\n{")
    try:
        return (await asyncio.wait_for(reader.readline(), 60)).strip()
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def test_one_that_is_asked_too_much_hurts_itself_only(tmp_path, monkeypatch):
    monkeypatch.setattr(receiving, "MOST_WAITING", 2)
    async with world(tmp_path) as found:
        found.add("github", "github")
        found.add("standard", "standard")
        host, port = found.url.removeprefix("http://").split(":")
        with contextlib.ExitStack() as stack:
            for _ in range(2):
                one = stack.enter_context(socket.create_connection((host, int(port))))
                head = b"POST /ns/github HTTP/1.1\r\nhost: h\r\ncontent-length: 9\r\n"
                one.sendall(head + b"expect: 100-continue\r\n\r\n")
                assert (await asyncio.to_thread(one.recv, 100)).startswith(b"HTTP/1.1 100")
            assert (await found.deliver("github"))[0] == 429
            assert (await found.deliver("standard", b"{}"))[0] == 202


async def test_what_was_taken_is_known_by_the_next_process(tmp_path):
    async with world(tmp_path) as found:
        found.add("github", "github")
        assert (await found.deliver("github"))[0] == 202
    async with world(tmp_path) as found:
        found.add("github", "github")
        assert (await found.deliver("github"))[0] == 202
        assert (await found.deliver("github", told="2"))[0] == 409
        assert not found.got


@pytest.mark.parametrize("status", [200, 503])
async def test_who_does_not_wait_has_sent_all_the_same(tmp_path, status):
    """A sender that gives up at its own limit, and comes again, finds what became of it."""
    async with world(tmp_path) as found:
        found.add("standard", "standard")
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def slow():
            begun.set()
            await go_on.wait()
            return web.Response(status=status)

        found.answer = lambda request: slow()
        first = asyncio.create_task(found.deliver("standard", b"{}"))
        await begun.wait()
        first.cancel()
        again = asyncio.create_task(found.deliver("standard", b"{}"))
        go_on.set()
        assert (await again)[0] == (202 if status == 200 else 503)
