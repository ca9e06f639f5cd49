"""Whether a Broker checks events by the schemas of EventTypes, and which are about which. Pure.

``spec.attributes`` of an EventType may have ``schemadata``, whose value is a JSON Schema here. In
Knative that is where a schema's URL goes when an EventType is read in this version; none is
fetched, so an EventType with a URL checks nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from eventing.api.views import spec_of
from hearth.knative.fielderrors import Errors, invalid, via
from hearth.knative.resources import BROKERS, EVENTTYPES
from hearth.kube.controllerspec import Source
from hearth.kube.meta import Object, name, namespace

SCHEMA_CHECK = "eventing.hearth.dev/schema-check"
"""Of a Broker."""
ENFORCE, WARN = "enforce", "warn"
SCHEMA_ATTRIBUTE = "schemadata"
EVENTTYPE_SOURCE = Source(EVENTTYPES)


@dataclass(frozen=True, slots=True)
class TypeSchema:
    """The schema that events of a type from a source satisfy."""

    event_type: str
    """The EventType's name."""
    type: str
    source: str
    """Empty for any, as is one with variables."""
    schema: str


def schema_of(event_type: Object) -> TypeSchema | None:
    """Return what an EventType says of data; None where it says nothing."""
    attributes = spec_of(event_type).get("attributes") or ()
    values = {each.get("name", ""): each.get("value") or "" for each in attributes}
    text, kind, source = (values.get(each, "") for each in (SCHEMA_ATTRIBUTE, "type", "source"))
    if not is_inline(text) or not kind:
        return None
    return TypeSchema(name(event_type), kind, "" if "{" in source else source, text)


def is_inline(text: str) -> bool:
    """Whether an attribute's value is a schema, not its URL."""
    return text.lstrip().startswith("{")


def is_about(event_type: Object, broker: Object) -> bool:
    """Whether an EventType is about events of a Broker: it names it, or nothing."""
    if namespace(event_type) != namespace(broker):
        return False
    reference = spec_of(event_type).get("reference") or {}
    if not reference.get("name"):
        return True
    kind = reference.get("kind"), reference.get("name")
    where = reference.get("namespace") or namespace(broker)
    return (*kind, where) == (BROKERS.kind, name(broker), namespace(broker))


def check_mode(annotations: Mapping[str, str]) -> Errors:
    """Complain about a Broker's mode that there is not."""
    mode = annotations.get(SCHEMA_CHECK)
    if mode in (None, ENFORCE, WARN):
        return []
    problem = invalid(mode, SCHEMA_CHECK, f"is one of {ENFORCE}, {WARN}")
    return via([problem], "metadata", "annotations")
