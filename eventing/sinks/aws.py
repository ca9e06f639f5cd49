"""Events to services of AWS: each is taken when AWS has said so."""

from __future__ import annotations

from typing import Any

from eventing.api.integration import S3, Sns, Sqs
from eventing.aws.buckets import bucket_of
from eventing.aws.faults import Asked
from eventing.aws.queues import queue_url
from eventing.aws.topics import topic_arn
from eventing.codec import Event
from eventing.sinks.messages import (
    fifo_fields,
    message_attributes,
    object_key,
    object_metadata,
    subject_fields,
    text_of,
)


class S3Sink:
    """An object for each event; one that is sent again is the same object."""

    def __init__(self, spec: S3, client: Any, asked: Asked) -> None:
        self.asked = asked
        self._spec = spec
        self._client = client
        self._bucket = ""

    async def open(self) -> None:
        """Find the bucket, or make it."""
        self._bucket = await bucket_of(self._client, self._spec)

    async def put(self, event: Event) -> None:
        """Write the object."""
        kind = event.text("datacontenttype")
        await self._client.put_object(
            Bucket=self._bucket,
            Key=object_key(event),
            Body=event.data or b"",
            Metadata=object_metadata(event),
            **({"ContentType": kind} if kind else {}),
        )


class SqsSink:
    """A message for each event."""

    def __init__(self, spec: Sqs, client: Any, asked: Asked) -> None:
        self.asked = asked
        self._spec = spec
        self._client = client
        self._url = ""

    async def open(self) -> None:
        """Find the queue, or make it."""
        self._url = await queue_url(self._client, self._spec)

    async def put(self, event: Event) -> None:
        """Send the message."""
        await self._client.send_message(
            QueueUrl=self._url,
            MessageBody=text_of(event),
            MessageAttributes=message_attributes(event),
            **fifo_fields(event, self._url),
        )


class SnsSink:
    """A notification for each event."""

    def __init__(self, spec: Sns, client: Any, asked: Asked) -> None:
        self.asked = asked
        self._spec = spec
        self._client = client
        self._arn = ""

    async def open(self) -> None:
        """Find the topic, or make it."""
        self._arn = await topic_arn(self._client, self._spec)

    async def put(self, event: Event) -> None:
        """Publish the notification."""
        await self._client.publish(
            TopicArn=self._arn,
            Message=text_of(event),
            MessageAttributes=message_attributes(event),
            **subject_fields(event),
            **fifo_fields(event, self._arn),
        )
