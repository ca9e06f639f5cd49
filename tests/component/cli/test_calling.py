"""Whom a command asks, and by which name."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from hearth.cli.calling import called
from hearth.cli.errors import UserError


async def _echo(request: web.Request) -> web.Response:
    return web.Response(text=f"{request.host} {request.path_qs} {await request.text()}")


def _call(url: str, gateway: str, folder: Path) -> httpx.Response:
    return called("POST", url, b"x", {}, authority=folder / "none", seconds=10, gateway=gateway)


async def test_the_gateway_is_asked_for_what_the_url_names(tmp_path: Path) -> None:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", _echo)
    async with TestServer(app) as server:
        gateway, url = str(server.make_url("")), "http://hooks.example.invalid/default/github?a=b"
        answer = await asyncio.to_thread(_call, url, gateway, tmp_path)
        assert answer.text == "hooks.example.invalid /default/github?a=b x"
        local = f"http://shop.default.localhost:{server.port}/"
        answer = await asyncio.to_thread(_call, local, "", tmp_path)
        assert answer.text == f"shop.default.localhost:{server.port} / x"


def test_who_gives_no_answer_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"http://127.0.0.1:1/ gives no answer: .*refused"):
        _call("http://127.0.0.1:1/", "", tmp_path)
