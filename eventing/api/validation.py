"""Validation of Broker and Trigger with the messages of Knative's webhook, word for word. Pure.

Functions give lists of complaints; an empty list means that nothing is wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from eventing.api import keys
from eventing.api.broker import BrokerSpec
from eventing.api.settings import BrokerDefaults, Features
from eventing.api.trigger import SubscriptionsAPIFilter, TriggerSpec
from eventing.filters.cesqlsyntax import CesqlError, check_syntax
from hearth.knative.duck import DeliverySpec, Destination, KReference
from hearth.knative.fielderrors import (
    Errors,
    FieldError,
    disallowed,
    invalid,
    invalid_key,
    missing,
    multiple_one_of,
    via,
)
from hearth.knative.structdiff import short_diff
from hearth.kube.durations import parse_iso8601_duration
from hearth.kube.gotext import quote

_ATTRIBUTE = re.compile(r"[a-z][a-z0-9]*")
_IMMUTABLE = "Immutable fields changed (-old +new)"


def validate_broker(
    spec: BrokerSpec,
    annotations: Mapping[str, str],
    *,
    namespace: str,
    defaults: BrokerDefaults,
    features: Features,
) -> Errors:
    """Check a Broker's class, config reference and delivery."""
    errors: Errors = []
    if not annotations.get(keys.BROKER_CLASS_ANNOTATION):
        errors.append(missing(keys.BROKER_CLASS_ANNOTATION))
    # Where Brokers must keep to their namespace, so must everything they refer to.
    parent = None if defaults.may_differ_in_namespace(namespace) else namespace
    if spec.config is not None:
        problems = validate_reference(spec.config, features, parent=parent)
        errors += via(problems, "spec", "config")
    errors += via(validate_delivery(spec.delivery, features, parent=parent), "spec", "delivery")
    return errors


def broker_changes(
    old: BrokerSpec, new: BrokerSpec, *, old_class: str | None, new_class: str | None
) -> Errors:
    """Complaints about changes of what cannot be changed: all but the delivery."""
    diff = short_diff(_without_delivery(old), _without_delivery(new), "v1.BrokerSpec")
    if diff:
        return [FieldError(_IMMUTABLE, ("spec",), diff)]
    if (old_class or "") != (new_class or ""):
        diff = _text_diff("{string}", old_class or "", new_class or "")
        return [FieldError("Immutable annotations changed (-old +new)", ("annotations",), diff)]
    return []


def _without_delivery(spec: BrokerSpec) -> BrokerSpec:
    return spec.model_copy(update={"delivery": None})


def validate_trigger(
    spec: TriggerSpec, annotations: Mapping[str, str], *, namespace: str, features: Features
) -> Errors:
    """Check a Trigger's spec and the two annotations that name other things."""
    errors = via(_validate_trigger_spec(spec, features), "spec")
    dependency = annotations.get(keys.DEPENDENCY_ANNOTATION)
    if dependency is not None:
        problems = _check_dependency(dependency, namespace)
        errors += via(problems, f"metadata.annotations[{keys.DEPENDENCY_ANNOTATION}]")
    injection = annotations.get(keys.INJECTION_ANNOTATION)
    if injection is not None:
        problems = _check_injection(injection, spec.broker)
        errors += via(problems, f"metadata.annotations[{keys.INJECTION_ANNOTATION}]")
    return errors


def trigger_changes(old: TriggerSpec, new: TriggerSpec) -> Errors:
    """Complain about a change of the Broker, which a Trigger keeps for its life."""
    if old.broker == new.broker:
        return []
    return [
        FieldError(_IMMUTABLE, ("spec", "broker"), _text_diff("{string}", old.broker, new.broker))
    ]


def _validate_trigger_spec(spec: TriggerSpec, features: Features) -> Errors:
    errors: Errors = []
    if spec.broker_ref is None and not spec.broker:
        errors.append(missing("broker"))
    elif spec.broker_ref is not None and spec.broker:
        errors.append(multiple_one_of("broker", "brokerRef"))
    if (
        spec.broker_ref is not None
        and spec.broker_ref.namespace
        and not features.is_enabled("cross-namespace-event-links")
    ):
        errors.append(
            FieldError(
                disallowed().message,
                ("namespace",),
                "only name, apiVersion and kind are supported fields when "
                "feature.CrossNamespaceEventLinks is disabled",
            )
        )
    if spec.filter is not None:
        errors += via(_check_names(spec.filter.attributes), "filter", "attributes")
    errors += via(validate_filters(spec.filters), "filters")
    errors += via(validate_destination(spec.subscriber, features), "subscriber")
    return errors + via(validate_delivery(spec.delivery, features), "delivery")


