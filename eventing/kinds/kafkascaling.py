"""The ScaledObject by which KEDA scales a KafkaSource, and who it is at Kafka. Pure.

Upstream's scales a ConsumerGroup; here the KafkaSource itself is scaled, by its subresource.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eventing.api import kafkascaling as names
from eventing.api.kafkascaling import KafkaAutoscaler
from eventing.api.views import spec_of
from eventing.kinds.children import ensured, head
from hearth.knative.resources import KAFKASOURCES
from hearth.kube import meta
from hearth.kube.meta import Object, name, namespace, uid
from hearth.kube.plan import Action, Delete
from hearth.kube.resources import Resource

SCALEDOBJECTS = Resource("keda.sh", "v1alpha1", "scaledobjects", "ScaledObject")
TRIGGERAUTHENTICATIONS = Resource(
    "keda.sh", "v1alpha1", "triggerauthentications", "TriggerAuthentication"
)
_PARAMETERS = {
    "username": ("sasl", "user"),
    "password": ("sasl", "password"),
    "ca": ("tls", "caCert"),
    "cert": ("tls", "cert"),
    "key": ("tls", "key"),
}


@dataclass(frozen=True, slots=True)
class Scaling:
    """What is there for KEDA, and whether it is to be."""

    wanted: bool = False
    scaled_object: Object | None = None
    authentication: Object | None = None


def object_name(source: Object) -> str:
    """Return the name of a source's ScaledObject, as upstream names those of ConsumerGroups."""
    return f"so-{uid(source)}"


def ensured_scaling(
    source: Object, scaling: Scaling, defaults: KafkaAutoscaler
) -> tuple[Action, ...]:
    """Return what makes the objects while they are wanted, and takes them away when not.

    Raises ValueError, in upstream's words, where they cannot be made.
    """
    if not scaling.wanted:
        there = (
            (SCALEDOBJECTS, scaling.scaled_object),
            (TRIGGERAUTHENTICATIONS, scaling.authentication),
        )
        return tuple(
            Delete(of, namespace(each), name(each), uid=uid(each))
            for of, each in there
            if each is not None and meta.is_controlled_by(each, source)
        )
    references = _references(source)
    made = _scaled_object(source, defaults, references=bool(references))
    kept = ensured(SCALEDOBJECTS, made, scaling.scaled_object)
    if references:
        granted = _made(TRIGGERAUTHENTICATIONS, source, {"secretTargetRef": references})
        kept = (*ensured(TRIGGERAUTHENTICATIONS, granted, scaling.authentication), *kept)
    return kept


def _net(source: Object, part: str) -> Mapping[str, Any]:
    given: Mapping[str, Any] = (spec_of(source).get("net") or {}).get(part) or {}
    return given if given.get("enable") else {}


def _references(source: Object) -> list[dict[str, str]]:
    found = []
    for parameter, (part, field) in _PARAMETERS.items():
        reference = (_net(source, part).get(field) or {}).get("secretKeyRef")
        if reference and reference.get("name") and reference.get("key"):
            found.append(
                {"parameter": parameter, "name": reference["name"], "key": reference["key"]}
            )
    return found


def _scaled_object(source: Object, defaults: KafkaAutoscaler, *, references: bool) -> Object:
    numbers = defaults.numbers(meta.annotations(source))
    if (_net(source, "sasl").get("type") or {}).get("secretKeyRef"):
        raise ValueError(
            "spec.net.sasl.type is in a Secret, which is not read here: make a ScaledObject with a "
            "trigger kafka whose sasl says the same, for this KafkaSource"
        )
    grant = {"authenticationRef": {"name": object_name(source)}} if references else {}
    triggers = [
        {"type": "kafka", "metadata": _metadata(source, topic, numbers), **grant}
        for topic in spec_of(source).get("topics") or ()
    ]
    target = {
        "apiVersion": KAFKASOURCES.api_version,
        "kind": KAFKASOURCES.kind,
        "name": name(source),
    }
    spec = {
        "scaleTargetRef": target,
        "minReplicaCount": numbers[names.MIN_SCALE],
        "maxReplicaCount": numbers[names.MAX_SCALE],
        "pollingInterval": numbers[names.POLLING_INTERVAL],
        "cooldownPeriod": numbers[names.COOLDOWN_PERIOD],
        "triggers": triggers,
    }
    return _made(SCALEDOBJECTS, source, spec)


def _metadata(source: Object, topic: str, numbers: Mapping[str, int]) -> dict[str, str]:
    spec = spec_of(source)
    found = {
        "bootstrapServers": ",".join(spec.get("bootstrapServers") or ()),
        "consumerGroup": spec.get("consumerGroup") or "",
        "topic": topic,
        "lagThreshold": str(numbers[names.LAG_THRESHOLD]),
        "allowIdleConsumers": "false",
    }
    if names.ACTIVATION_LAG_THRESHOLD in numbers:
        found["activationLagThreshold"] = str(numbers[names.ACTIVATION_LAG_THRESHOLD])
    if _net(source, "sasl"):
        found["sasl"] = "plaintext"
    if _net(source, "tls"):
        found["tls"] = "enable"
    return found


def _made(resource: Resource, source: Object, spec: Mapping[str, Any]) -> Object:
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": head(source, object_name(source)),
        "spec": dict(spec),
    }
