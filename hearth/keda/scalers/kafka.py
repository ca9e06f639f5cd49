"""kafka, apache-kafka: how far a consumer group is behind the ends of its topics.

Both types are read alike. Without a topic that means all topics for which the group has committed
offsets, of a group without members too.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from aiokafka.client import AIOKafkaClient, CoordinationType
from aiokafka.errors import for_code
from aiokafka.protocol.commit import OffsetFetchRequest
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.offset import OffsetRequest

from hearth.keda.scalers.kafka_lag import Lag, Partition
from hearth.keda.scalers.kafka_settings import ApacheSettings, Common, KafkaSettings
from hearth.keda.scalers.kafka_tokens import TokenProvider
from hearth.keda.scalers.params import read_params
from hearth.keda.scalers.polled import Kept, Polled, parsing, polled
from hearth.keda.scalers.seam import ConfigError, Reading, ScalerError, TriggerConfig
from hearth.keda.scalers.tls import client_context

logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what fails is told by our error

_NEWEST, _ANY_REPLICA, _UNCOMMITTED = -1, -1, 0
_MECHANISMS = {
    "plaintext": "PLAIN",
    "scram_sha256": "SCRAM-SHA-256",
    "scram_sha512": "SCRAM-SHA-512",
    "oauthbearer": "OAUTHBEARER",
}


def make(config: TriggerConfig) -> Polled:
    """Return the scaler of a ``kafka`` trigger. Raises ConfigError."""
    with parsing("kafka", "kafka"):
        settings = read_params(KafkaSettings, config)
    return _made(config, settings, settings.sasl, settings.unsafe_ssl)


def make_apache(config: TriggerConfig) -> Polled:
    """Return the scaler of an ``apache-kafka`` trigger. Raises ConfigError."""
    with parsing("kafka"):
        for name in ("sasl", "tls"):
            if config.metadata.get(name) and config.auth.get(name):
                raise ConfigError(
                    f"unable to set `{name}` in both ScaledObject and TriggerAuthentication "
                    "together"
                )
        with parsing("kafka"):
            settings = read_params(ApacheSettings, config)
    return _made(config, settings, settings.sasl, unsafe_ssl=False)


def _made(config: TriggerConfig, settings: Common, sasl: str, unsafe_ssl: bool) -> Polled:
    options = _options(config, settings, sasl, unsafe_ssl)
    lag, group = Lag(settings.rules), Group(settings)

    async def connect() -> AIOKafkaClient:
        client = AIOKafkaClient(**options)
        try:
            await client.bootstrap()
        except BaseException:
            await client.close()
            raise
        return client

    async def ask(client: AIOKafkaClient) -> Reading:
        return lag.reading(*await group.offsets(client))

    kept = Kept(connect, lambda each: each.close())
    what = ",".join(settings.topics) if settings.topics else f"{settings.group}-topics"
    return polled(
        config,
        f"kafka-{what}",
        target=settings.lag_threshold,
        activation=settings.activation,
        fetch=lambda: kept.ask(ask),
        doing="error reading the lag of the consumer group",
        closing=kept.close,
    )


def _options(
    config: TriggerConfig, settings: Common, sasl: str, unsafe_ssl: bool
) -> dict[str, Any]:
    secured, mechanism = settings.tls == "enable", _MECHANISMS.get(sasl)
    options: dict[str, Any] = {
        "bootstrap_servers": [each for each in settings.servers if each],
        "client_id": "hearth-keda",
        "request_timeout_ms": round(config.timeout * 1000),
        "security_protocol": f"{'SASL_' if mechanism else ''}{'SSL' if secured else 'PLAINTEXT'}",
    }
    if secured:
        options["ssl_context"] = client_context(
            ca=settings.ca,
            cert=settings.cert,
            key=settings.key,
            key_password=settings.key_password,
            unsafe=unsafe_ssl,
        )
    if mechanism:
        options |= {
            "sasl_mechanism": mechanism,
            "sasl_plain_username": settings.username,
            "sasl_plain_password": settings.password,
        }
    if isinstance(settings, KafkaSettings) and mechanism == "OAUTHBEARER":
        options["sasl_oauth_token_provider"] = TokenProvider(config, settings)
    return options


class Group:
    """A consumer group: what it committed, and where its partitions end."""

    def __init__(self, settings: Common) -> None:
        self._settings = settings

    async def offsets(
        self, client: AIOKafkaClient
    ) -> tuple[dict[Partition, int], dict[Partition, int]]:
        """Return both. Raises ScalerError, and whatever the client library has for faults."""
        if self._settings.topics:
            leaders = await self._leaders(client, self._settings.topics)
            return await self._committed(client, leaders), await self._ends(client, leaders)
        committed = await self._committed(client, None)
        leaders = await self._leaders(client, {topic for topic, _ in committed})
        return committed, await self._ends(client, leaders)

    async def _leaders(self, client: AIOKafkaClient, topics: Iterable[str]) -> dict[Partition, int]:
        if not (wanted := sorted(topics)):
            return {}
        request = MetadataRequest(wanted, allow_auto_topic_creation=False)
        said = (await client.send(client.get_random_node(), request)).to_object()
        found: dict[Partition, int] = {}
        for each in said["topics"]:
            _check(each["error_code"], f"error describing topics: {each['topic']}")
            chosen = [part for part in each["partitions"] if self._counts(part["partition"])]
            if not chosen:
                raise ScalerError(
                    f"expected at least one active partition within the topic '{each['topic']}'"
                )
            found |= {(each["topic"], part["partition"]): part["leader"] for part in chosen}
        if not set(found.values()) <= {each.nodeId for each in client.cluster.brokers()}:
            await client.force_metadata_update()
        return found

    def _counts(self, partition: int) -> bool:
        limited = self._settings.partitions if self._settings.topics else ()
        return not limited or partition in limited

    async def _committed(
        self, client: AIOKafkaClient, asked: Iterable[Partition] | None
    ) -> dict[Partition, int]:
        group = self._settings.group
        coordinator = await client.coordinator_lookup(CoordinationType.GROUP, group)
        topics = None if asked is None else list(_by_topic(asked).items())
        said = await client.send(coordinator, OffsetFetchRequest(group, topics))
        _check(getattr(said, "error_code", 0), "error listing consumer group offsets")
        found = {}
        for topic, partitions in said.topics:
            for partition, offset, _, error, *_ in partitions:
                _check(error, f"error finding the offset of partition {partition} of {topic}")
                found[topic, partition] = offset
        return found

    async def _ends(
        self, client: AIOKafkaClient, leaders: dict[Partition, int]
    ) -> dict[Partition, int]:
        found = {}
        for leader in sorted(set(leaders.values())):
            asked = _by_topic(at for at, node in leaders.items() if node == leader)
            topics = [(topic, [(each, _NEWEST) for each in of]) for topic, of in asked.items()]
            said = await client.send(leader, OffsetRequest(_ANY_REPLICA, _UNCOMMITTED, topics))
            for topic, partitions in said.topics:
                for partition, error, *rest in partitions:
                    _check(error, f"error finding the end of partition {partition} of {topic}")
                    found[topic, partition] = rest[-1]
        if missing := leaders.keys() - found.keys():
            raise ScalerError(f"the end of partition {min(missing)} was not told")
        return found


def _by_topic(partitions: Iterable[Partition]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for topic, partition in partitions:
        found[topic].append(partition)
    return found


def _check(code: int, doing: str) -> None:
    if code:
        raise ScalerError(f"{doing}: {for_code(code).__name__}")
