"""The client against servers that put it off, as API Priority and Fairness does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web

from hearth.kube.access import Access
from hearth.kube.client import KubeClient
from hearth.kube.errors import TooManyRequests
from hearth.kube.resources import CONFIGMAPS

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
TOO_MANY = "Too many requests, please try again later."  # plain text, as kube-apiserver has it


def put_off(retry_after: str) -> web.Response:
    return web.Response(status=429, text=TOO_MANY, headers={"Retry-After": retry_after})


@contextlib.asynccontextmanager
async def against(handler: Handler) -> AsyncIterator[KubeClient]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    try:
        async with KubeClient(Access(f"http://{host}:{port}")) as client:
            yield client
    finally:
        await runner.cleanup()


async def test_a_write_is_sent_again_whole() -> None:
    bodies: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        bodies.append(await request.text())
        return put_off("0") if len(bodies) < 3 else web.json_response({"kind": "ConfigMap"})

    made = {"metadata": {"name": "a", "namespace": "default"}}
    async with against(handler) as client:
        assert await client.create(CONFIGMAPS, made) == {"kind": "ConfigMap"}
    assert bodies == ['{"metadata":{"name":"a","namespace":"default"}}'] * 3


async def test_the_server_is_left_alone_for_as_long_as_it_says() -> None:
    asked: list[float] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        asked.append(asyncio.get_running_loop().time())
        return put_off("1") if len(asked) == 1 else web.json_response({})

    async with against(handler) as client:
        await client.get(CONFIGMAPS, "a", "default")
    assert asked[1] - asked[0] >= 1.0


async def test_a_server_that_never_gives_in_is_an_error_in_its_words() -> None:
    asked = 0

    async def handler(request: web.Request) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        return put_off("0")

    async with against(handler) as client:
        with pytest.raises(TooManyRequests, match=TOO_MANY):
            await client.get(CONFIGMAPS, "a", "default")
    assert asked == 10


async def test_a_watch_waits_too() -> None:
    asked = 0
    event = b'{"type":"ADDED","object":{"metadata":{"name":"a","resourceVersion":"2"}}}\n'

    async def handler(request: web.Request) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        return put_off("0") if asked == 1 else web.Response(body=event)

    async with against(handler) as client:
        events = [event async for event in client.watch(CONFIGMAPS, resource_version="1")]
    assert [(event.type, asked) for event in events] == [("ADDED", 2)]
