"""rabbitmq, by AMQP and by the management API, against a real RabbitMQ."""

from __future__ import annotations

import asyncio
import dataclasses
import urllib.parse
from collections.abc import AsyncIterator, Iterator

import aio_pika
import httpx
import pytest

from hearth.keda.scalers.seam import Reading, ScalerError
from tests.component.keda import servers
from tests.component.keda.scaling import read, scaler, trigger
from tests.ports import free_port
from tests.waiting import until


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[servers.RabbitMQ]:
    with servers.rabbitmq(tmp_path_factory.mktemp("rabbitmq")) as found:
        yield found


@pytest.fixture
def amqp(server) -> str:
    return f"amqp://guest:guest@127.0.0.1:{server.amqp}/"


@pytest.fixture
def management(server) -> str:
    return f"http://guest:guest@127.0.0.1:{server.management}/"


@pytest.fixture
async def channel(amqp) -> AsyncIterator[aio_pika.abc.AbstractChannel]:
    async with await aio_pika.connect(amqp) as connection, connection.channel() as made:
        yield made


async def publish(channel: aio_pika.abc.AbstractChannel, queue: str, count: int) -> None:
    await channel.declare_queue(queue)
    for _ in range(count):
        await channel.default_exchange.publish(aio_pika.Message(b"job"), queue)


async def eventually(config, wanted: Reading) -> None:
    """The management API tells what was, a little while ago."""
    async with scaler(config) as made:
        async with asyncio.timeout(60):
            while True:
                try:
                    if await made.read() == wanted:
                        return
                except ScalerError:  # a queue of which it does not know yet
                    continue


async def test_a_queue_is_as_long_as_it_is_by_either_way(channel, amqp, management):
    await publish(channel, "jobs/new 1", 3)
    said = {"queueName": "jobs/new 1", "mode": "QueueLength", "value": "2"}
    async with scaler(trigger("rabbitmq", host=amqp, **said)) as made:
        assert (made.spec.name, made.spec.target) == ("s0-rabbitmq-jobs-2Fnew+1", 2)
        assert await made.read() == Reading(3, True)
        assert await made.read() == Reading(3, True)
    await eventually(trigger("rabbitmq", host=management, **said), Reading(3, True))
    above = trigger("rabbitmq", host=amqp, activationValue="3", **said)
    assert await read(above) == Reading(3, False)


async def test_messages_that_are_being_worked_on_may_be_left_out(channel, management):
    await publish(channel, "busy", 3)
    await channel.set_qos(prefetch_count=1)
    queue = await channel.get_queue("busy")
    got: list[object] = []

    async def take(message: object) -> None:
        got.append(message)

    tag = await queue.consume(take)
    await until(lambda: got)
    said = {"host": management, "queueName": "busy", "mode": "QueueLength", "value": "1"}
    await eventually(trigger("rabbitmq", **said), Reading(3, True))
    config = trigger("rabbitmq", **said, excludeUnacknowledged="true")
    await eventually(config, Reading(2, True))
    await queue.cancel(tag)


async def test_queues_of_one_name_are_one(channel, management):
    for queue, count in (("many-1", 1), ("many-2", 3), ("other", 9)):
        await publish(channel, queue, count)
    said = {"host": management, "queueName": "^many-", "useRegex": "true"}
    for operation, count in (("sum", 4), ("max", 3), ("avg", 2)):
        config = trigger("rabbitmq", **said, operation=operation)
        await eventually(config, Reading(count, True))
    with pytest.raises(ScalerError, match="regex matches more queues than can be recovered"):
        await read(trigger("rabbitmq", **said, pageSize="1"))


async def test_a_rate_is_what_comes_in_a_second(channel, management):
    await publish(channel, "fast", 50)
    config = trigger("rabbitmq", host=management, queueName="fast", mode="MessageRate", value="1")
    async with scaler(config) as made:
        async with asyncio.timeout(60):
            while (await made.read()).value == 0:
                await publish(channel, "fast", 1)
        assert (await made.read()).is_active


async def test_another_virtual_host_is_named_by_the_trigger_or_the_url(channel, server, management):
    async with httpx.AsyncClient(auth=("guest", "guest"), timeout=60) as client:
        base = f"http://127.0.0.1:{server.management}/api"
        vhost = urllib.parse.quote("team/a", safe="")
        await client.put(f"{base}/vhosts/{vhost}")
        queue = await client.put(f"{base}/queues/{vhost}/jobs", json={})
        assert queue.is_success
    said = {"queueName": "jobs", "vhostName": "team/a"}
    await eventually(trigger("rabbitmq", host=management, **said), Reading(0, False))
    in_url = trigger("rabbitmq", host=f"{management}{vhost}", queueName="jobs")
    await eventually(in_url, Reading(0, False))
    amqp = f"amqp://guest:guest@127.0.0.1:{server.amqp}"
    assert await read(trigger("rabbitmq", host=amqp, **said)) == Reading(0, False)


async def test_a_queue_that_is_not_there_is_a_failure_and_no_zero(amqp, management):
    with pytest.raises(ScalerError, match=r"error inspecting RabbitMQ: .*NOT_FOUND"):
        await read(trigger("rabbitmq", host=amqp, queueName="nothing"))
    with pytest.raises(ScalerError, match="answered with status 404"):
        await read(trigger("rabbitmq", host=management, queueName="nothing"))


async def test_a_wrong_password_and_no_server_are_told_without_secrets(server):
    for protocol, port in (("amqp", server.amqp), ("http", server.management)):
        config = trigger("rabbitmq", host=f"{protocol}://127.0.0.1:{port}/", queueName="jobs")
        wrong = dataclasses.replace(config, auth={"username": "guest", "password": "wrong-word"})
        with pytest.raises(ScalerError, match="error inspecting RabbitMQ") as refused:
            await read(wrong)
        assert "wrong-word" not in str(refused.value)
    for protocol in ("amqp", "http"):
        nobody = f"{protocol}://guest:hidden-word@127.0.0.1:{free_port()}/"
        with pytest.raises(ScalerError, match="error inspecting RabbitMQ") as refused:
            await read(trigger("rabbitmq", host=nobody, queueName="jobs"))
        assert "hidden-word" not in str(refused.value)


async def test_by_tls_with_an_authority_and_a_certificate_of_the_client(channel, server):
    await publish(channel, "secured", 1)
    pair = server.authority.issue("client", password="key-word")
    auth = {
        "tls": "enable",
        "ca": server.authority.cert,
        "cert": pair.cert,
        "key": pair.key,
        "keyPassword": "key-word",
        "username": "guest",
        "password": "guest",
    }
    for scheme, port in (("amqps", server.amqps), ("https", server.secured)):
        said = {"host": f"{scheme}://127.0.0.1:{port}/", "queueName": "secured"}
        config = dataclasses.replace(trigger("rabbitmq", **said), auth=auth)
        await eventually(config, Reading(1, True))
        with pytest.raises(ScalerError, match=r"CERTIFICATE_VERIFY_FAILED|verify failed"):
            await read(dataclasses.replace(config, auth={**auth, "ca": ""}))
        unsafe = {**config.metadata, "unsafeSsl": "true"}
        given = dataclasses.replace(config, metadata=unsafe, auth={**auth, "ca": ""})
        assert await read(given) == Reading(1, True)
        nobody = {key: value for key, value in auth.items() if key not in ("cert", "key")}
        with pytest.raises(ScalerError, match="error inspecting RabbitMQ"):
            await read(dataclasses.replace(config, auth=nobody))
