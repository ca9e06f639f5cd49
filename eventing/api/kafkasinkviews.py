"""What is read off stored KafkaSinks, and what the broker process tells of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eventing.api import keys
from eventing.api.kafkasink import STRUCTURED
from eventing.api.views import spec_of, status_annotation
from hearth.kube.meta import Object

FINALIZER = "kafkasinks.eventing.knative.dev"
TOPIC_OWNER = "eventing.knative.dev/topic.owner"
"""In the status, as with upstream: whether the topic is ours."""
EXTERNAL, OURS = "external", "kafkasink-controller"


def owner_of(sink: Object) -> str:
    """Return whose the topic is: ours where partitions and replicas are said."""
    spec = spec_of(sink)
    has_both = spec.get("numPartitions") is not None and spec.get("replicationFactor") is not None
    return OURS if has_both else EXTERNAL


def secret_of(sink: Object) -> str:
    """Return the Secret that says who we are at Kafka; nothing where none is named."""
    auth: Mapping[str, Any] = spec_of(sink).get("auth") or {}
    return str(((auth.get("secret") or {}).get("ref") or {}).get("name") or "")


def is_structured(sink: Object) -> bool:
    """Whether records are in structured mode."""
    return bool(spec_of(sink).get("contentMode") == STRUCTURED)


def problem_text(reason: str, message: str) -> str:
    """Return what the status says of a problem."""
    return f"{reason}\n{message}"


def problem_of(status: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return reason and message of what the broker process says; None where nothing is wrong."""
    said = status_annotation({"status": dict(status)}, keys.PROBLEM_ANNOTATION)
    if not said:
        return None
    reason, _, message = said.partition("\n")
    return reason, message
