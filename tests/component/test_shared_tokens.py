"""Replicas share tokens by a Secret of an API server: one makes and changes them, all follow."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hearth.cluster.apiserver.testing import running_apiserver
from hearth.kube.client import KubeClient
from hearth.kube.leadership import ALONE
from hearth.kube.resources import SECRETS
from hearth.kube.sharedtokens import kept_tokens
from hearth.kube.tokens import Tokens
from tests.waiting import until

SECRET = ("default", "shared")
LONG_AGO = "2020-01-01T00:00:00+00:00"


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[KubeClient]:
    async with (
        running_apiserver(tmp_path) as server,
        KubeClient.from_kubeconfig(server.kubeconfig) as client,
    ):
        yield client


async def put(client: KubeClient, **data: str) -> None:
    encoded = {name.replace("_", "-"): _encoded(text) for name, text in data.items()}
    metadata = {"namespace": SECRET[0], "name": SECRET[1]}
    await client.create(SECRETS, {"metadata": metadata, "data": encoded})


async def change(client: KubeClient, **data: str) -> None:
    secret = await client.get(SECRETS, SECRET[1], SECRET[0])
    await client.update(SECRETS, {**secret, "data": {k: _encoded(v) for k, v in data.items()}})


async def there(client: KubeClient, *names: str) -> None:
    async with asyncio.timeout(60):
        while set((await client.get(SECRETS, SECRET[1], SECRET[0]))["data"]) != {*names, "since"}:
            await asyncio.sleep(0.005)


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@asynccontextmanager
async def both(client: KubeClient) -> AsyncIterator[tuple[Tokens, Tokens]]:
    async with (
        kept_tokens(client, SECRET, leadership=ALONE) as maker,
        kept_tokens(client, SECRET) as reader,
    ):
        yield maker, reader


async def test_one_that_is_given_needs_no_secret(client: KubeClient) -> None:
    async with kept_tokens(client, "given") as tokens:
        assert tokens.shown == "given"


async def test_an_empty_secret_is_filled_and_all_know_it(client: KubeClient) -> None:
    await put(client)
    async with both(client) as (maker, reader):
        assert len(maker.shown) > 40
        assert reader.shown == maker.shown


async def test_who_only_reads_waits_for_who_makes(client: KubeClient) -> None:
    await put(client)
    entered = asyncio.Event()

    async def read() -> None:
        async with kept_tokens(client, SECRET) as tokens:
            assert tokens.shown
            entered.set()

    reading = asyncio.create_task(read())
    async with kept_tokens(client, SECRET, leadership=ALONE):
        await asyncio.wait_for(reading, 60)
    assert entered.is_set()


async def test_who_does_not_wait_lets_nobody_in_until_there_is_one(client: KubeClient) -> None:
    await put(client)
    async with kept_tokens(client, SECRET, waits=False) as tokens:
        assert not tokens.shown
        assert not tokens.accepts(b"")
        async with kept_tokens(client, SECRET, leadership=ALONE) as maker:
            await until(lambda: bool(tokens.shown))
            assert tokens.accepts(maker.shown.encode())


async def test_a_token_changes_while_both_are_accepted(client: KubeClient) -> None:
    await put(client, token="a", since=LONG_AGO)
    async with both(client) as (maker, reader):
        assert maker.shown == reader.shown == "a"
        assert not maker.accepts(b"b")
        await there(client, "token", "next-token")
        await change(client, **{"token": "a", "next-token": "b", "since": LONG_AGO})
        await there(client, "token", "last-token")
        await until(lambda: maker.shown == "b" == reader.shown)
        assert reader.accepts(b"a")
        assert maker.accepts(b"a")
        await change(client, **{"token": "b", "last-token": "a", "since": LONG_AGO})
        await until(lambda: not reader.accepts(b"a") and not maker.accepts(b"a"))


async def test_emptied_it_is_filled_anew(client: KubeClient) -> None:
    await put(client)
    async with both(client) as (maker, reader):
        before = reader.shown
        await change(client)
        await until(lambda: reader.shown not in ("", before))
        await until(lambda: maker.shown == reader.shown)
        assert not reader.accepts(before.encode())
