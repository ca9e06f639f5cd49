"""Servers that are silent, close at once or speak of something else: told in time, and no zero."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Callable

import pytest

from hearth.keda.scalers.seam import ScalerError, TriggerConfig
from tests.component.keda.scaling import scaler, trigger
from tests.ports import free_port
from tests.waiting import until

_GROUP = {"consumerGroup": "g", "topic": "jobs"}
_STREAM = {"stream": "jobs", "consumer": "c", "account": "a"}
_TRIGGERS: dict[str, Callable[[str], TriggerConfig]] = {
    "redis": lambda at: trigger("redis", address=at, listName="jobs"),
    "redis-cluster": lambda at: trigger("redis-cluster", address=at, listName="jobs"),
    "redis-sentinel": lambda at: trigger("redis-sentinel", address=at, listName="jobs"),
    "redis-streams": lambda at: trigger("redis-streams", address=at, stream="jobs"),
    "amqp": lambda at: trigger("rabbitmq", host=f"amqp://{at}/", queueName="jobs"),
    "amqps": lambda at: trigger("rabbitmq", host=f"amqps://{at}/", queueName="jobs"),
    "management": lambda at: trigger("rabbitmq", host=f"http://{at}/", queueName="jobs"),
    "nats": lambda at: trigger("nats-jetstream", natsServerMonitoringEndpoint=at, **_STREAM),
    "kafka": lambda at: trigger("kafka", bootstrapServers=at, **_GROUP),
    "external": lambda at: trigger("external", scalerAddress=at),
    "external by TLS": lambda at: trigger("external", scalerAddress=at, enableTLS="true"),
    "external unsafe": lambda at: trigger(
        "external", scalerAddress=at, enableTLS="true", unsafeSsl="true"
    ),
    "metrics-api": lambda at: trigger(
        "metrics-api", url=f"http://{at}/", valueLocation="a", targetValue="1"
    ),
    "prometheus": lambda at: trigger(
        "prometheus", serverAddress=f"https://{at}", query="up", threshold="1"
    ),
}


@contextlib.asynccontextmanager
async def saying(words: bytes | None) -> AsyncIterator[str]:
    """A server that says so and closes; or, with nothing to say, that is silent."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            if words is None:
                while await reader.read(1000):
                    pass
            else:
                writer.write(words)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        for _ in range(
            5
        ):  # who has connected is taken in: asyncio forgets whom it accepts as it closes
            await asyncio.sleep(0)
        server.close()


@pytest.mark.parametrize(
    "words", [None, b"", b"HTTP/1.1 200 OK\r\n\r\n", b"\x00\x00\x00\x08 nonsense\n"]
)
@pytest.mark.parametrize("name", _TRIGGERS)
async def test_a_server_that_is_none(name, words):
    tasks = len(asyncio.all_tasks())
    async with saying(words) as address:
        config = dataclasses.replace(_TRIGGERS[name](address), timeout=0.2)
        async with scaler(config) as made, asyncio.timeout(60):
            for _ in range(2):
                with pytest.raises(ScalerError):
                    await made.read()
    await until(lambda: len(asyncio.all_tasks()) <= tasks)


@pytest.mark.parametrize("name", _TRIGGERS)
async def test_no_server(name):
    tasks = len(asyncio.all_tasks())
    config = _TRIGGERS[name](f"127.0.0.1:{free_port()}")
    async with scaler(config) as made, asyncio.timeout(60):
        with pytest.raises(ScalerError):
            await made.read()
    await until(lambda: len(asyncio.all_tasks()) <= tasks)
