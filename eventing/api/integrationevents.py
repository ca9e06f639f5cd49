"""What the events of an IntegrationSource are, as with Knative's connectors. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Connector:
    """The attributes that all events of one kind of source have."""

    type: str
    source: str
    subject: str


def _connector(name: str) -> Connector:
    prefix = "dev.knative.eventing."
    return Connector(f"{prefix}{name}", f"{prefix}{name}-source", f"{name}-source")


TIMER = _connector("timer")
S3 = _connector("aws-s3")
SQS = _connector("aws-sqs")
DDB_STREAMS = _connector("aws-ddb-streams")

AWS: Mapping[str, Connector] = {"s3": S3, "sqs": SQS, "ddbStreams": DDB_STREAMS}
"""By the field of ``spec.aws`` that asks for it."""


def connector_of(spec: Mapping[str, Any]) -> Connector | None:
    """Return what the events of a source with this spec are; None where it names no kind."""
    if spec.get("timer") is not None:
        return TIMER
    aws = spec.get("aws") or {}
    return next((told for field, told in AWS.items() if aws.get(field) is not None), None)
