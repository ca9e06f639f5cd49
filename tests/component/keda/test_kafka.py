"""kafka and apache-kafka, against a broker that speaks Kafka's protocol (Tansu)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from hearth.keda.scalers.seam import Reading, ScalerError
from tests.component.keda import servers
from tests.component.keda.scaling import read, scaler, trigger
from tests.ports import free_port

_TYPES = ("kafka", "apache-kafka")


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> Iterator[str]:
    with servers.kafka(tmp_path_factory.mktemp("kafka")) as port:
        yield f"127.0.0.1:{port}"


@pytest.fixture
async def topic(address, request) -> AsyncIterator[str]:
    """A topic of three partitions, each with three messages."""
    name = request.node.originalname.replace("_", "-")
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    await admin.create_topics([NewTopic(name, 3, 1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=address) as producer:
        for number in range(9):
            await producer.send_and_wait(name, b"job", partition=number % 3)
    yield name


async def commit(address: str, group: str, topic: str, *offsets: int) -> None:
    """Say of a group how far it has read each partition."""
    consumer = AIOKafkaConsumer(bootstrap_servers=address, group_id=group, enable_auto_commit=False)
    await consumer.start()
    places = {TopicPartition(topic, number): offset for number, offset in enumerate(offsets)}
    consumer.assign(list(places))
    await consumer.commit(places)
    await consumer.stop()


async def test_the_lag_of_all_partitions_counts(address, topic):
    await commit(address, "workers", topic, 1, 3, 0)
    for type_ in _TYPES:
        said = {"bootstrapServers": address, "consumerGroup": "workers", "topic": topic}
        async with scaler(trigger(type_, **said, lagThreshold="5")) as made:
            assert (made.spec.name, made.spec.target) == (f"s0-kafka-{topic}", 5)
            assert await made.read() == Reading(5, True)
        few = trigger(type_, **said, partitionLimitation="1-2", activationLagThreshold="3")
        assert await read(few) == Reading(3, False)


async def test_a_group_that_committed_nothing_has_one_or_all_or_nothing_to_do(address, topic):
    for type_ in _TYPES:
        said = {"bootstrapServers": address, "consumerGroup": "new", "topic": topic}
        assert await read(trigger(type_, **said)) == Reading(3, True)
        assert await read(trigger(type_, **said, offsetResetPolicy="earliest")) == Reading(9, True)
        nothing = trigger(type_, **said, scaleToZeroOnInvalidOffset="true")
        assert await read(nothing) == Reading(0, False)


async def test_lag_that_stays_does_not_count_but_keeps_it_active(address, topic):
    await commit(address, "stuck", topic, 1, 3, 3)
    said = {"bootstrapServers": address, "consumerGroup": "stuck", "topic": topic}
    async with scaler(trigger("kafka", **said, excludePersistentLag="true")) as made:
        assert await made.read() == Reading(2, True)
        assert await made.read() == Reading(0, True)
        await commit(address, "stuck", topic, 2)
        assert await made.read() == Reading(1, True)


async def test_a_topic_that_is_not_there_is_a_failure_and_is_not_made(address):
    config = trigger("kafka", bootstrapServers=address, consumerGroup="g", topic="nothing")
    for _ in range(2):
        with pytest.raises(ScalerError, match="error describing topics: nothing: UnknownTopic"):
            await read(config)


async def test_no_broker_is_a_failure():
    nobody = f"127.0.0.1:{free_port()},127.0.0.1:{free_port()}"
    config = trigger("kafka", bootstrapServers=nobody, consumerGroup="g", topic="jobs")
    with pytest.raises(ScalerError, match="Unable to bootstrap"):
        await read(config)
