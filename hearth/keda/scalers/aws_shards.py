"""``aws-kinesis-stream`` and ``aws-dynamodb-streams``: shards of a stream.

Sources: KEDA's ``aws_kinesis_stream_scaler.go`` and ``aws_dynamodb_streams_scaler.go``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from hearth.keda.scalers.aws import Client, Common
from hearth.keda.scalers.params import param, read_params
from hearth.keda.scalers.polled import Polled, number, parsing, polled
from hearth.keda.scalers.seam import Scaler, ScalerError, TriggerConfig


@dataclass(frozen=True, slots=True)
class Shards(Common):
    """Parameters of both types."""

    target: int = param("shardCount", default="2")
    activation: int = param("activationShardCount", default="0")


@dataclass(frozen=True, slots=True)
class Kinesis(Shards):
    """Parameters of ``aws-kinesis-stream``."""

    stream: str = param("streamName")


@dataclass(frozen=True, slots=True)
class DynamoDBStreams(Shards):
    """Parameters of ``aws-dynamodb-streams``."""

    table: str = param("tableName")


def make_kinesis(config: TriggerConfig) -> Scaler:
    """Return the scaler of a trigger; raises ConfigError."""
    with parsing("Kinesis stream"):
        with parsing("Kinesis stream"):
            settings = read_params(Kinesis, config)
        client = Client("kinesis", config, settings)

    async def fetch() -> float:
        answer = await client.ask("describe_stream_summary", StreamName=settings.stream)
        return number(answer["StreamDescriptionSummary"]["OpenShardCount"])

    return _scaler(config, settings, f"aws-kinesis-{settings.stream}", fetch, client)


def make_dynamodb_streams(config: TriggerConfig) -> Scaler:
    """Return the scaler of a trigger; raises ConfigError."""
    with parsing("dynamodb stream"):
        with parsing("dynamodb stream"):
            settings = read_params(DynamoDBStreams, config)
        client = Client("dynamodbstreams", config, settings)
        tables = Client("dynamodb", config, settings)

    async def fetch() -> float:
        table = (await tables.ask("describe_table", TableName=settings.table))["Table"]
        if not table.get("LatestStreamArn"):
            raise ScalerError(f"dynamodb stream arn for the table {settings.table} is empty")
        return await _count(client, table["LatestStreamArn"])

    what = f"aws-dynamodb-streams-{settings.table}"
    return _scaler(config, settings, what, fetch, client, tables)


async def _count(client: Client, stream: str) -> float:
    """All pages; one has up to 100 shards."""
    count, start = 0, dict[str, str]()
    while True:
        answer = await client.ask("describe_stream", StreamArn=stream, **start)
        found = answer["StreamDescription"]
        count += len(found["Shards"])
        if not found.get("LastEvaluatedShardId"):
            return count
        start = {"ExclusiveStartShardId": found["LastEvaluatedShardId"]}


def _scaler(
    config: TriggerConfig,
    settings: Shards,
    what: str,
    fetch: Callable[[], Awaitable[float]],
    *clients: Client,
) -> Polled:
    async def close() -> None:
        for each in clients:
            await each.close()

    return polled(
        config,
        what,
        target=settings.target,
        activation=settings.activation,
        fetch=fetch,
        closing=close,
        doing="error getting shard count",
        secrets=clients[0].secrets,
    )
