"""nats-jetstream, against a real NATS with JetStream, alone and as a cluster of three."""

from __future__ import annotations

from collections.abc import Iterator

import nats
import pytest

from hearth.keda.scalers.seam import Reading, ScalerError, TriggerConfig
from tests.component.keda import servers
from tests.component.keda.scaling import read, scaler, trigger
from tests.ports import free_port, free_ports


@pytest.fixture(scope="module")
def ports(tmp_path_factory) -> Iterator[tuple[int, int]]:
    with servers.nats(tmp_path_factory.mktemp("nats")) as found:
        yield found


def jobs(monitoring: int, host: str = "127.0.0.1", **more: str) -> TriggerConfig:
    return trigger(
        "nats-jetstream",
        natsServerMonitoringEndpoint=f"{host}:{monitoring}",
        account="$G",
        stream="jobs",
        consumer="workers",
        **more,
    )


async def filled(port: int, *, replicas: int = 1) -> None:
    """A stream of five messages: two are being worked on, one is done."""
    client = await nats.connect(f"nats://127.0.0.1:{port}")
    stream = client.jetstream()
    await stream.add_stream(name="jobs", subjects=["jobs.*"], num_replicas=replicas)
    for number in range(5):
        await stream.publish("jobs.new", str(number).encode())
    consumer = await stream.pull_subscribe("jobs.*", durable="workers")
    first, *_ = await consumer.fetch(3)
    await first.ack_sync()
    await client.close()


async def test_what_is_pending_and_what_is_not_acknowledged_counts(ports):
    await filled(ports[0])
    async with scaler(jobs(ports[1], activationLagThreshold="3", lagThreshold="2")) as made:
        assert (made.spec.name, made.spec.target) == ("s0-nats-jetstream-jobs", 2)
        assert await made.read() == Reading(4, True)
    with pytest.raises(ScalerError, match='consumer "others" not found in stream "jobs"'):
        await read(trigger("nats-jetstream", **{**jobs(ports[1]).metadata, "consumer": "others"}))


async def test_in_a_cluster_the_leader_is_found_and_asked_again(tmp_path):
    with servers.nats_cluster(tmp_path) as found:
        await filled(found[0].port, replicas=3)
        for each in found:
            async with scaler(jobs(each.monitoring, each.host)) as made:
                assert await made.read() == Reading(4, True)
                assert await made.read() == Reading(4, True)


async def test_a_server_that_comes_back_is_asked_by_the_same_scaler(tmp_path):
    port, monitoring = free_ports(2)
    async with scaler(jobs(monitoring)) as made:
        for number in range(2):
            with servers.nats(tmp_path, port, monitoring):
                if not number:
                    await filled(port)
                assert await made.read() == Reading(4, True)
            with pytest.raises(ScalerError, match="error asking NATS JetStream"):
                await made.read()


async def test_no_server_and_another_one_are_failures():
    with pytest.raises(ScalerError, match="error asking NATS JetStream"):
        await read(jobs(free_port()))
