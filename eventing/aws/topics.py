"""Where a topic is."""

from __future__ import annotations

from typing import Any

from eventing.api.integration import Sns
from eventing.aws.faults import AwsFault
from eventing.aws.names import parse_name


async def topic_arn(client: Any, spec: Sns) -> str:
    """Return the ARN of a topic, found by its name; make it where ``autoCreateTopic`` says so."""
    name = parse_name(spec.arn)
    if name.arn:
        await client.get_topic_attributes(TopicArn=name.arn)
        return name.arn
    after: dict[str, str] = {}
    while True:
        told = await client.list_topics(**after)
        for each in told.get("Topics") or ():
            if parse_name(each["TopicArn"]).name == name.name:
                return str(each["TopicArn"])
        if not told.get("NextToken"):
            break
        after = {"NextToken": told["NextToken"]}
    if not spec.auto_create_topic:
        raise AwsFault(
            f"there is no topic {name.name} in {spec.region}: make it, or set autoCreateTopic: true"
        )
    attributes = {"FifoTopic": "true"} if name.name.endswith(".fifo") else {}
    return str((await client.create_topic(Name=name.name, Attributes=attributes))["TopicArn"])
