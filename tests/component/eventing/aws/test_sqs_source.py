"""IntegrationSource with a queue, against a server that answers as AWS does."""

from __future__ import annotations

import asyncio

import pytest

from eventing.aws.faults import AwsFault
from tests.component.eventing.aws.awsserver import adapter, at, client, process, sink
from tests.waiting import until


def queue(url, **spec):
    usual = {"deleteAfterRead": True, "maxMessagesPerPoll": 10, "delay": 10, "waitTimeSeconds": 1}
    return {"sqs": at(url, arn="orders", **usual, **spec)}


async def put(sqs, *bodies, name="orders", **attributes):
    made = await sqs.create_queue(QueueName=name, Attributes=attributes)
    for body in bodies:
        await sqs.send_message(QueueUrl=made["QueueUrl"], MessageBody=body)
    return made["QueueUrl"]


async def left(sqs, url):
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    told = await sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)
    return sum(int(each) for each in told["Attributes"].values())


async def until_empty(sqs, url):
    """Twice in a row: a message that shows itself again amid a look's two counts is in neither."""
    async with asyncio.timeout(60):
        while await left(sqs, url) or await left(sqs, url):
            await asyncio.sleep(0.02)


async def test_messages_become_events_and_are_deleted(aws):
    async with client(aws, "sqs") as sqs, sink() as to:
        url = await put(sqs, "one", '{"two": 2}', "drei ü")
        async with adapter(to, **queue(aws)):
            await to.until(3)
            await until_empty(sqs, url)
        assert sorted(to.bodies()) == [b"drei \xc3\xbc", b"one", b'{"two": 2}']
        headers, _ = to.got[0]
        assert headers["ce-type"] == "dev.knative.eventing.aws-sqs"
        assert headers["ce-source"] == "dev.knative.eventing.aws-sqs-source"
        assert headers["ce-subject"] == "aws-sqs-source"
        assert headers["content-type"] == "text/plain"
        assert len(set(to.ids())) == 3


async def test_what_the_sink_refuses_stays_and_comes_again_with_the_same_id(aws):
    async with client(aws, "sqs") as sqs, sink() as to:
        url = await put(sqs, "bad")
        to.status = lambda body: 400
        async with adapter(to, **queue(aws, visibilityTimeout=1)):
            await to.until(1)
            assert await left(sqs, url) == 1
            to.status = lambda body: 200
            await to.until(2)
            await until_empty(sqs, url)
        assert len(set(to.ids())) == 1


async def test_a_message_is_hidden_for_as_long_as_its_event_is_being_sent(aws):
    async with client(aws, "sqs") as sqs, sink() as to:
        url = await put(sqs, "slow")
        to.held = asyncio.Event()
        async with adapter(to, **queue(aws, visibilityTimeout=1)):
            await to.until(1)
            # Twice its time-out: another reader finds nothing.
            told = await sqs.receive_message(QueueUrl=url, WaitTimeSeconds=2)
            assert not told.get("Messages")
            to.held.set()
            await until_empty(sqs, url)
        assert len(to.got) == 1


async def test_what_is_under_way_at_the_end_is_finished(aws):
    async with client(aws, "sqs") as sqs, sink() as to:
        url = await put(sqs, "last")
        to.held = asyncio.Event()
        async with adapter(to, **queue(aws)) as task:
            await to.until(1)
            task.cancel()
            await asyncio.sleep(0)
            to.held.set()
            await asyncio.wait({task}, timeout=60)
            assert task.cancelled()
            assert await left(sqs, url) == 0


async def test_messages_that_are_not_deleted_stay(aws):
    async with client(aws, "sqs") as sqs, sink() as to:
        url = await put(sqs, "kept")
        spec = queue(aws)
        spec["sqs"]["deleteAfterRead"] = False
        async with adapter(to, **spec):
            await to.until(1)
        assert await left(sqs, url) == 1


async def test_messages_of_a_group_keep_their_order(aws):
    async with client(aws, "sqs") as sqs, sink() as to:
        url = await put(sqs, name="orders.fifo", FifoQueue="true")
        for number in range(6):
            await sqs.send_message(
                QueueUrl=url,
                MessageBody=f"{number}",
                MessageGroupId=f"g{number % 2}",
                MessageDeduplicationId=f"{number}",
            )
        tries: list[bytes] = []

        def status(body: bytes) -> int:
            tries.append(body)
            return 400 if tries.count(b"2") == 1 and body == b"2" else 200

        to.status = status
        spec = queue(aws, visibilityTimeout=1)
        spec["sqs"]["arn"] = "arn:aws:sqs:us-east-1:123456789012:orders.fifo"
        async with adapter(to, **spec):
            await until_empty(sqs, url)
        even = [each for each in to.bodies() if int(each) % 2 == 0]
        # Nothing of the look that was refused is sent after it. Which comes first in the next look
        # is the server's to say: AWS gives out a group in order, moto not always.
        assert even[:2] == [b"0", b"2"] and sorted(even[2:]) == [b"2", b"4"]
        assert [each for each in to.bodies() if int(each) % 2] == [b"1", b"3", b"5"]


async def test_a_queue_that_is_not_there_is_told_or_made(aws):
    async with sink() as to:
        with pytest.raises(AwsFault, match=r"no queue orders in us-east-1.*autoCreateQueue"):
            async with adapter(to, **queue(aws)):
                pass
        async with adapter(to, **queue(aws, autoCreateQueue=True)), client(aws, "sqs") as sqs:
            told = await sqs.get_queue_url(QueueName="orders")
            await sqs.send_message(QueueUrl=told["QueueUrl"], MessageBody="first")
            await to.until(1)


async def test_without_credentials_it_says_where_to_put_them(aws, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    async with sink() as to:
        with pytest.raises(AwsFault, match=r"Secret keys, as aws\.accessKey and aws\.secretKey"):
            async with adapter(to, secret="keys", **queue(aws)):
                pass


async def test_a_queue_that_goes_away_ends_it_with_a_word(aws):
    async with client(aws, "sqs") as sqs, sink() as to:
        url = await put(sqs, "one")
        async with adapter(to, **queue(aws)) as task:
            await to.until(1)
            await until_empty(sqs, url)
            await sqs.delete_queue(QueueUrl=url)
            await asyncio.wait({task}, timeout=60)
            with pytest.raises(AwsFault, match="there is no queue orders"):
                task.result()


async def test_nothing_is_lost_when_it_is_killed_in_the_middle(aws):
    async with client(aws, "sqs") as sqs, sink() as to:
        bodies = {f"m{number}" for number in range(30)}
        url = await put(sqs, *sorted(bodies))
        # Long enough that a machine which stands still for a moment shows no message once again.
        spec = queue(aws, visibilityTimeout=6)
        spec["sqs"]["maxMessagesPerPoll"] = 3
        for count in (4, 12):
            async with process(to, **spec):
                await to.until(count)
        async with adapter(to, **spec):
            await until_empty(sqs, url)
        await until(lambda: {each.decode() for each in to.bodies()} >= bodies)
        # What came twice came with the same id, and was no more than what was under way.
        assert len(set(to.ids())) == 30
        assert len(to.got) <= 30 + 2 * 3
