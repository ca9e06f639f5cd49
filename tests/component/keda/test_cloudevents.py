"""CloudEventSources: a server that is told, and objects that something happens to."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from hearth.keda.api import keys
from hearth.keda.operator.cloudevents import Emitter
from hearth.kube.clock import wall_clock
from hearth.kube.guards import beside
from hearth.kube.plan import Event
from tests.component.keda.operator import Keda, cluster
from tests.component.keda.webserver import Asked, Server, answering

OBJECT = {"kind": "ScaledObject", "metadata": {"name": "web", "namespace": "default"}}
READY = Event(OBJECT, "Normal", "ScaledObjectReady", "ready for scaling")
PAUSED = Event(OBJECT, "Normal", "ScaledObjectPaused", "ScaledObject is paused")


@pytest.fixture
async def keda(tmp_path: Path) -> AsyncIterator[Keda]:
    async with cluster(tmp_path) as running:
        yield running


@contextlib.asynccontextmanager
async def emitting(keda: Keda, source: str = "told") -> AsyncIterator[Emitter]:
    """An emitter that follows a source."""
    emitter = Emitter(keda.client, wall_clock, timeout=30, first_pause=0.001)
    async with beside("cloudevents", emitter.run):
        await is_active(keda, "True", source)
        yield emitter


async def is_active(keda: Keda, status: str, source: str = "told") -> None:
    await keda.until(
        keys.CLOUDEVENTSOURCES, source, lambda found: active(found)["status"] == status
    )


def active(source: Any) -> dict[str, str]:
    [condition] = source["status"]["conditions"]
    return dict(condition)


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.005)


async def a_source(keda: Keda, server: Server, **spec: Any) -> None:
    destination = {"http": {"uri": f"{server.url}/events"}}
    await keda.create(keys.CLOUDEVENTSOURCES, "told", spec={"destination": destination} | spec)


def types(server: Server) -> list[str]:
    return [asked.headers["ce-type"] for asked in server.asked]


async def test_what_happens_to_an_object_is_sent(keda: Keda) -> None:
    async with answering(lambda _: {}) as server:
        await a_source(keda, server, clusterName="lab")
        await keda.deployment()
        async with keda.operator():
            await is_active(keda, "True")
            await keda.scaledobject()
            await until(lambda: "keda.scaledobject.ready.v1" in types(server))
    asked = server.asked[types(server).index("keda.scaledobject.ready.v1")]
    assert (asked.method, asked.path) == ("POST", "/events")
    told = {field: asked.headers[f"ce-{field}"] for field in ("specversion", "source", "subject")}
    assert told == {
        "specversion": "1.0",
        "source": "/lab/keda/keda",
        "subject": "/lab/default/scaledobject/web",
    }
    assert json.loads(asked.body)["reason"] == "ScaledObjectReady"


async def test_types_may_be_chosen(keda: Keda) -> None:
    async with answering(lambda _: {}) as server:
        chosen = {"includedEventTypes": ["keda.scaledobject.paused.v1"]}
        await a_source(keda, server, eventSubscription=chosen)
        async with emitting(keda) as emitter:
            for event in (READY, PAUSED, Event(OBJECT, "Normal", "KEDAScalersStarted", "")):
                emitter.record(event)
            await until(lambda: server.asked)
    assert types(server) == ["keda.scaledobject.paused.v1"]


async def test_a_source_tells_of_its_own_namespace(keda: Keda) -> None:
    elsewhere = {**OBJECT, "metadata": {"name": "web", "namespace": "other"}}
    async with answering(lambda _: {}) as server:
        await a_source(keda, server)
        async with emitting(keda) as emitter:
            emitter.record(Event(elsewhere, "Normal", "ScaledObjectReady", ""))
            emitter.record(PAUSED)
            await until(lambda: server.asked)
    assert types(server) == ["keda.scaledobject.paused.v1"]


async def test_one_that_is_refused_is_tried_again_with_the_same_id(keda: Keda) -> None:
    answers = iter([503, 500])

    def answer(_: Asked) -> web.StreamResponse:
        return web.Response(status=next(answers, 200))

    async with answering(answer) as server:
        await a_source(keda, server)
        async with emitting(keda) as emitter:
            emitter.record(READY)
            await until(lambda: len(server.asked) == 3)
    assert len({asked.headers["ce-id"] for asked in server.asked}) == 1


async def test_a_source_that_takes_nothing_says_so_until_one_gets_through(keda: Keda) -> None:
    takes = False

    def answer(_: Asked) -> web.StreamResponse:
        return web.Response(status=200 if takes else 500)

    async with answering(answer) as server:
        await a_source(keda, server)
        async with emitting(keda) as emitter:
            emitter.record(READY)
            await is_active(keda, "False")
            assert len(server.asked) == 5
            takes = True
            emitter.record(PAUSED)
            await is_active(keda, "True")
    assert types(server)[-1] == "keda.scaledobject.paused.v1"


async def test_one_that_hangs_delays_no_other(keda: Keda) -> None:
    async with answering(None) as silent, answering(lambda _: {}) as server:
        await a_source(keda, server)
        destination = {"http": {"uri": silent.url}}
        await keda.create(keys.CLOUDEVENTSOURCES, "silent", spec={"destination": destination})
        async with emitting(keda) as emitter:
            await is_active(keda, "True", "silent")
            for _ in range(3):
                emitter.record(READY)
            await until(lambda: len(server.asked) == 3)
            assert len(silent.asked) <= 1


async def test_a_destination_without_a_sender_is_not_active(keda: Keda) -> None:
    topic = {"azureEventGridTopic": {"endpoint": "https://topic.test"}}
    await keda.create(keys.CLOUDEVENTSOURCES, "told", spec={"destination": topic})
    emitter = Emitter(keda.client, wall_clock)
    async with beside("cloudevents", emitter.run):
        await is_active(keda, "False")
    found = active(await keda.client.get(keys.CLOUDEVENTSOURCES, "told", "default"))
    assert found["message"] == (
        "Failed to send events to the configured destination: destination.azureEventGridTopic is "
        "not served here: give destination.http.uri"
    )


async def test_what_is_deleted_is_told_nothing_more(keda: Keda) -> None:
    async with answering(lambda _: {}) as server:
        await a_source(keda, server)
        async with emitting(keda) as emitter:
            await keda.client.delete(keys.CLOUDEVENTSOURCES, "told", "default")
            await until(lambda: not emitter._followed)
            emitter.record(READY)
    assert server.asked == []