# -- filters -----------------------------------------------------------------------------------


def validate_filters(filters: Iterable[SubscriptionsAPIFilter]) -> Errors:
    """Knative puts each index before all complaints so far, also those of earlier filters."""
    errors: Errors = []
    for number, one in enumerate(filters):
        errors = via([*errors, *validate_filter(one)], f"[{number}]")
    return errors


def validate_filter(one: SubscriptionsAPIFilter) -> Errors:
    """Check one filter of the subscriptions API: one dialect, sound attribute names."""
    errors: Errors = []
    dialects = (one.exact, one.prefix, one.suffix, one.all, one.any, one.cesql)
    if sum(map(bool, dialects)) + (one.not_ is not None) > 1:
        errors.append(FieldError("multiple dialects found, filters can have only one dialect set"))
    errors += via(_check_names(one.exact), "exact")
    errors += via(_check_names(one.prefix), "prefix")
    errors += via(_check_names(one.suffix), "suffix")
    errors += via(validate_filters(one.all), "all")
    errors += via(validate_filters(one.any), "any")
    if one.not_ is not None:
        errors += via(validate_filter(one.not_), "not")
    errors += via(_check_cesql(one.cesql), "cesql")
    return errors


def _check_cesql(expression: str) -> Errors:
    if not expression:
        return []
    try:
        check_syntax(expression)
    except CesqlError as error:
        return [invalid(expression, "", *([error.detail] if error.detail else []))]
    return []


def _check_names(attributes: Mapping[str, str]) -> Errors:
    hint = "Attribute name must start with a letter and can only contain lowercase alphanumeric"
    return [
        error
        for name in attributes
        if _ATTRIBUTE.fullmatch(name) is None
        for error in via([invalid_key(name, "", hint)], f"[{name}]")
    ]


# -- destinations and delivery -----------------------------------------------------------------


def validate_destination(
    destination: Destination, features: Features, *, parent: str | None = None
) -> Errors:
    """Check a destination: a reference, an absolute URI, or a reference with a relative one.

    ``parent`` is the namespace that references may not leave; None sets no limit.
    """
    reference, uri = destination.ref, destination.uri
    if reference is None and uri is None:
        return [FieldError("expected at least one, got none", ("ref", "uri"))]
    scheme, host = _scheme_and_host(uri)
    if reference is not None and uri is not None and scheme:
        return [
            FieldError(
                "Absolute URI is not allowed when Ref or [apiVersion, kind, name] is present",
                ("[apiVersion, kind, name]", "ref", "uri"),
            )
        ]
    if reference is None and not (scheme and host):
        text = "Relative URI is not allowed when Ref and [apiVersion, kind, name] is absent"
        return [invalid(text, "uri")]
    if reference is not None and uri is None:
        return via(validate_reference(reference, features, parent=parent), "ref")
    if destination.ca_certs is not None:
        return _check_certificates(destination.ca_certs)
    return []


def _scheme_and_host(uri: str | None) -> tuple[str, str]:
    if uri is None:
        return "", ""
    parts = urlsplit(uri)
    return parts.scheme, parts.netloc


def _check_certificates(pem: str) -> Errors:
    from cryptography import x509

    if "-----BEGIN " in pem and "-----BEGIN CERTIFICATE-----" not in pem:
        return [invalid("CA Cert provided is not a certificate", "caCert")]
    try:
        x509.load_pem_x509_certificates(pem.encode())
    except ValueError:
        return [invalid("CA Cert provided is invalid", "caCert")]
    return []


def validate_reference(reference: KReference, features: Features, *, parent: str | None) -> Errors:
    """``parent`` is the namespace it must be in, or None where any will do."""
    errors: Errors = []
    if not reference.name:
        errors.append(missing("name"))
    errors += _check_group(reference, features)
    if not reference.kind:
        errors.append(missing("kind"))
    if reference.namespace and parent and reference.namespace != parent:
        errors.append(
            FieldError(
                "mismatched namespaces",
                ("namespace",),
                f"parent namespace: {quote(parent)} does not match ref: "
                f"{quote(reference.namespace)}",
            )
        )
    return errors


