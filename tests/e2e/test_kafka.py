"""samples/kafka.yaml as a user has it, against a server that speaks Kafka's protocol."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from tests.component.keda import servers
from tests.e2e.support import SAMPLES, Hearth, wait_until


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with servers.kafka(tmp_path_factory.mktemp("kafka")) as port:
        yield f"127.0.0.1:{port}"


def write(server: str, *values: str) -> None:
    # Tansu says of a batch of several records that the topic ends after the first.
    producer = Producer({"bootstrap.servers": server, "batch.num.messages": 1})
    for value in values:
        producer.produce("readings", value, key="k", headers={"content-type": "text/plain"})
    assert producer.flush(60) == 0


def archived(server: str, count: int) -> list[dict[str, object]]:
    """The events in the topic of the sink; one of its partitions has all with one key."""
    consumer = Consumer({"bootstrap.servers": server, "group.id": "reader"})
    try:
        consumer.assign([TopicPartition("archive", each, 0) for each in range(3)])
        found: list[dict[str, object]] = []
        while len(found) < count:
            told = consumer.consume(count - len(found), 20)
            assert told, f"{len(found)} of {count} came"
            found += [json.loads(each.value() or b"{}") for each in told if each.error() is None]
        return found
    finally:
        consumer.close()


def consumers(hearth: Hearth) -> int:
    """How many pods of the source there are, those that end included."""
    return len(hearth.get_json("pods", "-l", "eventing.knative.dev/sourceName=readings")["items"])


def test_records_go_from_a_source_to_a_sink(hearth: Hearth, server: str) -> None:
    admin = AdminClient({"bootstrap.servers": server})
    admin.create_topics([NewTopic("readings", 1, 1)])["readings"].result(60)
    text = (SAMPLES / "kafka.yaml").read_text().replace("localhost:9092", server)
    hearth.kubectl("apply", "-f", "-", stdin=text)
    for each in ("kafkasink/archive", "kafkasource/readings"):
        hearth.kubectl("wait", "--for=condition=Ready", each, "--timeout=90s")
    write(server, "one", "two")
    events = archived(server, 2)
    assert [each["data"] for each in events] == ["one", "two"]
    assert {each["type"] for each in events} == {"dev.knative.kafka.event"}
    assert events[0]["source"] == "/apis/v1/namespaces/default/kafkasources/readings#readings"
    assert events[0]["partitionkey"] == "k"
    # What `kn source list-types` and `kn source list` go by, and what kubectl shows.
    selected = hearth.kubectl("get", "crd", "-l", "duck.knative.dev/source=true", "-o", "name")
    assert "kafkasources.sources.knative.dev" in selected.stdout
    head, row = hearth.kubectl("get", "kafkasources").stdout.splitlines()
    assert head.split() == ["NAME", "TOPICS", "BOOTSTRAPSERVERS", "READY", "REASON", "AGE"]
    assert row.split()[:4] == ["readings", '["readings"]', f'["{server}"]', "True"]
    assert "readings" in hearth.kubectl("get", "sources").stdout


def test_keda_scales_it_by_its_lag_from_zero(hearth: Hearth, server: str) -> None:
    """A ScaledObject is made for it, by upstream's flag and annotations."""
    features = {"controller-autoscaler-keda": "enabled"}
    where = {"name": "config-kafka-features", "namespace": "knative-eventing"}
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": where, "data": features}
    prefix, numbers = "autoscaling.eventing.knative.dev", ("polling-interval", "cooldown-period")
    marks = [f"{prefix}/{each}=1" for each in numbers]
    hearth.kubectl("annotate", "kafkasource", "readings", *marks)
    hearth.apply(config)
    wait_until(lambda: not consumers(hearth), what="none while nothing lags")
    write(server, "three")
    assert [each["data"] for each in archived(server, 3)] == ["one", "two", "three"]


def test_what_is_deleted_takes_its_topic_along(hearth: Hearth, server: str) -> None:
    hearth.kubectl("delete", "kafkasource/readings", "kafkasink/archive")
    admin = AdminClient({"bootstrap.servers": server})
    wait_until(
        lambda: {*admin.list_topics(timeout=60).topics} == {"readings"}, what="the end of archive"
    )
