"""Runs the source that ``spec.aws`` asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from eventing.api.integration import S3, DynamoDbStreams, Sqs
from eventing.aws.clients import client_of
from eventing.aws.faults import Asked, AwsFault
from eventing.aws.names import parse_name
from eventing.sources.delivery import Delivery
from eventing.sources.integration.aws.ddbstreams import DdbStreamsPoller
from eventing.sources.integration.aws.polling import Poller, keep_polling
from eventing.sources.integration.aws.position import keeping
from eventing.sources.integration.aws.s3 import S3Poller
from eventing.sources.integration.aws.sqs import SqsPoller


async def run_aws(
    given: Mapping[str, Any],
    delivery: Delivery,
    ready: Callable[[], None],
    *,
    kubeconfig: Path | None = None,
) -> None:
    """Send what a service of AWS has, until cancelled; raise AwsFault for what is to be mended.

    Positions are kept by the API server of ``kubeconfig``.
    """
    secret = str(given.get("secret", ""))
    async with AsyncExitStack() as stack:
        poller, delay = await _poller(given, delivery, secret, kubeconfig, stack)
        await keep_polling(poller, delay / 1000, ready)


async def _poller(
    given: Mapping[str, Any],
    delivery: Delivery,
    secret: str,
    kubeconfig: Path | None,
    stack: AsyncExitStack,
) -> tuple[Poller, int]:
    if given.get("s3") is not None:
        s3 = S3.model_validate(given["s3"])
        what = f"the bucket {parse_name(s3.arn).name} in {s3.region}"
        asked = Asked(what, secret, creates="autoCreateBucket")
        client = await stack.enter_async_context(client_of("s3", s3))
        return S3Poller(s3, client, delivery, asked), s3.delay
    if given.get("sqs") is not None:
        sqs = Sqs.model_validate(given["sqs"])
        what = f"the queue {parse_name(sqs.arn).name} in {sqs.region}"
        asked = Asked(what, secret, creates="autoCreateQueue")
        client = await stack.enter_async_context(client_of("sqs", sqs))
        return SqsPoller(sqs, client, delivery, asked), sqs.delay
    if given.get("ddbStreams") is not None:
        ddb = DynamoDbStreams.model_validate(given["ddbStreams"])
        asked = Asked(f"the table {ddb.table} in {ddb.region}", secret)
        tables = await stack.enter_async_context(client_of("dynamodb", ddb))
        streams = await stack.enter_async_context(client_of("dynamodbstreams", ddb))
        where = delivery.namespace, str(given.get("position", ""))
        kept = await stack.enter_async_context(keeping(kubeconfig, where))
        made = float(given.get("made", 0.0))
        poller = DdbStreamsPoller(ddb, tables, streams, delivery, asked, made=made, kept=kept)
        return poller, ddb.delay
    raise AwsFault("no service of AWS is named: s3, sqs or ddbStreams")
