"""The events of changes to objects. Pure.

Types, attributes and data are those of Knative's adapter; its subject guesses the resource from
the kind, too.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping

from eventing.codec import Event
from eventing.sources.apiserver.changes import Change
from eventing.sources.overrides import overridden
from hearth.knative.destinations import plural_of
from hearth.kube.meta import Object, name, namespace, resource_version, uid

_PREFIX = "dev.knative.apiserver"


def type_of(change: Change, *, whole: bool) -> str:
    """Return the type of the event of a change."""
    return f"{_PREFIX}.{'resource' if whole else 'ref'}.{change.value}"


def types(*, whole: bool) -> list[str]:
    """Return all types that a source sends."""
    return [type_of(each, whole=whole) for each in (Change.ADD, Change.DELETE, Change.UPDATE)]


def event_of(
    change: Change,
    obj: Object,
    *,
    source: str,
    whole: bool,
    overrides: Mapping[str, str] | None = None,
) -> Event:
    """Return the event that tells of a change; an event that was sent before has the same id."""
    kind, version = str(obj.get("kind", "")), str(obj.get("apiVersion", ""))
    where, title = namespace(obj), name(obj)
    seen = f"{uid(obj)} {resource_version(obj)} {change.value}"
    attributes: dict[str, str | int | bool] = {
        "specversion": "1.0",
        "id": str(uuid.uuid5(uuid.NAMESPACE_OID, seen)),
        "source": source,
        "type": type_of(change, whole=whole),
        "subject": f"/apis/{version}/namespaces/{where}/{plural_of(kind)}/{title}",
        "datacontenttype": "application/json",
    }
    told = {"kind": kind, "apiversion": version, "name": title, "namespace": where}
    attributes |= {field: value for field, value in told.items() if value}
    data: Object = obj
    if not whole:
        data = {"kind": kind, "namespace": where, "name": title, "apiVersion": version}
        data = {field: value for field, value in data.items() if value}
    attributes = overridden(attributes, overrides or {})
    return Event(attributes, json.dumps(data, separators=(",", ":")).encode())