def _check_group(reference: KReference, features: Features) -> Errors:
    """Where a group may be named, it stands for the apiVersion."""
    group, version = reference.group, reference.api_version
    if not features.is_enabled("kreference-group"):
        errors: Errors = [disallowed("group")] if group else []
        return errors if version else [*errors, missing("apiVersion")]
    if not version and not group:
        return [missing("apiVersion"), missing("group")]
    if version and group and not version.startswith(group):
        return [
            FieldError(
                "both apiVersion and group are specified and they refer to different API groups",
                ("apiVersion", "group"),
                "Only one of them must be specified",
            )
        ]
    return []


def validate_delivery(
    delivery: DeliverySpec | None, features: Features, *, parent: str | None = None
) -> Errors:
    """Check a delivery spec; some fields need a feature flag."""
    if delivery is None:
        return []
    errors: Errors = []
    if delivery.dead_letter_sink is not None:
        problems = validate_destination(delivery.dead_letter_sink, features, parent=parent)
        errors += via(problems, "deadLetterSink")
    if delivery.retry is not None and delivery.retry < 0:
        errors.append(invalid(delivery.retry, "retry"))
    errors += _check_flagged(
        "timeout", delivery.timeout, features.is_enabled("delivery-timeout"), bad=_is_zero
    )
    if delivery.backoff_policy not in (None, "linear", "exponential"):
        errors.append(invalid(delivery.backoff_policy, "backoffPolicy"))
    if delivery.backoff_delay is not None and _seconds(delivery.backoff_delay) is None:
        errors.append(invalid(delivery.backoff_delay, "backoffDelay"))
    if delivery.format not in (None, "json", "binary"):
        errors.append(invalid(delivery.format, "format"))
    return errors + _check_flagged(
        "retryAfterMax",
        delivery.retry_after_max,
        features.is_enabled("delivery-retryafter"),
        bad=_is_negative,
    )


def _is_zero(seconds: float) -> bool:
    return seconds == 0


def _is_negative(seconds: float) -> bool:
    return seconds < 0


def _check_flagged(
    field: str, value: str | None, enabled: bool, *, bad: Callable[[float], bool]
) -> Errors:
    """A duration that only a feature flag allows."""
    if value is None:
        return []
    if not enabled:
        return [disallowed(field)]
    seconds = _seconds(value)
    return [invalid(value, field)] if seconds is None or bad(seconds) else []


def _seconds(text: str) -> float | None:
    try:
        return parse_iso8601_duration(text)
    except ValueError:
        return None


# -- annotations -------------------------------------------------------------------------------


def _check_dependency(value: str, namespace: str) -> Errors:
    try:
        reference = _go_json(value)
    except ValueError:
        reference = ""
    if reference is None:
        reference = {}
    if not isinstance(reference, dict):
        message = f"The provided annotation was not a corev1.ObjectReference: {quote(value)}"
        return [FieldError(message, ("",), _go_json_error(value))]
    errors: Errors = []
    space = reference.get("namespace") or ""
    if space and space != namespace:
        text = f"Namespace must be empty or equal to the trigger namespace {quote(namespace)}"
        errors.append(FieldError(text, ("namespace",)))
    return errors + [
        missing(field) for field in ("kind", "name", "apiVersion") if not reference.get(field)
    ]


def _go_json(text: str) -> Any:
    """JSON as Go reads it: NaN and infinities are no values, and nesting has an end."""

    def constant(name: str) -> Any:
        raise json.JSONDecodeError("Expecting value", text, text.find(name))

    try:
        return json.loads(text, parse_constant=constant)
    except RecursionError:
        raise ValueError("exceeded max depth") from None


def _go_json_error(text: str) -> str:
    """What Go's encoding/json says of text that is no JSON object, as far as it can be told."""
    stripped = text.strip()
    if not stripped:
        return "unexpected end of JSON input"
    try:
        value = _go_json(stripped)
    except json.JSONDecodeError as error:
        if error.pos >= len(stripped):
            return "unexpected end of JSON input"
        where = (
            "looking for beginning of value"
            if error.msg == "Expecting value"
            else "looking for beginning of object key string"
            if "property name" in error.msg
            else "after top-level value"
            if error.msg == "Extra data"
            else "after object key:value pair"
        )
        return f"invalid character '{stripped[error.pos]}' {where}"
    except ValueError as error:
        return str(error)
    kinds = {str: "string", bool: "bool", int: "number", float: "number", list: "array"}
    kind = kinds.get(type(value), "null")
    return f"json: cannot unmarshal {kind} into Go value of type v1.ObjectReference"


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


def _text_diff(path: str, old: str, new: str) -> str:
    return f"{path}:\n\t-: {quote(old)}\n\t+: {quote(new)}\n"
