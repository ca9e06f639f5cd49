"""The webhooks' decisions: an AdmissionRequest in, an AdmissionResponse out. Pure but for settings.

One handler defaults, one validates, both for all kinds of eventing. A further kind is one more
entry of ``KINDS``.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from eventing.api import keys
from eventing.api.broker import BrokerSpec
from eventing.api.defaults import default_broker, default_trigger
from eventing.api.settings import BrokerDefaults, Features
from eventing.api.trigger import TriggerSpec
from eventing.api.validation import (
    broker_changes,
    trigger_changes,
    validate_broker,
    validate_trigger,
)
from hearth.knative.fielderrors import Errors, text
from hearth.kube import meta
from hearth.kube.admission import (
    ALLOWED,
    CREATE,
    UPDATE,
    AdmissionRequest,
    AdmissionResponse,
    deny,
)
from hearth.kube.meta import Object, is_deleting, metadata
from hearth.kube.models import DecodeError, Model, decode, dump, unknown_field

DEFAULTING_NAME = "webhook.eventing.knative.dev"
VALIDATION_NAME = "validation.webhook.eventing.knative.dev"


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of the moment."""

    brokers: BrokerDefaults
    features: Features


@dataclass(frozen=True, slots=True)
class _Kind:
    """``default`` completes an object's spec and metadata; ``validate`` and ``changes`` judge."""

    spec: type[Model]
    default: Callable[[Any, Object, str, Settings], Model]
    validate: Callable[[Any, Object, str, Settings], Errors]
    changes: Callable[[Any, Any, Object, Object], Errors]


def _default_broker(spec: BrokerSpec, obj: Object, namespace: str, settings: Settings) -> Model:
    marks = dict(meta.annotations(obj))
    completed = default_broker(spec, marks, namespace=namespace, defaults=settings.brokers)
    _set(obj, "annotations", marks)
    return completed


def _default_trigger(spec: TriggerSpec, obj: Object, namespace: str, settings: Settings) -> Model:
    labels = dict(metadata(obj).get("labels") or {})
    completed = default_trigger(spec, labels, namespace=namespace, features=settings.features)
    _set(obj, "labels", labels)
    return completed


def _set(obj: Object, field: str, value: dict[str, str]) -> None:
    if value:
        obj.setdefault("metadata", {})[field] = value


def _validate_broker(spec: BrokerSpec, obj: Object, namespace: str, settings: Settings) -> Errors:
    return validate_broker(
        spec,
        meta.annotations(obj),
        namespace=namespace,
        defaults=settings.brokers,
        features=settings.features,
    )


def _validate_trigger(spec: TriggerSpec, obj: Object, namespace: str, settings: Settings) -> Errors:
    return validate_trigger(
        spec, meta.annotations(obj), namespace=namespace, features=settings.features
    )


def _broker_changes(old: BrokerSpec, new: BrokerSpec, before: Object, after: Object) -> Errors:
    return broker_changes(
        old,
        new,
        old_class=meta.annotations(before).get(keys.BROKER_CLASS_ANNOTATION),
        new_class=meta.annotations(after).get(keys.BROKER_CLASS_ANNOTATION),
    )


KINDS: dict[str, _Kind] = {
    "Broker": _Kind(BrokerSpec, _default_broker, _validate_broker, _broker_changes),
    "Trigger": _Kind(
        TriggerSpec,
        _default_trigger,
        _validate_trigger,
        lambda old, new, before, after: trigger_changes(old, new),
    ),
}


def default(request: AdmissionRequest, settings: Settings) -> AdmissionResponse:
    """Completes an object and writes it as Knative's types would; notes who changed it."""
    kind, given = KINDS.get(request.kind), request.object
    if kind is None or given is None or _not_asked(request, given):
        return ALLOWED
    obj = copy.deepcopy(given)
    try:
        obj["spec"] = _completed(request, obj, settings)
    except DecodeError as error:
        return deny(f"mutation failed: cannot decode incoming new object: {error}")
    before = copy.deepcopy(request.old_object) if request.old_object is not None else None
    if before is not None:
        try:
            before["spec"] = _completed(request, before, settings)
        except DecodeError as error:
            return deny(f"mutation failed: cannot decode incoming old object: {error}")
    _note_user(request, obj, before)
    return AdmissionResponse(changed=obj)


def _completed(request: AdmissionRequest, obj: Object, settings: Settings) -> Object:
    """The spec with its defaults; an object may hold nothing its type does not know."""
    kind, given = KINDS[request.kind], obj.get("spec")
    spec = decode(kind.spec, given, root=request.kind, at=("spec",))
    unknown = unknown_field(kind.spec, given)
    if unknown is not None:
        raise DecodeError(f'json: unknown field "{unknown}"')
    return dump(kind.default(spec, obj, _namespace(request, obj), settings))


def validate(request: AdmissionRequest, settings: Settings) -> AdmissionResponse:
    """Refuses what is wrong, with all complaints at once."""
    kind, obj = KINDS.get(request.kind), request.object
    if kind is None or obj is None or _not_asked(request, obj):
        return ALLOWED
    try:
        spec = decode(kind.spec, obj.get("spec"), root=request.kind, at=("spec",))
        errors = kind.validate(spec, obj, _namespace(request, obj), settings)
        before = request.old_object
        if request.operation == UPDATE and before is not None:
            old = decode(kind.spec, before.get("spec"), root=request.kind, at=("spec",))
            errors += kind.changes(old, spec, before, obj)
    except DecodeError as error:
        return deny(f"validation failed: cannot decode incoming new object: {error}")
    return deny(f"validation failed: {text(errors)}") if errors else ALLOWED


def _not_asked(request: AdmissionRequest, obj: Object) -> bool:
    """Status writes and objects on their way out are let through."""
    asked = request.operation in (CREATE, UPDATE) and not request.subresource
    return not asked or is_deleting(obj)


def _namespace(request: AdmissionRequest, obj: Object) -> str:
    return request.namespace or str(metadata(obj).get("namespace", ""))


def _note_user(request: AdmissionRequest, obj: Object, before: Object | None) -> None:
    """Creator and last modifier, the latter only when the spec changed."""
    marks = dict(meta.annotations(obj))
    if request.operation == CREATE:
        marks[keys.CREATOR_ANNOTATION] = request.username
        marks[keys.LAST_MODIFIER_ANNOTATION] = request.username
    elif (before or {}).get("spec") != obj.get("spec"):
        marks[keys.LAST_MODIFIER_ANNOTATION] = request.username
    if marks:
        obj.setdefault("metadata", {})["annotations"] = marks
    else:
        metadata(obj).pop("annotations", None)
