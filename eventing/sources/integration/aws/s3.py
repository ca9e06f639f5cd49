"""Objects of a bucket: each is deleted, or moved, once the sink has taken it.

The bucket is walked through page by page, from its beginning again when its end is reached; an
object that the sink does not take is passed by till then, and holds nothing up. What is neither
deleted nor moved is remembered, so that each version of an object is sent once as long as the
adapter lives.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Mapping
from typing import Any

from eventing.api.integration import S3 as Spec
from eventing.api.integrationevents import S3
from eventing.aws.buckets import bucket_of
from eventing.aws.faults import Asked, AwsFault
from eventing.codec import CodecError, Event
from eventing.codec.event import check_media_type
from eventing.sources.delivery import Delivery
from eventing.sources.integration.aws.outlet import is_taken
from eventing.sources.integration.aws.polling import Polled
from eventing.sources.integration.events import event_of

log = logging.getLogger(__name__)

MOST_BYTES = 32 * 1024 * 1024
"""An object larger than this stays where it is: an event is held in memory."""
_PAGE = 1000
_UNKNOWN_TYPE = "application/octet-stream"
_CHANGED = frozenset({"404", "412", "NoSuchKey", "PreconditionFailed"})
"""What is said of an object that was deleted, or written anew, after it was listed."""


def version_of(bucket: str, listed: Mapping[str, Any]) -> str:
    """Return what tells a version of an object from all others: the event's id. Pure."""
    seen = f"{bucket}/{listed['Key']} {listed.get('ETag')} {listed['LastModified'].timestamp()}"
    return str(uuid.uuid5(uuid.NAMESPACE_URL, seen))


def moved_key(spec: Spec, key: str) -> str:
    """Return the name of an object where it is moved to. Pure."""
    return f"{spec.destination_bucket_prefix}{key}{spec.destination_bucket_suffix}"


def check_move(spec: Spec, bucket: str) -> None:
    """Raise AwsFault where objects cannot be moved, or would come back for ever. Pure."""
    if not spec.move_after_read:
        return
    if not spec.destination_bucket:
        raise AwsFault("moveAfterRead is set, and destinationBucket is not: say where to")
    if spec.destination_bucket == bucket and moved_key(spec, spec.prefix).startswith(spec.prefix):
        raise AwsFault(
            "objects would be moved to where they are read from, and be sent again and again: "
            "choose another destinationBucket, or a destinationBucketPrefix outside of prefix"
        )


def s3_event(
    bucket: str,
    listed: Mapping[str, Any],
    content_type: str,
    data: bytes | None,
    overrides: Mapping[str, str],
) -> Event:
    """Return the event of an object, as it was listed and read. Pure."""
    try:
        check_media_type(content_type)
    except CodecError:
        content_type = _UNKNOWN_TYPE
    return event_of(
        S3,
        version_of(bucket, listed),
        listed["LastModified"].timestamp(),
        content_type,
        data,
        extensions={"awss3bucket": bucket, "awss3key": listed["Key"]},
        overrides=overrides,
    )


class S3Poller:
    """Looks at a bucket."""

    def __init__(self, spec: Spec, client: Any, delivery: Delivery, asked: Asked) -> None:
        self.asked = asked
        self._spec = spec
        self._client = client
        self._delivery = delivery
        self._bucket = ""
        self._after = ""
        self._sent: dict[str, bool] = {}
        """Versions that the sink took, and whether they were deleted or moved as they should be."""
        self._seen: set[str] = set()
        """Versions that the walk under way has met; what it has not met is gone, and forgotten."""

    async def open(self) -> None:
        """Find the bucket, or make it."""
        self._bucket = await bucket_of(self._client, self._spec)
        check_move(self._spec, self._bucket)

    async def poll(self, stopping: asyncio.Event) -> Polled:
        """Send objects of a page."""
        most = self._spec.max_messages_per_poll
        after = {"StartAfter": self._after} if self._after else {}
        page = await self._client.list_objects_v2(
            Bucket=self._bucket, Prefix=self._spec.prefix, MaxKeys=_PAGE, **after
        )
        found = failed = 0
        is_whole = not page.get("IsTruncated")
        for listed in page.get("Contents") or ():
            if stopping.is_set() or 0 < most <= found:
                is_whole = False
                break
            self._after = listed["Key"]
            version = version_of(self._bucket, listed)
            self._seen.add(version)
            if self._sent.get(version):
                continue
            found += 1
            failed += not await self._done(listed, version)
        if is_whole:
            self._after = ""
            self._sent = {each: self._sent[each] for each in self._sent.keys() & self._seen}
            self._seen = set()
        return Polled(found, failed)

    async def _done(self, listed: Mapping[str, Any], version: str) -> bool:
        """Send an object, unless it was, and delete or move it; whether the sink took it.

        Each step holds for the version that was listed: what was written meanwhile is not deleted.
        """
        try:
            if version not in self._sent and not await self._is_sent(listed):
                return False
            self._sent[version] = False
            await self._tidy(listed)
            self._sent[version] = True
        except Exception as error:
            response: Any = getattr(error, "response", None) or {}
            if (response.get("Error") or {}).get("Code") not in _CHANGED:
                raise
        return True

    async def _is_sent(self, listed: Mapping[str, Any]) -> bool:
        if listed.get("Size", 0) > MOST_BYTES and not self._spec.ignore_body:
            facts = {"bucket": self._bucket, "key": listed["Key"], "bytes": listed["Size"]}
            log.error("an object is too large for an event, and stays", extra=facts)
            return True
        content_type, data = await self._read(listed)
        event = s3_event(self._bucket, listed, content_type, data, self._delivery.overrides)
        return await is_taken(self._delivery, event, "an object")

    async def _tidy(self, listed: Mapping[str, Any]) -> None:
        spec, key = self._spec, listed["Key"]
        if listed.get("Size", 0) > MOST_BYTES and not spec.ignore_body:
            return
        if spec.move_after_read:
            await self._client.copy_object(
                Bucket=spec.destination_bucket,
                Key=moved_key(spec, key),
                CopySource={"Bucket": self._bucket, "Key": key},
                CopySourceIfMatch=listed["ETag"],
            )
        if spec.delete_after_read:
            await self._client.delete_object(Bucket=self._bucket, Key=key, IfMatch=listed["ETag"])

    async def _read(self, listed: Mapping[str, Any]) -> tuple[str, bytes | None]:
        if self._spec.ignore_body:
            return _UNKNOWN_TYPE, None
        told = await self._client.get_object(
            Bucket=self._bucket, Key=listed["Key"], IfMatch=listed["ETag"]
        )
        async with told["Body"] as body:
            return str(told.get("ContentType") or _UNKNOWN_TYPE), await body.read()
