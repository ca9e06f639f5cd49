"""kafka and apache-kafka, against a broker that speaks Kafka's protocol (Tansu)."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Iterator

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from hearth.keda.scalers.kafka_settings import KafkaSettings
from hearth.keda.scalers.kafka_tokens import TokenProvider
from hearth.keda.scalers.params import read_params
from hearth.keda.scalers.seam import Reading, ScalerError
from tests.component.keda import servers
from tests.component.keda.kafkawire import Broker, speaking
from tests.component.keda.pki import Authority
from tests.component.keda.scaling import read, scaler, trigger
from tests.component.keda.webserver import answering
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


async def test_a_broker_that_comes_back_is_asked_by_the_same_scaler(tmp_path):
    port = free_port()
    address = f"127.0.0.1:{port}"
    config = trigger("kafka", bootstrapServers=address, consumerGroup="g", topic="jobs")
    async with scaler(config) as made:
        for _ in range(2):
            with servers.kafka(tmp_path, port), pytest.raises(ScalerError, match="UnknownTopic"):
                await made.read()
            with pytest.raises(ScalerError, match=r"Connection|bootstrap"):
                await made.read()


async def test_no_broker_is_a_failure():
    nobody = f"127.0.0.1:{free_port()},127.0.0.1:{free_port()}"
    config = trigger("kafka", bootstrapServers=nobody, consumerGroup="g", topic="jobs")
    with pytest.raises(ScalerError, match="Unable to bootstrap"):
        await read(config)


async def test_without_a_topic_all_that_the_group_committed_counts():
    committed, ends = {"a": [1, 3], "b": [0]}, {"a": [5, 5], "b": [2]}
    async with speaking(Broker(committed, ends)) as broker:
        said = {"bootstrapServers": f"127.0.0.1:{broker.port}", "consumerGroup": "g"}
        for type_ in _TYPES:
            async with scaler(trigger(type_, **said)) as made:
                assert made.spec.name == "s0-kafka-g-topics"
                assert await made.read() == Reading(8, True)
        broker.error = 29
        with pytest.raises(ScalerError, match="partition 0 of a: TopicAuthorizationFailed"):
            await read(trigger("kafka", **said))
        broker.committed, broker.error = {}, 0
        assert await read(trigger("kafka", **said)) == Reading(0, False)


async def test_by_tls_with_an_authority_and_a_certificate_of_the_client(tmp_path):
    authority = Authority()
    context = authority.server_context(tmp_path, "127.0.0.1", ask=True)
    pair = authority.issue("client", password="key-word")
    shown = {"cert": pair.cert, "key": pair.key, "keyPassword": "key-word"}
    async with speaking(Broker({"jobs": [3]}, {"jobs": [5]}), context=context) as broker:
        said = {"consumerGroup": "g", "topic": "jobs", "tls": "enable"}
        config = trigger("kafka", bootstrapServers=f"127.0.0.1:{broker.port}", **said)
        known = dataclasses.replace(config, auth={**shown, "ca": authority.cert})
        assert await read(known) == Reading(2, True)
        for auth in (shown, {"ca": authority.cert}):
            with pytest.raises(ScalerError, match="Unable to bootstrap"):
                await read(dataclasses.replace(config, auth=auth))
        unsafe = dataclasses.replace(config, metadata={**config.metadata, "unsafeSsl": "true"})
        assert await read(dataclasses.replace(unsafe, auth=shown)) == Reading(2, True)


async def test_a_bearer_token_is_that_of_an_authorization_server():
    config = trigger("kafka", bootstrapServers="here:1", consumerGroup="g", sasl="oauthbearer")
    async with answering(lambda asked: {"access_token": "given"}) as server:
        auth = {
            "username": "me",
            "password": "word",
            "oauthTokenEndpointUri": f"{server.url}/token",
            "scopes": "a,b",
            "oauthExtensions": "cluster=c",
        }
        given = dataclasses.replace(config, auth=auth)
        provider = TokenProvider(given, read_params(KafkaSettings, given))
        assert await provider.token() == "given"
        assert provider.extensions() == {"cluster": "c"}
    assert server.asked[0].body == b"grant_type=client_credentials&scope=a+b"


@pytest.mark.parametrize(
    ("sasl", "mechanism"),
    [
        ("plaintext", "PLAIN"),
        ("scram_sha256", "SCRAM-SHA-256"),
        ("scram_sha512", "SCRAM-SHA-512"),
    ],
)
async def test_who_comes_by_sasl_has_to_know_the_password(sasl, mechanism):
    said = {"consumerGroup": "g", "topic": "jobs", "sasl": sasl}
    server = Broker({"jobs": [3]}, {"jobs": [5]}, user=("me", "right"), mechanism=mechanism)
    async with speaking(server) as broker:
        for type_ in _TYPES:
            config = trigger(type_, bootstrapServers=f"127.0.0.1:{broker.port}", **said)
            right = {"username": "me", "password": "right"}
            assert await read(dataclasses.replace(config, auth=right)) == Reading(2, True)
            wrong = {"username": "me", "password": "wrong-word"}
            with pytest.raises(ScalerError, match="Unable to bootstrap") as refused:
                await read(dataclasses.replace(config, auth=wrong))
            assert "wrong-word" not in str(refused.value)
