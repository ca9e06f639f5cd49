"""IntegrationSource with a bucket, against a server that answers as AWS does."""

from __future__ import annotations

import asyncio

import pytest

from eventing.aws.faults import AwsFault
from tests.component.eventing.aws.awsserver import adapter, at, client, process, sink
from tests.waiting import until


def bucket(url, **spec):
    usual = {
        "arn": "letters",
        "delay": 10,
        "maxMessagesPerPoll": 10,
        "deleteAfterRead": True,
        "forcePathStyle": True,
    }
    return {"s3": at(url, **{**usual, **spec})}


async def put(s3, *keys, name="letters"):
    await s3.create_bucket(Bucket=name)
    for key in keys:
        await s3.put_object(Bucket=name, Key=key, Body=key.encode(), ContentType="text/html")


async def keys(s3, name="letters"):
    told = await s3.list_objects_v2(Bucket=name)
    return [each["Key"] for each in told.get("Contents") or ()]


async def until_left(s3, *wanted):
    async with asyncio.timeout(60):
        while await keys(s3) != list(wanted):
            await asyncio.sleep(0.02)


async def test_objects_become_events_and_are_deleted(aws):
    async with client(aws, "s3") as s3, sink() as to:
        await put(s3, "in/a", "in/ü b", "out/c")
        async with adapter(to, **bucket(aws, arn="arn:aws:s3:::letters", prefix="in/")):
            await to.until(2)
            await until_left(s3, "out/c")
        headers, body = to.got[1]
        assert body == "in/ü b".encode()
        assert headers["ce-type"] == "dev.knative.eventing.aws-s3"
        assert headers["ce-source"] == "dev.knative.eventing.aws-s3-source"
        assert headers["ce-subject"] == "aws-s3-source"
        assert headers["ce-awss3bucket"] == "letters"
        assert headers["ce-awss3key"] == "in/%C3%BC%20b"
        assert headers["content-type"] == "text/html"


async def test_one_that_is_refused_holds_up_no_other_and_is_sent_again(aws):
    async with client(aws, "s3") as s3, sink() as to:
        await put(s3, "a", "b", "c")
        to.status = lambda body: 400 if body == b"a" else 200
        async with adapter(to, **bucket(aws, maxMessagesPerPoll=1)):
            await until_left(s3, "a")
            to.status = lambda body: 200
            await until_left(s3)
        first, *_ = (each["ce-id"] for each, body in to.got if body == b"a")
        assert {each["ce-id"] for each, body in to.got if body == b"a"} == {first}
        assert to.bodies().count(b"b") == to.bodies().count(b"c") == 1


async def test_what_is_not_deleted_is_sent_once_and_again_when_it_changes(aws):
    async with client(aws, "s3") as s3, sink() as to:
        await put(s3, "a", "b")
        async with adapter(to, **bucket(aws, deleteAfterRead=False, ignoreBody=True)):
            await to.until(2)
            await s3.put_object(Bucket="letters", Key="b", Body=b"new")
            await to.until(3)
            await s3.put_object(Bucket="letters", Key="c", Body=b"c")
            await to.until(4)
        sent = [headers["ce-awss3key"] for headers, _ in to.got]
        assert sent == ["a", "b", "b", "c"] and to.bodies() == [b""] * 4
        assert len(set(to.ids())) == 4
        assert await keys(s3) == ["a", "b", "c"]


async def test_one_that_is_too_large_stays_and_holds_up_no_other(aws, monkeypatch):
    monkeypatch.setattr("eventing.sources.integration.aws.s3.MOST_BYTES", 3)
    async with client(aws, "s3") as s3, sink() as to:
        await put(s3, "a", "large", "z")
        async with adapter(to, **bucket(aws)):
            await until_left(s3, "large")
        assert to.bodies() == [b"a", b"z"]


async def test_objects_are_moved(aws):
    async with client(aws, "s3") as s3, sink() as to:
        await put(s3, "a")
        await put(s3, name="done")
        moves = {"moveAfterRead": True, "destinationBucket": "done"}
        names = {"destinationBucketPrefix": "x/", "destinationBucketSuffix": ".old"}
        async with adapter(to, **bucket(aws, **moves, **names)):
            await until_left(s3)
        assert await keys(s3, "done") == ["x/a.old"]
        assert to.bodies() == [b"a"]


async def test_what_was_written_while_it_was_sent_is_not_deleted_unsent(aws):
    async with client(aws, "s3") as s3, sink() as to:
        await put(s3, "a")
        to.held = asyncio.Event()
        async with adapter(to, **bucket(aws, maxMessagesPerPoll=1)):
            await to.until(1)
            await s3.put_object(Bucket="letters", Key="a", Body=b"newer")
            to.held.set()
            await until(lambda: b"newer" in to.bodies())
            await until_left(s3)
        assert to.bodies() == [b"a", b"newer"]


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({}, "there is no bucket letters in us-east-1.*autoCreateBucket"),
        ({"moveAfterRead": True, "autoCreateBucket": True}, "destinationBucket"),
        (
            {"moveAfterRead": True, "autoCreateBucket": True, "destinationBucket": "letters"},
            "again and again",
        ),
        ({"overrideEndpoint": True, "uriEndpointOverride": ""}, "uriEndpointOverride"),
    ],
)
async def test_what_the_user_has_to_mend_is_told(aws, spec, says):
    async with sink() as to:
        with pytest.raises(AwsFault, match=says):
            async with adapter(to, **bucket(aws, **spec)):
                pass


async def test_a_bucket_is_made_on_request(aws):
    made = bucket(aws, autoCreateBucket=True)
    async with client(aws, "s3") as s3, sink() as to, adapter(to, **made):
        await s3.put_object(Bucket="letters", Key="a", Body=b"a")
        await to.until(1)


async def test_nothing_is_lost_when_it_is_killed_in_the_middle(aws):
    async with client(aws, "s3") as s3, sink() as to:
        wanted = [f"o{number:02}" for number in range(30)]
        await put(s3, *wanted)
        for count in (5, 17):
            async with process(to, **bucket(aws)):
                await to.until(count)
        async with adapter(to, **bucket(aws)):
            await until_left(s3)
        assert {each.decode() for each in to.bodies()} == set(wanted)
        # One object is under way at a time.
        assert len(set(to.ids())) == 30 and len(to.got) <= 32
