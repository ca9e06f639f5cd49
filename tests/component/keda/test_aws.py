"""SQS, Kinesis, DynamoDB, its streams and CloudWatch, against moto's server."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from aiobotocore.session import get_session

from hearth.keda.scalers import aws
from hearth.keda.scalers.seam import PodIdentity, Reading, ScalerError, TriggerConfig
from tests.component.eventing.aws.awsserver import REGION, aws_server
from tests.component.keda.scaling import read, scaler, trigger
from tests.ports import free_port

KEYS = {"awsAccessKeyID": "AKIATEST", "awsSecretAccessKey": "a-secret-key"}


@pytest.fixture
def url() -> Iterator[str]:
    with aws_server() as address:
        yield address


@contextlib.asynccontextmanager
async def client(url: str, service: str) -> AsyncIterator[Any]:
    made = get_session().create_client(
        service,
        region_name=REGION,
        endpoint_url=url,
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )
    async with made as found:
        yield found


def of(type_: str, url: str, **said: str) -> TriggerConfig:
    written = {"awsRegion": REGION, "awsEndpoint": url, **said}
    return dataclasses.replace(trigger(type_, **written), auth=KEYS)


async def test_messages_of_a_queue_those_in_flight_and_delayed_if_asked_for(url):
    async with client(url, "sqs") as sqs:
        queue = (await sqs.create_queue(QueueName="jobs"))["QueueUrl"]
        for delay in (0, 0, 0, 600):
            await sqs.send_message(QueueUrl=queue, MessageBody="x", DelaySeconds=delay)
        await sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=1)
    config = of("aws-sqs-queue", url, queueURL=queue)
    async with scaler(config) as made:
        assert made.spec.name == "s0-aws-sqs-jobs"
        assert await made.read() == Reading(3, True)
    assert (
        await read(of("aws-sqs-queue", url, queueURL=queue, scaleOnInFlight="false"))
    ).value == 2
    assert (await read(of("aws-sqs-queue", url, queueURL=queue, scaleOnDelayed="true"))).value == 4
    config = of("aws-sqs-queue", url, queueURL=queue, activationQueueLength="3")
    assert await read(config) == Reading(3, False)


async def test_a_queue_that_is_not_there(url):
    with pytest.raises(ScalerError, match=r"error getting queue length: .*NonExistentQueue"):
        await read(of("aws-sqs-queue", url, queueURL=f"{url}/123456789012/nothing"))


async def test_a_service_that_is_away():
    url = f"http://127.0.0.1:{free_port()}"
    config = dataclasses.replace(of("aws-sqs-queue", url, queueURL=f"{url}/1/q"), timeout=60)
    with pytest.raises(ScalerError, match="error getting queue length: ") as failure:
        await read(config)
    assert "a-secret-key" not in str(failure.value)


async def test_open_shards_of_a_stream(url):
    async with client(url, "kinesis") as kinesis:
        await kinesis.create_stream(StreamName="events", ShardCount=3)
    assert await read(of("aws-kinesis-stream", url, streamName="events")) == Reading(3, True)


async def test_items_that_a_query_finds(url):
    async with client(url, "dynamodb") as dynamodb:
        await dynamodb.create_table(
            TableName="jobs",
            AttributeDefinitions=[
                {"AttributeName": "state", "AttributeType": "S"},
                {"AttributeName": "id", "AttributeType": "N"},
            ],
            KeySchema=[
                {"AttributeName": "state", "KeyType": "HASH"},
                {"AttributeName": "id", "KeyType": "RANGE"},
            ],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        )
        for number, state in enumerate(("waiting", "waiting", "done")):
            item = {"state": {"S": state}, "id": {"N": str(number)}}
            await dynamodb.put_item(TableName="jobs", Item=item)
    said = {
        "tableName": "jobs",
        "keyConditionExpression": "#s = :s",
        "expressionAttributeNames": json.dumps({"#s": "state"}),
        "expressionAttributeValues": json.dumps({":s": {"S": "waiting"}}),
        "targetValue": "1",
    }
    assert await read(of("aws-dynamodb", url, **said)) == Reading(2, True)
    assert await read(of("aws-dynamodb-streams", url, tableName="jobs")) == Reading(1, True)


async def test_a_table_without_a_stream(url):
    async with client(url, "dynamodb") as dynamodb:
        await dynamodb.create_table(
            TableName="plain",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
    with pytest.raises(ScalerError, match="dynamodb stream arn for the table plain is empty"):
        await read(of("aws-dynamodb-streams", url, tableName="plain"))


async def test_a_metric_of_cloudwatch(url):
    said = {
        "namespace": "Jobs",
        "metricName": "Depth",
        "dimensionName": "Queue",
        "dimensionValue": "one",
        "targetMetricValue": "5",
        "minMetricValue": "2",
        "metricStat": "Maximum",
        "metricStatPeriod": "60",
        "metricEndTimeOffset": "-120",
        "metricCollectionTime": "600",
    }
    config = of("aws-cloudwatch", url, **said)
    assert await read(config) == Reading(2, True)  # nothing is known: the least value
    async with client(url, "cloudwatch") as cloudwatch:
        dimensions = [{"Name": "Queue", "Value": "one"}]
        now = datetime.now(UTC)
        data = {"MetricName": "Depth", "Dimensions": dimensions, "Value": 7.5, "Timestamp": now}
        await cloudwatch.put_metric_data(Namespace="Jobs", MetricData=[data])
    assert await read(config) == Reading(7.5, True)


async def test_a_role_is_taken_and_its_keys_are_used(url, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAPROCESS")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    aws._machine.cache_clear()
    async with client(url, "sqs") as sqs:
        queue = (await sqs.create_queue(QueueName="jobs"))["QueueUrl"]
    role = "arn:aws:iam::123456789012:role/reader"
    config = of("aws-sqs-queue", url, queueURL=queue)
    for given in (
        dataclasses.replace(config, auth={"awsRoleArn": role}),
        dataclasses.replace(config, auth={}, pod_identity=PodIdentity("aws", role_arn=role)),
        dataclasses.replace(config, auth={}, pod_identity=PodIdentity("aws")),
    ):
        assert await read(given) == Reading(0, False)


async def test_triggers_with_one_identity_share_a_client_and_the_last_closes_it(url):
    async with client(url, "sqs") as sqs:
        queues = [(await sqs.create_queue(QueueName=name))["QueueUrl"] for name in ("a", "b")]
    configs = [of("aws-sqs-queue", url, queueURL=queue) for queue in queues]
    async with scaler(configs[0]) as first:
        async with scaler(configs[1]) as second:
            assert (await first.read()).value == (await second.read()).value == 0
            assert len(aws._open) == 1
        assert (await first.read()).value == 0
    assert not aws._open
