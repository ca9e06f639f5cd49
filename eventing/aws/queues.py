"""Where a queue is."""

from __future__ import annotations

from typing import Any

from eventing.api.integration import Sqs
from eventing.aws.faults import Asked, Fault, problem_of
from eventing.aws.names import parse_name


async def queue_url(client: Any, spec: Sqs) -> str:
    """Return the URL of a queue; make it where it is absent and ``autoCreateQueue`` says so."""
    if spec.queue_url:
        return spec.queue_url
    name = parse_name(spec.arn)
    owner = {"QueueOwnerAWSAccountId": name.account} if name.account else {}
    try:
        return str((await client.get_queue_url(QueueName=name.name, **owner))["QueueUrl"])
    except Exception as error:
        if not spec.auto_create_queue or problem_of(error, Asked("")).fault is not Fault.ABSENT:
            raise
    attributes = {"FifoQueue": "true"} if name.name.endswith(".fifo") else {}
    made = await client.create_queue(QueueName=name.name, Attributes=attributes)
    return str(made["QueueUrl"])
