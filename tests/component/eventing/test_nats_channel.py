"""NatsJetStreamChannels against a real server: alone, behind Channels, under flows."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterator

import pytest

from eventing.api import keys
from hearth.knative.resources import (
    CHANNELS,
    NATSJETSTREAMCHANNELS,
    PARALLELS,
    SEQUENCES,
    SUBSCRIPTIONS,
)
from hearth.kube.resources import CONFIGMAPS
from tests.component.eventing.cluster import HEADERS, cluster, condition, next_of, sink
from tests.component.eventing.test_nats_broker import config, name_server, streams
from tests.component.keda import servers

OF_NATS = {"apiVersion": NATSJETSTREAMCHANNELS.api_version, "kind": NATSJETSTREAMCHANNELS.kind}
BY_DEFAULT = """clusterDefault:
  apiVersion: messaging.knative.dev/v1alpha1
  kind: NatsJetStreamChannel
  spec: {stream: {config: {maxMsgs: 500}}}
"""


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with servers.nats(tmp_path_factory.mktemp("nats")) as (port, _):
        yield port


def loops_back(found):
    """A broker that finds in-cluster hosts at its own ingress, as through a gateway."""
    return dataclasses.replace(config(found), gateway_address=("127.0.0.1", found.port))


def a_channel(name):
    return {"apiVersion": CHANNELS.api_version, "kind": "Channel", "name": name}


async def until_gone(stream, prefix):
    async with asyncio.timeout(60):
        while any(
            (each.config.name or "").startswith(prefix) for each in await stream.streams_info()
        ):
            await asyncio.sleep(0.01)


def reply(kind):
    return HEADERS | {"ce-id": f"of-{kind}", "ce-type": kind}


async def test_channels_are_of_that_kind_where_the_cluster_says_so(tmp_path, port):
    async with (
        cluster(tmp_path, make_config=loops_back) as found,
        sink(answer=reply("answer")) as (target, got),
        sink() as (other, other_got),
    ):
        await name_server(found.client, port)
        default = {"data": {"default-ch-config": BY_DEFAULT}}
        await found.client.patch(CONFIGMAPS, "default-ch-webhook", keys.SYSTEM_NAMESPACE, default)
        async with asyncio.timeout(60):  # until admission goes by it
            while True:
                made = await found.create(CHANNELS, "c")
                if made["spec"]["channelTemplate"]["kind"] == "NatsJetStreamChannel":
                    break
                await found.client.delete(CHANNELS, "c", "default")
                await asyncio.sleep(0.05)
        channel = await found.until_ready(CHANNELS, "c")
        url = "http://c-kn-jsm-channel.default.svc.cluster.local"
        assert channel["status"]["address"]["url"] == url
        await found.create(
            SUBSCRIPTIONS, "s", channel=a_channel("c"), subscriber=target, reply=other
        )
        await found.until_ready(SUBSCRIPTIONS, "s")
        assert await found.send_to(channel, **{"ce-id": "7"}) == 202
        assert (await next_of(got))["ce-id"] == "7"
        assert (await next_of(other_got))["ce-type"] == "answer"
        async with asyncio.timeout(60):
            while not (traced := (await found.told("/trace", id="7"))["journeys"]):
                await asyncio.sleep(0.05)
        assert traced[0]["place"].endswith("default/c"), traced
        listed = await found.told("/events", channel="default/c")
        assert [each["attributes"]["id"] for each in listed["events"]] == ["7"], listed
        async with streams(port) as stream:
            [events] = [it for it in await stream.streams_info() if it.config.max_msgs == 500]
            assert (events.config.name or "").startswith("HEARTH_channel_default_c_")
            await found.client.delete(CHANNELS, "c", "default")
            await until_gone(stream, "HEARTH_channel_default_c_")


async def test_flows_go_over_them(tmp_path, port):
    async with (
        cluster(tmp_path, make_config=loops_back) as found,
        sink(answer=reply("first")) as (first, _),
        sink(answer=reply("second")) as (second, second_got),
        sink() as (end, end_got),
    ):
        await name_server(found.client, port)
        of = {"channelTemplate": OF_NATS, "reply": end}
        await found.create(SEQUENCES, "q", steps=[first, second], **of)
        branches = [{"subscriber": first}, {"filter": second, "subscriber": first}]
        await found.create(PARALLELS, "p", branches=branches, **of)
        sequence = await found.until_ready(SEQUENCES, "q")
        assert await found.send_to(sequence) == 202
        assert (await next_of(second_got))["ce-type"] == "first"
        assert (await next_of(end_got))["ce-type"] == "second"
        parallel = await found.until_ready(PARALLELS, "p")
        assert await found.send_to(parallel) == 202
        assert {(await next_of(end_got))["ce-type"] for _ in range(2)} == {"first"}


async def test_a_spec_says_what_the_stream_is_to_be(tmp_path, port):
    async with cluster(tmp_path, make_config=loops_back) as found, sink() as (target, got):
        await name_server(found.client, port)
        spec = {
            "stream": {"overrideName": "ORDERS", "config": {"storage": "Tape"}},
            "consumerConfigTemplate": {"deliverPolicy": "All", "replayPolicy": "Instant"},
        }
        await found.create(NATSJETSTREAMCHANNELS, "c", **spec)

        def is_refused(channel):
            return condition(channel, keys.STREAM_READY)[0] == "False"

        said = await found.until(NATSJETSTREAMCHANNELS, "c", is_refused)
        text = "storage: 'Tape' is none of File, Memory"
        assert condition(said, keys.STREAM_READY)[1:] == ("DispatcherCreateStreamFailed", text)
        config = {"spec": {"stream": {"config": {"storage": "Memory"}}}}
        await found.client.patch(NATSJETSTREAMCHANNELS, "c", "default", config)
        channel = await found.until_ready(NATSJETSTREAMCHANNELS, "c")
        assert await found.send_to(channel, **{"ce-id": "early"}) == 202
        await found.create(SUBSCRIPTIONS, "s", channel={**OF_NATS, "name": "c"}, subscriber=target)
        assert (await next_of(got))["ce-id"] == "early", "a new subscriber gets what is kept"
        async with streams(port) as stream:
            info = await stream.stream_info("ORDERS")
            assert str(info.config.storage) == "memory"
            await stream.add_stream(name="THEIRS", subjects=["theirs"])
            await found.create(NATSJETSTREAMCHANNELS, "d", stream={"overrideName": "THEIRS"})
            said = await found.until(NATSJETSTREAMCHANNELS, "d", is_refused)
            assert condition(said, keys.STREAM_READY)[2] == "stream THEIRS is there, and not ours"
            for each in ("c", "d"):
                await found.client.delete(NATSJETSTREAMCHANNELS, each, "default")
            await until_gone(stream, "ORDERS")
            await stream.delete_stream("THEIRS")
