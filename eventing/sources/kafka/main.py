"""The adapter of one KafkaSource: ``hearth run kafkasource``, one pod for each of its consumers.

What to read comes in ``K_SOURCE_CONFIG``, where to send in the variables that a SinkBinding sets.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Mapping

from eventing.api.apiserveradapter import CONFIG
from eventing.api.kafkaadapter import KafkaAdapterConfig
from eventing.engines.kafka.config import KafkaServer
from eventing.engines.kafka.security import security_of
from eventing.kinds.binding import DEAD_LETTER_TOKEN
from eventing.runtime.policy import DeliveryPolicy
from eventing.sources.delivery import delivering
from eventing.sources.kafka.deliveries import Deliveries, Outlet, Partition
from eventing.sources.kafka.events import Origin
from eventing.sources.kafka.metrics import LAG
from eventing.sources.tokens import mounted_token

_NOTHING: Mapping[str, str] = {}


async def run(
    ready: Callable[[], None],
    environment: Mapping[str, str] = os.environ,
    *,
    settings: Mapping[str, str] = _NOTHING,
) -> None:
    """Send the records of topics, until cancelled; raise ValueError for what the user has to mend.

    ``settings`` are more of librdkafka's.
    """
    config = KafkaAdapterConfig.from_json(environment.get(CONFIG, ""))
    try:
        from eventing.sources.kafka.consuming import Member
    except ImportError as error:
        raise ValueError(f"{error.name} is missing: install hearth-serving[kafka]") from error

    server = KafkaServer(",".join(config.servers), security_of(config.security(environment)))
    origin = Origin(config.namespace, config.name, config.key_type)
    policy = DeliveryPolicy.from_spec(config.delivery)
    async with delivering(environment, "kafkasource", policy) as delivery:
        outlet = Outlet(delivery, origin, config.dead_letter, mounted_token(DEAD_LETTER_TOKEN))
        deliveries = Deliveries(outlet, origin, delivery.overrides, ordered=config.ordered)
        member = Member(
            {**server.common(), **settings, "group.id": config.group},
            config.topics,
            deliveries,
            earliest=config.earliest,
            lag=_lag_of(origin),
        )
        try:
            await member.open()
            ready()
            await member.run()
        finally:
            await asyncio.shield(member.close())


def _lag_of(origin: Origin) -> Callable[[Partition, int | None], None]:
    def tell(of: Partition, lag: int | None) -> None:
        labels = (origin.namespace, origin.name, of.topic, str(of.number))
        if lag is not None:
            LAG.labels(*labels).set(lag)
            return
        with contextlib.suppress(KeyError):
            LAG.remove(*labels)

    return tell
