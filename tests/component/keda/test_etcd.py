"""etcd, read and watched, against etcd."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from hearth.keda.scalers.seam import PushScaler, Reading, ScalerError, TriggerConfig
from tests.component.keda import databases
from tests.component.keda.databases import Stoppable
from tests.component.keda.scaling import read, scaler, trigger
from tests.ports import free_port
from tests.waiting import until


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stoppable]:
    with databases.etcd(tmp_path_factory.mktemp("etcd")) as running:
        yield running


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


async def ask(server: Stoppable, what: str, token: str = "", **body: Any) -> Any:
    headers = {"Authorization": token} if token else {}
    async with httpx.AsyncClient(timeout=60) as client:
        url = f"http://127.0.0.1:{server.port}/v3/{what}"
        return (await client.post(url, json=body, headers=headers)).raise_for_status().json()


async def put(server: Stoppable, value: str, key: str = "length", token: str = "") -> None:
    await ask(server, "kv/put", token, key=b64(key), value=b64(value))


def watched(server: Stoppable, **said: str) -> TriggerConfig:
    endpoints = f"127.0.0.1:{server.port}"
    written = {"endpoints": endpoints, "watchKey": "length", "value": "5", **said}
    return trigger("etcd", **written)


async def test_the_number_that_a_key_holds(server):
    await put(server, "4.5")
    async with scaler(watched(server, activationValue="4.5")) as made:
        assert await made.read() == Reading(4.5, False)
        await put(server, "7")
        assert await made.read() == Reading(7, True)


@pytest.mark.parametrize(
    ("value", "words"),
    [("many", "no number: 'many'"), ("-2", "not negative"), ("NaN", "the value read is nan")],
)
async def test_what_is_no_value(server, value, words):
    await put(server, value, "wrong")
    with pytest.raises(ScalerError, match="error getting metric value: ") as failure:
        await read(watched(server, watchKey="wrong"))
    assert words in str(failure.value)


async def test_a_key_that_is_not_there(server):
    with pytest.raises(ScalerError, match="watchKey nothing doesn't exist"):
        await read(watched(server, watchKey="nothing"))


async def test_of_several_endpoints_one_is_enough(server):
    await put(server, "3")
    endpoints = f"127.0.0.1:{free_port()},127.0.0.1:{server.port}"
    assert (await read(watched(server, endpoints=endpoints))).value == 3


async def test_no_endpoint_answers(server):
    with pytest.raises(ScalerError, match="error getting metric value: "):
        await read(watched(server, endpoints=f"127.0.0.1:{free_port()}"))


async def test_a_change_is_heard_of_without_being_asked(server):
    await put(server, "0", "pushed")
    async with scaler(watched(server, watchKey="pushed", activationValue="2")) as made:
        assert isinstance(made, PushScaler)
        changes = made.activity()
        heard = asyncio.ensure_future(anext(changes))
        while not heard.done():  # until the watch is there, a change is heard of by nobody
            await put(server, "3", "pushed")
            await asyncio.wait({heard}, timeout=0.05)
        assert await heard is True
        await put(server, "2", "pushed")
        async for active in changes:
            if not active:
                break
        await changes.aclose()  # type: ignore[attr-defined]
    await until(lambda: len(asyncio.all_tasks()) == 1)  # the HTTP client's generators end by tasks


async def test_a_watch_says_when_it_is_cut_off(tmp_path):
    with databases.etcd(tmp_path) as server:
        async with scaler(watched(server)) as made:
            assert isinstance(made, PushScaler)
            changes = made.activity()
            heard = asyncio.ensure_future(anext(changes))
            while not heard.done():
                await put(server, "3")
                await asyncio.wait({heard}, timeout=0.05)
            await asyncio.to_thread(server.stop)
            with pytest.raises(ScalerError, match="error getting metric value: "):
                async for _ in changes:
                    pass


async def test_users_and_their_passwords(tmp_path):
    with databases.etcd(tmp_path) as server:
        await put(server, "6")
        for user in ("root", "worker"):
            await ask(server, "auth/user/add", name=user, password=f"{user}-secret")
        await ask(server, "auth/role/add", name="root")
        await ask(server, "auth/role/add", name="reader")
        permission = {"permType": "READ", "key": b64("length")}
        await ask(server, "auth/role/grant", name="reader", perm=permission)
        await ask(server, "auth/user/grant", user="root", role="root")
        await ask(server, "auth/user/grant", user="worker", role="reader")
        await ask(server, "auth/enable")
        right = {"username": "worker", "password": "worker-secret"}
        assert (await read(dataclasses.replace(watched(server), auth=right))).value == 6
        wrong = {"username": "worker", "password": "other-secret"}
        with pytest.raises(ScalerError, match="auth/authenticate answered with status 400") as told:
            await read(dataclasses.replace(watched(server), auth=wrong))
        assert "other-secret" not in str(told.value)
        with pytest.raises(ScalerError, match="status 40"):
            await read(watched(server))
