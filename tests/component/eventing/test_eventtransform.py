"""EventTransform: events are made into others, answered or sent on, and replies as well."""

import contextlib
import json

import pytest
from aiohttp import web

from hearth.knative.resources import BROKERS, EVENTTRANSFORMS, TRIGGERS
from tests.component.eventing.cluster import HEADERS, cluster, condition, next_of, sink

RENAMED = '$merge([$, {"type": "new", "data": {"n": data.n + 1}}])'
EVENT = {**HEADERS, "ce-id": "7"}


@contextlib.asynccontextmanager
async def replying(status, body, **headers):
    """A sink with a reply of its own; returns what it gets."""
    got = []

    async def take(request):
        got.append((request.headers.copy(), await request.read()))
        return web.Response(status=status, body=body, headers=headers)

    app = web.Application()
    app.router.add_post("/", take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield {"uri": f"http://127.0.0.1:{runner.addresses[0][1]}/"}, got
    finally:
        await runner.cleanup()


async def ready(found, title, expression, **spec):
    await found.create(EVENTTRANSFORMS, title, jsonata={"expression": expression}, **spec)
    transform = await found.until_ready(EVENTTRANSFORMS, title)
    return transform["status"]["address"]["url"]


async def post(found, url, body=b'{"n":1}', **more):
    async with found.session.post(url, data=body, headers=EVENT | more) as answer:
        return answer.status, answer.headers, await answer.read()


async def test_the_result_is_the_answer(tmp_path):
    async with cluster(tmp_path) as found, sink() as (to, got):
        url = await ready(found, "t", RENAMED)
        status, headers, body = await post(found, url)
        assert status == 200
        assert headers["content-type"] == "application/cloudevents+json"
        event = json.loads(body)
        assert (event["id"], event["type"], event["data"]) == ("7", "new", {"n": 2})
        other = await ready(found, "other", "data")
        _, headers, body = await post(found, other)
        assert (headers["content-type"], body) == ("application/json", b'{"n":1}')
        typed = await ready(found, "typed", '{"contenttype": "text/x", "a": data.n}')
        assert (await post(found, typed))[1]["content-type"] == "text/x"

        # What it cannot do, it says; the next event is not held up.
        status, headers, _ = await post(found, url, b'{"n":"x"}')
        assert status == 500
        assert headers["reason"]
        endless = await ready(found, "endless", "($f := function($x){$f($x)}; $f(1))")
        status, _, body = await post(found, endless)
        assert (status, b"timeout" in body) == (500, True)
        assert (await post(found, url))[0] == 200
        assert (await post(found, url + "x"))[0] == 404

        # As the subscriber of a Trigger: the result is the reply.
        await found.create_broker()
        await found.until_ready(BROKERS, "default")
        ref = {"apiVersion": EVENTTRANSFORMS.api_version, "kind": "EventTransform", "name": "t"}
        await found.create_trigger("t", {"ref": ref}, filters=[{"exact": {"type": "t"}}])
        await found.create_trigger("new", to, filters=[{"exact": {"type": "new"}}])
        await found.until_ready(TRIGGERS, "t")
        await found.until_ready(TRIGGERS, "new")
        status, _, _ = await post(found, f"http://127.0.0.1:{found.port}/default/default")
        assert status == 202
        assert (await next_of(got))["ce-type"] == "new"


async def test_a_sink_gets_the_result_and_its_reply_comes_back(tmp_path):
    reply = {**HEADERS, "ce-type": "reply"}
    async with cluster(tmp_path) as found, replying(201, b'{"r":1}', **reply) as (to, got):
        url = await ready(found, "plain", RENAMED, sink=to)
        status, headers, body = await post(found, url, traceparent="00-" + "1" * 32)
        assert (status, headers["ce-type"], body) == (201, "reply", b'{"r":1}')
        asked, sent = got[-1]
        assert asked["content-type"] == "application/cloudevents+json"
        assert asked["traceparent"].startswith("00-1")
        assert json.loads(sent)["type"] == "new"

        url = await ready(found, "silent", RENAMED, sink=to, reply={"discard": True})
        status, headers, body = await post(found, url)
        assert (status, body, "ce-type" in headers) == (201, b"", False)

        again = {"jsonata": {"expression": '{"was": type, "r": data.r * 2}'}}
        url = await ready(found, "again", RENAMED, sink=to, reply=again)
        status, headers, body = await post(found, url)
        assert (status, json.loads(body)) == (201, {"was": "reply", "r": 2})


@pytest.mark.parametrize(
    ("given", "seen"), [(b'[1,"x"]', [1, "x"]), (b"plain", "plain"), (b"", "")]
)
async def test_a_reply_that_is_no_event_is_transformed_as_it_is(tmp_path, given, seen):
    async with cluster(tmp_path) as found, replying(200, given) as (to, _):
        reply = {"jsonata": {"expression": '{"got": $}'}}
        url = await ready(found, "t", "$", sink=to, reply=reply)
        status, _, body = await post(found, url)
        assert (status, json.loads(body)) == (200, {"got": seen})


async def test_what_keeps_it_from_being_ready_is_told(tmp_path):
    async with cluster(tmp_path) as found:
        await found.create(EVENTTRANSFORMS, "bad", jsonata={"expression": "{ a"})
        bad = await found.until(EVENTTRANSFORMS, "bad", lambda obj: condition(obj)[0] == "False")
        assert condition(bad)[1:] == (
            "JsonataExpressionInvalid",
            "spec.jsonata.expression: Expected : before end of expression",
        )
        nowhere = {"ref": {"apiVersion": "v1", "kind": "Service", "name": "none"}}
        await found.create(EVENTTRANSFORMS, "lost", jsonata={"expression": "$"}, sink=nowhere)
        lost = await found.until(EVENTTRANSFORMS, "lost", lambda obj: condition(obj)[0] == "False")
        assert condition(lost)[1] == "SinkNotResolved"
        url = await ready(found, "down", "$", sink={"uri": "http://127.0.0.1:9/"})
        status, _, body = await post(found, url)
        assert status == 502
        assert b"http://127.0.0.1:9/ does not answer" in body
