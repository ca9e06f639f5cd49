"""Changes of a table: the position in its stream moves once the sink has taken a record.

Where a stream was read to is kept in a ConfigMap (``position``), about a second behind. An adapter
that finds nothing there reads the stream from its beginning (AWS keeps 24 hours) and, with
``FROM_LATEST``, leaves out what is older than the IntegrationSource: nothing is lost, and what was
sent before comes again with the same ids.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from eventing.api.integration import DynamoDbStreams
from eventing.aws.faults import Asked, AwsFault
from eventing.sources.delivery import Delivery
from eventing.sources.integration.aws.outlet import is_taken
from eventing.sources.integration.aws.polling import Polled
from eventing.sources.integration.aws.position import KeptPosition, Position
from eventing.sources.integration.aws.records import created, record_event
from eventing.sources.integration.aws.shards import Shard, Shards

log = logging.getLogger(__name__)

FROM_START, FROM_LATEST = "FROM_START", "FROM_LATEST"
_SHARDS_AGAIN_SECONDS = 30.0
"""After which shards are asked for again; also when one has ended."""
_EXPIRED, _TRIMMED = "ExpiredIteratorException", "TrimmedDataAccessException"


def since_of(spec: DynamoDbStreams, made: float) -> float:
    """Return the moment before which records are left out; raise AwsFault. Pure.

    ``made`` is when the IntegrationSource was made; AWS tells whole seconds of records.
    """
    match spec.stream_iterator_type:
        case "" | "FROM_LATEST":
            return made
        case "FROM_START":
            return 0.0
        case other:
            raise AwsFault(f"streamIteratorType is {other}, not {FROM_LATEST} or {FROM_START}")


class DdbStreamsPoller:
    """Looks at a table's stream."""

    def __init__(
        self,
        spec: DynamoDbStreams,
        tables: Any,
        streams: Any,
        delivery: Delivery,
        asked: Asked,
        *,
        made: float,
        kept: KeptPosition,
    ) -> None:
        """``tables`` and ``streams`` are clients of DynamoDB and of its streams."""
        self._kept = kept
        self.asked = asked
        self._spec = spec
        self._tables = tables
        self._streams = streams
        self._delivery = delivery
        self._since = since_of(spec, made)
        self._shards = Shards()
        self._asked_at = float("-inf")
        self._arn = ""

    async def open(self) -> None:
        """Find the table's stream."""
        told = await self._tables.describe_table(TableName=self._spec.table)
        table = told["Table"]
        if not (table.get("StreamSpecification") or {}).get("StreamEnabled"):
            raise AwsFault(
                f"{self.asked.what} has no stream: enable it, with the view type that is wanted "
                "(aws dynamodb update-table --stream-specification StreamEnabled=true,"
                "StreamViewType=NEW_AND_OLD_IMAGES)"
            )
        if table["LatestStreamArn"] != self._arn:
            self._arn = table["LatestStreamArn"]
            self._shards = Shards((await self._kept.load()).lasts_of(self._arn))
        await self._update()

    async def _update(self) -> None:
        found: list[Mapping[str, Any]] = []
        after: dict[str, str] = {}
        while True:
            told = await self._streams.describe_stream(StreamArn=self._arn, **after)
            described = told["StreamDescription"]
            found += described.get("Shards") or ()
            if not described.get("LastEvaluatedShardId"):
                break
            after = {"ExclusiveStartShardId": described["LastEvaluatedShardId"]}
        self._shards.update(found)
        self._asked_at = asyncio.get_running_loop().time()

    async def poll(self, stopping: asyncio.Event) -> Polled:
        """Read a piece of each shard, and send its records in order."""
        if asyncio.get_running_loop().time() - self._asked_at > _SHARDS_AGAIN_SECONDS:
            await self.open()
        found = failed = 0
        for shard in self._shards.readable():
            if stopping.is_set():
                break
            records = await self._read(shard)
            found += len(records)
            for record in records:
                if created(record) >= self._since and not await self._is_sent(record):
                    failed += 1
                    shard.iterator, shard.is_done = None, False
                    break
                shard.last = record["dynamodb"]["SequenceNumber"]
            if shard.is_done:
                self._asked_at = float("-inf")
        await self._kept.note(Position(self._arn, self._shards.lasts()))
        return Polled(found, failed)

    async def _is_sent(self, record: Mapping[str, Any]) -> bool:
        event = record_event(record, self._delivery.overrides)
        return await is_taken(self._delivery, event, "a change")

    async def _read(self, shard: Shard) -> list[Mapping[str, Any]]:
        """Read on; the shard is done where nothing follows, unless a record is refused."""
        try:
            if shard.iterator is None:
                told = await self._streams.get_shard_iterator(
                    StreamArn=self._arn, ShardId=shard.shard_id, **shard.where()
                )
                shard.iterator = told["ShardIterator"]
            told = await self._streams.get_records(ShardIterator=shard.iterator)
        except Exception as error:
            response: Any = getattr(error, "response", None) or {}
            code = (response.get("Error") or {}).get("Code")
            shard.iterator = None
            if code not in (_EXPIRED, _TRIMMED):
                self._asked_at = float("-inf")  # is the shard gone?
                raise
            if code == _TRIMMED:
                shard.last = None
                log.error("AWS has dropped changes that the sink did not take within 24 hours")
            return []
        shard.iterator = told.get("NextShardIterator")
        shard.is_done = shard.iterator is None
        return list(told.get("Records") or ())
