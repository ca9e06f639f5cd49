"""What many kinds have: destinations, references, delivery; their defaults and checks. Pure.

Checks give lists of complaints in the words of Knative's webhook; an empty list means that nothing
is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

from eventing.api.settings import Features
from hearth.knative.admission.kinds import Right
from hearth.knative.duck import DeliverySpec, Destination, KReference
from hearth.knative.fielderrors import Errors, FieldError, disallowed, invalid, missing, via
from hearth.kube.durations import parse_iso8601_duration
from hearth.kube.gotext import quote

IMMUTABLE = "Immutable fields changed (-old +new)"
CROSS_NAMESPACE = "cross-namespace-event-links"


D = TypeVar("D", bound=Destination)


def default_destination(destination: D, namespace: str) -> D:
    """A reference without a namespace means the referrer's."""
    reference = destination.ref
    if reference is None or reference.namespace:
        return destination
    qualified = reference.model_copy(update={"namespace": namespace})
    return destination.model_copy(update={"ref": qualified})


def default_delivery(delivery: DeliverySpec | None, namespace: str) -> DeliverySpec | None:
    """The same for the dead letter sink."""
    if delivery is None or delivery.dead_letter_sink is None:
        return delivery
    sink = default_destination(delivery.dead_letter_sink, namespace)
    return delivery.model_copy(update={"dead_letter_sink": sink})


def check_namespace(reference: KReference, features: Features) -> Errors:
    """Complain of a namespace where references across namespaces are not allowed."""
    if not reference.namespace or features.is_enabled(CROSS_NAMESPACE):
        return []
    details = (
        "only name, apiVersion and kind are supported fields when "
        "feature.CrossNamespaceEventLinks is disabled"
    )
    return [FieldError(disallowed().message, ("namespace",), details)]


def right_to_subscribe(
    reference: KReference | None, namespace: str, features: Features
) -> Right | None:
    """Name the right to get the events of a Broker or a channel of another namespace.

    That is the verb ``knsubscribe`` there, as in Knative.
    """
    if reference is None or not features.is_enabled(CROSS_NAMESPACE):
        return None
    if not reference.namespace or reference.namespace == namespace:
        return None
    return Right(
        verb="knsubscribe",
        group=reference.group or reference.api_version.partition("/")[0],
        resource=f"{reference.kind.lower()}s",
        namespace=reference.namespace,
        name=reference.name,
        field=f"spec.{reference.kind}Namespace",
    )


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
    errors += _check_flagged(
        "backoffMax",
        delivery.backoff_max,
        features.is_enabled("delivery-backoff-max"),
        bad=_is_no_time,
    )
    return errors + _check_flagged(
        "retryAfterMax",
        delivery.retry_after_max,
        features.is_enabled("delivery-retryafter"),
        bad=_is_negative,
    )


def _is_zero(seconds: float) -> bool:
    return seconds == 0


def _is_no_time(seconds: float) -> bool:
    return seconds <= 0


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


def text_diff(path: str, old: str, new: str) -> str:
    """Return one changed text as kmp reports it."""
    return f"{path}:\n\t-: {quote(old)}\n\t+: {quote(new)}\n"
