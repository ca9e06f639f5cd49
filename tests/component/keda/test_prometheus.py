"""prometheus, against a real Prometheus, and against a web server for what it is asked with."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from hearth.keda.scalers.seam import ConfigError, PodIdentity, Reading, ScalerError, TriggerConfig
from tests.component.keda import servers
from tests.component.keda.scaling import read, scaler, trigger
from tests.component.keda.webserver import answering

_PAGE = b'depth{queue="a"} 7\ndepth{queue="b"} 2.5\nodd NaN\nbelow -3\n'


def query(address: str, text: str, **more: str) -> TriggerConfig:
    return trigger("prometheus", serverAddress=address, query=text, threshold="5", **more)


async def test_one_value_of_a_query(tmp_path):
    async with answering(lambda asked: _PAGE) as scraped:
        with servers.prometheus(tmp_path, f"127.0.0.1:{scraped.port}") as port:
            address = f"http://127.0.0.1:{port}"
            async with scaler(query(address, "sum(depth)", activationThreshold="9")) as made:
                assert (made.spec.name, made.spec.target) == ("s0-prometheus", 5)
                async with asyncio.timeout(60):
                    while await made.read() != Reading(9.5, True):
                        await asyncio.sleep(0.01)
            one = query(address, 'depth{queue="b"}', activationThreshold="2.5")
            assert await read(one) == Reading(2.5, False)
            for nothing in ("nothing", "odd"):
                assert await read(query(address, nothing)) == Reading(0, False)
            for text, words in (
                ("nothing", "target may be lost, the result is empty"),
                ("odd", "prometheus query returns nan"),
            ):
                with pytest.raises(ScalerError, match=words):
                    await read(query(address, text, ignoreNullValues="false"))
            for text, words in (
                ("depth", "prometheus query depth returned multiple elements"),
                ("depth{", "/api/v1/query answered with status 400"),
                ("below", "the value read is -3"),
            ):
                with pytest.raises(ScalerError, match=words):
                    await read(query(address, text))


async def test_what_it_is_asked_with():
    document = {"data": {"result": [{"value": [0, "1"]}]}}
    async with answering(lambda asked: document) as server:
        config = query(
            f"{server.url}/prefix",
            "up == 1",
            namespace="team",
            customHeaders="X-Scope=team,X-Word=hidden-word",
            queryParameters="dedup=true,step=5",
            authModes="bearer",
        )
        given = dataclasses.replace(config, auth={"bearerToken": "word"})
        assert await read(given, clock=lambda: 1_700_000_000.7) == Reading(1, True)
        server.answers = lambda asked: {"data": []}
        with pytest.raises(ScalerError, match="none of Prometheus' API"):
            await read(given)
    [asked, _] = server.asked
    assert asked.path == "/prefix/api/v1/query"
    assert asked.query == {
        "query": "up == 1",
        "time": "2023-11-14T22:13:20Z",
        "namespace": "team",
        "dedup": "true",
        "step": "5",
    }
    assert (asked.headers["x-scope"], asked.headers["authorization"]) == ("team", "Bearer word")


async def test_an_identity_and_another_way_of_authentication_exclude_each_other():
    config = query("http://here", "up", authModes="bearer")
    both = dataclasses.replace(config, auth={"token": "w"}, pod_identity=PodIdentity("aws"))
    with pytest.raises(ConfigError, match="pod identity cannot be enabled with other auth types"):
        await read(both)


async def test_identities_of_clouds_are_refused():
    config = dataclasses.replace(query("http://here", "up"), pod_identity=PodIdentity("aws"))
    with pytest.raises(ConfigError, match="pod identity aws is not supported here"):
        await read(config)
