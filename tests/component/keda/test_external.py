"""external and external-push, against a gRPC server with Google's messages, plain and by TLS."""

from __future__ import annotations

import asyncio
import dataclasses
from functools import partial

import grpc
import pytest

from hearth.keda.scalers.external import ExternalPush
from hearth.keda.scalers.seam import (
    ConfigError,
    DescribedScaler,
    MetricSpec,
    PushScaler,
    Reading,
    ScalerError,
    TriggerConfig,
)
from tests.component.keda.externalscaler import ExternalScaler, serving
from tests.component.keda.pki import Authority
from tests.component.keda.scaling import read, scaler, trigger
from tests.ports import free_port
from tests.waiting import until


def ours(port: int, type_: str = "external", **more: str) -> TriggerConfig:
    return trigger(type_, scalerAddress=f"127.0.0.1:{port}", **more)


async def test_the_server_says_what_is_measured_how_much_there_is_and_whether_it_is_active():
    async with serving(ExternalScaler()) as server:
        config = dataclasses.replace(ours(server.port, queue="jobs"), index=2)
        async with scaler(config) as made:
            assert isinstance(made, DescribedScaler)
            assert not isinstance(made, PushScaler)
            assert await made.describe() == MetricSpec("s2-depth", 5.0)
            assert made.spec == MetricSpec("s2-depth", 5.0)
            assert await made.read() == Reading(7, True)
            server.value, server.active = 0.5, False
            assert await made.read() == Reading(0.5, False)


async def test_it_is_told_whose_trigger_it_is_and_values_instead_of_variables():
    async with serving(ExternalScaler()) as server:
        config = ours(server.port, queue="jobs", wordFromEnv="WORD", noneFromEnv="NONE")
        await read(dataclasses.replace(config, env={"WORD": "open"}))
    for asked in server.asked:
        reference = getattr(asked, "scaledObjectRef", asked)
        assert (reference.name, reference.namespace) == ("worker", "team")
        metadata = {each.key: each.value for each in reference.scalerMetadata}
        assert metadata == {
            "scalerAddress": f"127.0.0.1:{server.port}",
            "queue": "jobs",
            "wordFromEnv": "open",
        }


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
async def test_what_is_no_number_is_a_failure(value):
    async with serving(ExternalScaler(value=value)) as server:
        if value == value:
            with pytest.raises(ScalerError, match="it has to be a number"):
                await read(ours(server.port))
        else:  # above nothing: the whole number counts, as KEDA decides
            assert await read(ours(server.port)) == Reading(0, True)


async def test_a_server_without_metrics_and_none_at_all_are_failures():
    async with serving(ExternalScaler(name="")) as server:
        with pytest.raises(ScalerError, match="announces no metric"):
            await read(ours(server.port))
    with pytest.raises(ScalerError, match="error calling the external scaler: UNAVAILABLE"):
        await read(ours(free_port()))


async def test_a_server_that_is_slow_is_a_failure_in_time():
    class Slow(ExternalScaler):
        async def get_metrics(self, request, context):
            await asyncio.Event().wait()

    async with serving(Slow()) as server:
        config = dataclasses.replace(ours(server.port), timeout=0.1)
        with pytest.raises(ScalerError, match="DEADLINE_EXCEEDED"):
            await read(config)


async def test_activity_is_told_and_a_server_that_comes_back_is_heard_again(monkeypatch):
    monkeypatch.setattr(ExternalPush, "first_wait", 0.01)
    port, told, tasks = free_port(), list[bool](), len(asyncio.all_tasks())

    async def listen(made: PushScaler) -> None:
        async for active in made.activity():
            told.append(active)

    async with scaler(ours(port, "external-push")) as made:
        assert isinstance(made, PushScaler)
        listening = asyncio.create_task(listen(made))
        for expected in ([True], [True, False]):
            async with serving(ExternalScaler(), port=port) as server:
                streams = server.streams
                await until(partial(len, streams))
                streams[0].put_nowait(expected[-1])
                await until(partial(told.__eq__, expected))
                streams[0].put_nowait(None)
                await until(partial(streams.__getitem__, slice(1, 2)))
        listening.cancel()
        await asyncio.wait({listening})
    assert told == [True, False]
    await until(lambda: len(asyncio.all_tasks()) == tasks)


async def test_who_listens_to_a_closed_scaler_hears_the_end():
    tasks = len(asyncio.all_tasks())
    async with serving(ExternalScaler()) as server:
        async with scaler(ours(server.port, "external-push")) as made:
            assert isinstance(made, PushScaler)
            told = made.activity()
            first = asyncio.ensure_future(anext(told))
            await until(partial(len, server.streams))
            server.streams[0].put_nowait(True)
            assert await first is True
            following = asyncio.ensure_future(anext(told))
        with pytest.raises(StopAsyncIteration):
            await following
    await until(lambda: len(asyncio.all_tasks()) == tasks)


def credentials(authority: Authority, host: str, *, ask: bool = False):
    made = authority.issue(host)
    shown = ((made.key.encode(), made.cert.encode()),)
    return grpc.ssl_server_credentials(shown, authority.cert.encode() if ask else None, ask)


async def test_by_tls_with_an_authority_and_a_certificate_of_the_client():
    authority = Authority()
    shown = credentials(authority, "127.0.0.1", ask=True)
    async with serving(ExternalScaler(), credentials=shown) as server:
        known, ours_ = {"caCert": authority.cert}, authority.issue("client")
        pair = {"tlsClientCert": ours_.cert, "tlsClientKey": ours_.key}
        config = ours(server.port)
        assert await read(dataclasses.replace(config, auth={**known, **pair})) == Reading(7, True)
        with pytest.raises(ScalerError, match="UNAVAILABLE"):
            await read(dataclasses.replace(config, auth=known))


async def test_a_certificate_that_nobody_vouches_for_is_refused_unless_unsafe():
    shown = credentials(Authority(), "elsewhere.test")
    async with serving(ExternalScaler(), credentials=shown) as server:
        with pytest.raises(ScalerError, match="UNAVAILABLE"):
            await read(ours(server.port, enableTLS="true"))
        unsafe = ours(server.port, enableTLS="true", unsafeSsl="true")
        assert await read(unsafe) == Reading(7, True)


def test_texts_that_are_no_certificates_are_refused():
    config = dataclasses.replace(ours(1), auth={"caCert": "nonsense"})
    with pytest.raises(ConfigError, match="error appending CA certs"):
        _ = asyncio.run(read(config))
