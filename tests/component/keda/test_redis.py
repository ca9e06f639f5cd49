"""redis and redis-streams, of one server, of a cluster and behind sentinels, against real Redis."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from hearth.keda.scalers.seam import ConfigError, Reading, ScalerError
from tests.component.keda import servers
from tests.component.keda.pki import Authority
from tests.component.keda.scaling import read, scaler, trigger
from tests.ports import free_port


@pytest.fixture
async def client(redis_port) -> AsyncIterator[Redis]:
    async with Redis(port=redis_port) as made:
        yield made
        await made.flushall()


@pytest.fixture
def address(redis_port) -> str:
    return f"127.0.0.1:{redis_port}"


async def test_all_that_has_elements_is_counted(client, address):
    await client.rpush("list", *range(7))
    await client.sadd("set", 1, 2)
    await client.zadd("ranked", {"a": 1})
    await client.hset("map", mapping={"a": 1, "b": 2, "c": 3})
    for name, count in (("list", 7), ("set", 2), ("ranked", 1), ("map", 3), ("none", 0)):
        config = trigger("redis", address=address, listName=name)
        assert await read(config) == Reading(count, count > 0), name


async def test_a_text_has_no_elements(client, address):
    await client.set("text", "x")
    with pytest.raises(ScalerError, match="unsupported key type: string"):
        await read(trigger("redis", address=address, listName="text"))


async def test_it_is_active_above_its_activation_and_named_as_keda_does(client, address):
    await client.rpush("jobs:new", 1, 2)
    config = trigger(
        "redis", address=address, listName="jobs:new", listLength="3", activationListLength="2"
    )
    async with scaler(config) as made:
        assert (made.spec.name, made.spec.target) == ("s0-redis-jobs-new", 3)
        assert await made.read() == Reading(2, False)
        await client.rpush("jobs:new", 3)
        assert await made.read() == Reading(3, True)


async def test_a_stream_is_as_long_as_it_is(client, address):
    await client.xadd("stream", {"a": 1})
    await client.xadd("stream", {"a": 2})
    assert await read(trigger("redis-streams", address=address, stream="stream")) == Reading(
        2, True
    )


async def test_a_group_has_pending_entries_and_a_lag(client, address):
    for number in range(5):
        await client.xadd("stream", {"a": number})
    await client.xgroup_create("stream", "workers", id="0")
    await client.xreadgroup("workers", "me", {"stream": ">"}, count=3)
    said = {"address": address, "stream": "stream", "consumerGroup": "workers"}
    assert await read(trigger("redis-streams", **said)) == Reading(3, True)
    assert await read(trigger("redis-streams", **said, lagCount="2")) == Reading(2, True)


async def test_without_its_group_a_stream_lags_by_all_it_has_and_without_itself_by_nothing(
    client, address
):
    await client.xadd("stream", {"a": 1})
    said = {"address": address, "consumerGroup": "workers", "lagCount": "2"}
    assert await read(trigger("redis-streams", **said, stream="stream")) == Reading(1, True)
    assert await read(trigger("redis-streams", **said, stream="other")) == Reading(0, False)


async def test_a_lag_that_redis_does_not_know_is_no_zero(client, address):
    for number in range(3):
        await client.xadd("stream", {"a": number}, id=f"{number + 1}-0")
    await client.xgroup_create("stream", "workers", id="1-0")
    await client.xdel("stream", "2-0")
    said = {"address": address, "stream": "stream", "consumerGroup": "workers", "lagCount": "2"}
    with pytest.raises(ScalerError, match="does not know the lag"):
        await read(trigger("redis-streams", **said))


async def test_a_server_that_comes_back_is_read_by_the_same_scaler(tmp_path):
    port = free_port()
    config = trigger("redis", host="127.0.0.1", port=str(port), listName="jobs")
    async with scaler(config) as made:
        for _ in range(2):
            with servers.redis(tmp_path, port=port):
                assert await made.read() == Reading(0, False)
            with pytest.raises(ScalerError, match=r"error getting list length: .*Connect"):
                await made.read()


async def test_a_wrong_password_is_told_without_it(tmp_path):
    with servers.redis(tmp_path, "--requirepass", "right-word") as port:
        config = trigger("redis", address=f"127.0.0.1:{port}", listName="jobs")
        right = dataclasses.replace(config, auth={"password": "right-word"})
        assert await read(right) == Reading(0, False)
        wrong = dataclasses.replace(config, auth={"password": "wrong-word"})
        with pytest.raises(ScalerError, match=r"WRONGPASS|invalid username-password") as told:
            await read(wrong)
        assert "wrong-word" not in str(told.value)


async def test_a_cluster_and_what_sentinels_name_are_read(tmp_path, redis_port, client):
    with servers.redis_cluster(tmp_path) as port:
        async with Redis(port=port) as node:
            await node.rpush("jobs", 1, 2)
            await node.xadd("stream", {"a": 1})
        said = {"addresses": f"127.0.0.1:{port}"}
        assert await read(trigger("redis-cluster", **said, listName="jobs")) == Reading(2, True)
        of_stream = {**said, "stream": "stream", "consumerGroup": "none", "lagCount": "1"}
        assert await read(trigger("redis-cluster-streams", **of_stream)) == Reading(1, True)
    await client.rpush("jobs", 1, 2, 3)
    await client.xadd("stream", {"a": 1})
    with servers.redis_sentinel(tmp_path, redis_port) as port:
        said = {"addresses": f"127.0.0.1:{port}", "sentinelMaster": "mymaster"}
        assert await read(trigger("redis-sentinel", **said, listName="jobs")) == Reading(3, True)
        of_stream = {**said, "stream": "stream"}
        assert await read(trigger("redis-sentinel-streams", **of_stream)) == Reading(1, True)


async def test_by_tls_with_an_authority_and_a_certificate_of_the_client(tmp_path):
    authority, port = Authority(), free_port()
    cert, key = authority.issue("127.0.0.1").write(tmp_path, "server")
    (tmp_path / "ca.pem").write_text(authority.cert)
    options = ["--tls-port", port, "--tls-cert-file", cert, "--tls-key-file", key]
    options += ["--tls-ca-cert-file", tmp_path / "ca.pem"]
    pair = authority.issue("client", password="key-word")
    with servers.redis(tmp_path, *map(str, options), tls_port=port):
        config = trigger("redis", address=f"127.0.0.1:{port}", listName="jobs")
        auth = {"tls": "enable", "ca": authority.cert, "cert": pair.cert, "key": pair.key}
        auth["keyPassword"] = "key-word"
        assert await read(dataclasses.replace(config, auth=auth)) == Reading(0, False)
        with pytest.raises(ScalerError, match="CERTIFICATE_VERIFY_FAILED"):
            await read(dataclasses.replace(config, auth={**auth, "ca": ""}))
        nobody = {key: value for key, value in auth.items() if key in ("tls", "ca")}
        with pytest.raises(ScalerError, match="error getting list length"):
            await read(dataclasses.replace(config, auth=nobody))
        unsafe = dataclasses.replace(config, metadata={**config.metadata, "unsafeSsl": "true"})
        assert await read(dataclasses.replace(unsafe, auth={**auth, "ca": ""})) == Reading(0, False)


@pytest.mark.parametrize(
    ("said", "auth", "words"),
    [
        ({"address": ""}, {}, "no addresses or hosts given"),
        ({"address": "here"}, {}, "address here: missing port in address"),
        ({"hosts": "a,b", "ports": "1"}, {}, "not enough hosts or ports given"),
        ({"enableTLS": "maybe"}, {}, "EnableTLS parsing error"),
        ({}, {"tls": "on"}, "error incorrect TLS value given, got on"),
        ({"enableTLS": "true"}, {"tls": "enable"}, "unable to set `tls` in both"),
        ({}, {"tls": "enable", "ca": "nonsense"}, "error appending CA certs"),
        ({"listLength": "many"}, {}, "unable to unmarshal to field type int64"),
    ],
)
async def test_what_is_refused(said, auth, words):
    config = trigger("redis", **{"address": "here:1", "listName": "jobs", **said})
    with pytest.raises(ConfigError, match="error parsing redis metadata: ") as refused:
        await read(dataclasses.replace(config, auth=auth))
    assert words in str(refused.value)
