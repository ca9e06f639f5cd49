"""Trigger: which events of a Broker go to which subscriber."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field

from eventing.api import keys
from eventing.api.checks import (
    CROSS_NAMESPACE,
    IMMUTABLE,
    check_namespace,
    default_delivery,
    default_destination,
    right_to_subscribe,
    text_diff,
    validate_delivery,
    validate_destination,
)
from eventing.api.definitions import AGE, READY, Look, define
from eventing.api.deliveryoptions import check_options, check_start
from eventing.api.filters import check_names, validate_filters
from eventing.api.settings import Features, Settings
from eventing.api.shapes import Auth, SubscriptionsAPIFilter
from hearth.knative.admission.kinds import Change
from hearth.knative.duck import (
    STRING_MAP,
    DeliverySpec,
    DeliveryStatus,
    Destination,
    KReference,
    Status,
)
from hearth.knative.fielderrors import (
    Errors,
    FieldError,
    missing,
    multiple_one_of,
    via,
)
from hearth.knative.resources import TRIGGERS
from hearth.kube.gojson import object_error
from hearth.kube.gotext import quote
from hearth.kube.models import PRESERVE, Kept, Model, Schema


class TriggerFilter(Model):
    """The older form of a filter, by equal attributes."""

    go_type: ClassVar[str] = "v1.TriggerFilter"

    attributes: Annotated[STRING_MAP, Schema(PRESERVE)] = Field(default_factory=dict)
    """Attributes an event must have with these values; an empty value matches any."""


class TriggerSpec(Model):
    """Which events go to whom."""

    go_type: ClassVar[str] = "v1.TriggerSpec"
    schema_extra: ClassVar[dict[str, Any]] = {"x-kubernetes-preserve-unknown-fields": True}

    broker: str = ""
    """The Broker to take events from; cannot be changed."""
    broker_ref: KReference | None = None
    """The Broker to take events from, in another namespace; needs a feature flag."""
    filter: TriggerFilter | None = None
    """Which events to deliver, by equal attributes; all when left out."""
    filters: list[SubscriptionsAPIFilter] = Field(default_factory=list)
    """Which events to deliver: those that match all of these. Counts instead of filter."""
    subscriber: Kept[Destination] = Field(default_factory=Destination)
    """Who gets the events."""
    delivery: DeliverySpec | None = None
    """How events are delivered; counts instead of the Broker's."""


class TriggerStatus(Status, DeliveryStatus):
    """What has become of a Trigger."""

    subscriber_uri: str | None = None
    """Where the events go, resolved."""
    subscriber_ca_certs: Annotated[str | None, Field(alias="subscriberCACerts")] = None
    """Certificates (PEM) to trust when sending there."""
    subscriber_audience: str | None = None
    """OIDC audience of the subscriber."""
    auth: Auth | None = None
    """Identity used for sending."""


# -- rules -------------------------------------------------------------------------------------


def _default(change: Change[TriggerSpec, Settings]) -> None:
    new, labels, spec = change.new, dict(change.new.labels), change.new.spec
    reference = spec.broker_ref
    if reference is not None and change.settings.features.is_enabled(CROSS_NAMESPACE):
        labels[keys.BROKER_LABEL] = reference.name
    elif spec.broker:
        labels[keys.BROKER_LABEL] = spec.broker
    new.spec = spec.model_copy(
        update={
            "filter": spec.filter if spec.filter is not None else TriggerFilter(),
            "subscriber": default_destination(spec.subscriber, new.namespace),
            "delivery": default_delivery(spec.delivery, new.namespace),
        }
    )
    new.put("labels", labels)


def _validate(change: Change[TriggerSpec, Settings]) -> Errors:
    new, old = change.new, change.old
    errors = validate_trigger(
        new.spec, new.annotations, namespace=new.namespace, features=change.settings.features
    )
    errors += check_options(new.annotations)
    return errors if old is None else errors + trigger_changes(old.spec, new.spec)


def validate_trigger(
    spec: TriggerSpec, annotations: Mapping[str, str], *, namespace: str, features: Features
) -> Errors:
    """Check a Trigger's spec and the annotations that say more."""
    errors = via(_validate_trigger_spec(spec, features), "spec")
    dependency = annotations.get(keys.DEPENDENCY_ANNOTATION)
    if dependency is not None:
        problems = _check_dependency(dependency, namespace)
        errors += via(problems, f"metadata.annotations[{keys.DEPENDENCY_ANNOTATION}]")
    injection = annotations.get(keys.INJECTION_ANNOTATION)
    if injection is not None:
        problems = _check_injection(injection, spec.broker)
        errors += via(problems, f"metadata.annotations[{keys.INJECTION_ANNOTATION}]")
    return errors + check_start(annotations, "Trigger")


def trigger_changes(old: TriggerSpec, new: TriggerSpec) -> Errors:
    """Complain about a change of the Broker, which a Trigger keeps for its life."""
    if old.broker == new.broker:
        return []
    return [
        FieldError(IMMUTABLE, ("spec", "broker"), text_diff("{string}", old.broker, new.broker))
    ]


def _validate_trigger_spec(spec: TriggerSpec, features: Features) -> Errors:
    errors: Errors = []
    if spec.broker_ref is None and not spec.broker:
        errors.append(missing("broker"))
    elif spec.broker_ref is not None and spec.broker:
        errors.append(multiple_one_of("broker", "brokerRef"))
    if spec.broker_ref is not None:
        errors += check_namespace(spec.broker_ref, features)
    if spec.filter is not None:
        errors += via(check_names(spec.filter.attributes), "filter", "attributes")
    errors += via(validate_filters(spec.filters), "filters")
    errors += via(validate_destination(spec.subscriber, features), "subscriber")
    return errors + via(validate_delivery(spec.delivery, features), "delivery")


def _check_dependency(value: str, namespace: str) -> Errors:
    problem = object_error(value, "v1.ObjectReference")
    if problem:
        message = f"The provided annotation was not a corev1.ObjectReference: {quote(value)}"
        return [FieldError(message, ("",), problem)]
    reference = json.loads(value) or {}
    errors: Errors = []
    space = reference.get("namespace") or ""
    if space and space != namespace:
        text = f"Namespace must be empty or equal to the trigger namespace {quote(namespace)}"
        errors.append(FieldError(text, ("namespace",)))
    return errors + [
        missing(field) for field in ("kind", "name", "apiVersion") if not reference.get(field)
    ]


def _check_injection(value: str, broker: str) -> Errors:
    if value not in ("enabled", "disabled"):
        text = (
            'The provided injection annotation value can only be "enabled" or "disabled", '
            f"not {quote(value)}"
        )
        return [FieldError(text, ("",))]
    if broker != "default":
        text = (
            "The provided injection annotation is only used for default broker, "
            f"but non-default broker specified here: {quote(broker)}"
        )
        return [FieldError(text, ("",))]
    return []


DEFINITION = define(
    TRIGGERS,
    TriggerSpec,
    TriggerStatus,
    Look(
        "Has events of a Broker delivered to a subscriber.",
        columns=(
            ("Broker", "string", ".spec.broker"),
            ("Subscriber_URI", "string", ".status.subscriberUri"),
            AGE,
            *READY,
        ),
    ),
    default=_default,
    validate=_validate,
    right=lambda change: right_to_subscribe(
        change.new.spec.broker_ref, change.new.namespace, change.settings.features
    ),
)
