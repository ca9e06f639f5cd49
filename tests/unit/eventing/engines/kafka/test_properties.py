"""Settings of upstream's data plane, in Java's words."""

from __future__ import annotations

import pytest
from confluent_kafka import Consumer, Producer

from eventing.engines.kafka.properties import consumer_settings, producer_settings

PRODUCER = """
key.serializer=org.apache.kafka.common.serialization.StringSerializer
acks=all
# compression.type=snappy
compression.type = lz4
batch.size=16384
linger.ms=0
delivery.timeout.ms=120000
enable.idempotence=false
max.in.flight.requests.per.connection=5
metadata.max.age.ms=300000
client.dns.lookup=use_all_dns_ips
connections.max.idle.ms=600000
reconnect.backoff.max.ms=1000
reconnect.backoff.ms=50
retry.backoff.ms=100
"""
CONSUMER = """
fetch.min.bytes=1
fetch.max.bytes=52428800
fetch.max.wait.ms=500
max.partition.fetch.bytes=65536
session.timeout.ms=10000
auto.offset.reset=latest
isolation.level=read_uncommitted
check.crcs=true
! client.rack=a
"""


def test_what_upstream_ships_means_the_same_here() -> None:
    made = producer_settings(PRODUCER)
    assert made["compression.type"] == "lz4"
    assert made["topic.metadata.refresh.interval.ms"] == "300000"
    assert made.keys().isdisjoint({"acks", "enable.idempotence", "delivery.timeout.ms"})
    read = consumer_settings(CONSUMER)
    assert read["fetch.wait.max.ms"] == "500"
    assert read["session.timeout.ms"] == "10000"
    assert read.keys().isdisjoint({"auto.offset.reset", "isolation.level", "client.rack"})


def test_librdkafka_takes_them() -> None:
    assert len(Producer(producer_settings(PRODUCER))) == 0
    said = {"group.id": "g", **consumer_settings(CONSUMER)}
    consumer = Consumer(said)
    consumer.close()


@pytest.mark.parametrize("line", ["acks=1", "acks=0", "transactional.id=t"])
def test_what_promises_rest_on_is_not_changed(line: str) -> None:
    with pytest.raises(ValueError, match=line.split("=")[0]):
        producer_settings(line)
