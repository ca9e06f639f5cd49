"""The adapter of an IntegrationSink, against a server that answers as AWS does."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from pathlib import Path

import pytest
from aiohttp import ClientSession

from eventing.aws.faults import AwsFault
from eventing.sinks.main import SinkConfig, run
from hearth.kube.client import KubeClient
from tests.component.eventing.aws.awsserver import at, client
from tests.component.eventing.cluster import HEADERS
from tests.ports import free_port

PATH = "/integrationsinks/ns/s"


@contextlib.asynccontextmanager
async def sink(**spec):
    """The adapter; yields what sends to it and the task."""
    port, ready = free_port(), asyncio.Event()
    environment = {"K_SINK_CONFIG": json.dumps(spec)}
    config = SinkConfig(Path(), "127.0.0.1", port)
    task = asyncio.create_task(run(config, ready.set, environment))
    waiting = asyncio.create_task(ready.wait())
    try:
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED, timeout=60)
        if task.done():
            await task
        async with ClientSession() as session:

            async def send(body=b'{"a": 1}', **more):
                url = f"http://127.0.0.1:{port}{PATH}"
                async with session.post(url, data=body, headers=HEADERS | more) as answer:
                    return answer.status, await answer.text()

            yield send, task
    finally:
        waiting.cancel()
        task.cancel()
        await asyncio.wait({task})


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch):
    """No token is asked for in these tests, so nobody is asked for keys."""

    @contextlib.asynccontextmanager
    async def none(_kubeconfig):
        yield None

    monkeypatch.setattr(KubeClient, "from_kubeconfig", none)


async def received(sqs, url):
    told = await sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], AttributeNames=["All"]
    )
    return told.get("Messages") or []


async def test_events_are_logged(caplog):
    caplog.set_level(logging.DEBUG)
    log = {"loggerName": "mine", "level": "WARN", "showBody": True, "showHeaders": True}
    async with sink(log=log) as (send, _):
        assert await send(b"hello", **{"ce-team": "one"}) == (204, "")
        assert (await send(b"", **{"ce-type": ""}))[0] == 400
    [line] = [each for each in caplog.records if each.name == "mine"]
    assert line.levelname == "WARNING"
    assert "Body: hello" in line.getMessage() and "team: one" in line.getMessage()


async def test_events_become_messages(aws):
    async with client(aws, "sqs") as sqs:
        small = {"MaximumMessageSize": "1024"}
        url = (await sqs.create_queue(QueueName="q", Attributes=small))["QueueUrl"]
        async with sink(aws={"sqs": at(aws, arn="q")}) as (send, _):
            assert await send("ü".encode(), **{"ce-subject": "x", "ce-team": "one"}) == (204, "")
            [message] = await received(sqs, url)
            assert message["Body"] == "ü"
            told = {k: v["StringValue"] for k, v in message["MessageAttributes"].items()}
            assert told["ce-id"] == "1" and told["ce-type"] == "t" and told["ce-team"] == "one"
            assert told["content-type"] == "application/json"
            for bad in (b"\xff", b""):
                status, text = await send(bad)
                assert status == 400 and text.startswith("the ")
            status, text = await send(b"x" * 2000)
            assert status == 400 and "SendMessage on the queue q" in text
            batch = json.dumps(
                [
                    {"specversion": "1.0", "id": f"{n}", "source": "/s", "type": "t", "data": n}
                    for n in range(3)
                ]
            )
            kind = {"content-type": "application/cloudevents-batch+json"}
            assert (await send(batch, **kind))[0] == 204
            assert sorted(each["Body"] for each in await received(sqs, url)) == ["0", "1", "2"]


async def test_a_fifo_queue_drops_what_is_sent_twice(aws):
    async with client(aws, "sqs") as sqs:
        made = await sqs.create_queue(QueueName="q.fifo", Attributes={"FifoQueue": "true"})
        async with sink(aws={"sqs": at(aws, arn="q.fifo")}) as (send, _):
            for number in ("1", "1", "2"):
                status, text = await send(**{"ce-id": number, "ce-partitionkey": "k"})
                assert status == 204, text
            messages = await received(sqs, made["QueueUrl"])
        assert [each["MessageAttributes"]["ce-id"]["StringValue"] for each in messages] == [
            "1",
            "2",
        ]
        assert {each["Attributes"]["MessageGroupId"] for each in messages} == {"k"}


async def test_events_become_objects(aws):
    async with client(aws, "s3") as s3:
        spec = at(aws, arn="letters", forcePathStyle=True, autoCreateBucket=True)
        async with sink(aws={"s3": spec}) as (send, _):
            assert (await send(b"\xff\x00", **{"ce-subject": "ü"}))[0] == 204
            assert (await send(b"\xff\x00", **{"ce-subject": "ü"}))[0] == 204
            assert (await send(b"", **{"ce-file": "a/b.txt", "ce-id": "2"}))[0] == 204
        told = await s3.list_objects_v2(Bucket="letters")
        named, made = [each["Key"] for each in told["Contents"]]
        assert (named, len(made)) == ("a/b.txt", 36)
        found = await s3.get_object(Bucket="letters", Key=made)
        assert await found["Body"].read() == b"\xff\x00"
        assert found["ContentType"] == "application/json"
        assert found["Metadata"]["ce-id"] == "1" and found["Metadata"]["ce-subject"] == "%C3%BC"


@pytest.mark.parametrize("by_arn", [True, False])
async def test_events_become_notifications(aws, by_arn):
    async with client(aws, "sns") as sns, client(aws, "sqs") as sqs:
        arn = (await sns.create_topic(Name="news"))["TopicArn"]
        url = (await sqs.create_queue(QueueName="q"))["QueueUrl"]
        told = await sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        endpoint = told["Attributes"]["QueueArn"]
        await sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=endpoint)
        async with sink(aws={"sns": at(aws, arn=arn if by_arn else "news")}) as (send, _):
            assert (await send(b"hi", **{"ce-subject": "about"}))[0] == 204
            assert (await send(b"hi", **{"ce-subject": "ü", "ce-id": "2"}))[0] == 204
        notes = [json.loads(each["Body"]) for each in await received(sqs, url)]
        assert [(each["Message"], each.get("Subject")) for each in notes] == [
            ("hi", "about"),
            ("hi", None),
        ]
        assert notes[0]["MessageAttributes"]["ce-id"]["Value"] == "1"


@pytest.mark.parametrize(
    ("kind", "says"),
    [("s3", "no bucket gone"), ("sqs", "no queue gone"), ("sns", "no topic gone")],
)
async def test_what_is_not_there_is_told_or_made(aws, kind, says):
    spec = at(aws, arn="gone", forcePathStyle=True)
    with pytest.raises(AwsFault, match=says):
        async with sink(aws={kind: spec}):
            pass
    field = {"s3": "autoCreateBucket", "sqs": "autoCreateQueue", "sns": "autoCreateTopic"}[kind]
    async with sink(aws={kind: {**spec, field: True}}) as (send, _):
        assert (await send())[0] == 204


async def test_a_queue_that_goes_away_is_503_and_then_ends_it_with_a_word(aws):
    async with client(aws, "sqs") as sqs:
        url = (await sqs.create_queue(QueueName="q"))["QueueUrl"]
        async with sink(aws={"sqs": at(aws, arn="q")}) as (send, task):
            assert (await send())[0] == 204
            await sqs.delete_queue(QueueUrl=url)
            for _ in range(3):
                status, text = await send()
                assert status == 503 and "there is no queue q in us-east-1" in text
            await asyncio.wait({task}, timeout=60)
            with pytest.raises(AwsFault, match="there is no queue q"):
                task.result()


@pytest.mark.parametrize("config", ["", "[1]", "{}", '{"aws": {}}'])
async def test_what_says_nothing_is_refused(config):
    with pytest.raises(ValueError, match=r"says nothing|nothing is named"):
        await run(SinkConfig(Path(), "127.0.0.1", 0), lambda: None, {"K_SINK_CONFIG": config})
