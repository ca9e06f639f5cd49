"""What is read off stored Brokers and Triggers, and the sources they are read from. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from eventing.api import keys
from hearth.knative.resources import BROKERS, TRIGGERS
from hearth.kube import meta
from hearth.kube.controllerspec import Index, Lister, Source
from hearth.kube.meta import Key, Object, key_text, name, namespace, uid

BROKER_SOURCE = Source(BROKERS)
TRIGGER_SOURCE = Source(TRIGGERS)
_LONGEST_FILE_NAME = 255
TRIGGERS_BY_BROKER = Index(TRIGGER_SOURCE, lambda trigger: (key_text(broker_key(trigger)),))


def spec_of(obj: Object) -> dict[str, Any]:
    """Return the spec, empty where there is none."""
    return obj.get("spec") or {}


def status_of(obj: Object) -> dict[str, Any]:
    """Return the status, empty where there is none."""
    return obj.get("status") or {}


def status_annotation(obj: Object, annotation: str) -> str | None:
    """Return an annotation of the status."""
    marks: dict[str, str] = status_of(obj).get("annotations") or {}
    return marks.get(annotation)


def broker_class(broker: Object) -> str | None:
    """Return the class, which names the engine. It never changes."""
    return meta.annotations(broker).get(keys.BROKER_CLASS_ANNOTATION)


def moved_from(broker: Object) -> str | None:
    """Return the class that it had before, if it had another one."""
    said = meta.annotations(broker).get(keys.MOVED_FROM_ANNOTATION)
    return said if said != broker_class(broker) else None


def broker_key(trigger: Object) -> Key:
    """Return the key of a Trigger's Broker, which may be of another namespace."""
    spec = spec_of(trigger)
    reference = spec.get("brokerRef")
    if reference:
        return reference.get("namespace") or namespace(trigger), str(reference.get("name", ""))
    return namespace(trigger), str(spec.get("broker", ""))


def triggers_of(lister: Lister, broker: Object) -> Iterator[Key]:
    """Map a Broker to its Triggers."""
    for trigger in lister.by_index(TRIGGERS_BY_BROKER, key_text((namespace(broker), name(broker)))):
        yield namespace(trigger), name(trigger)


def log_key(broker: Object) -> str:
    """Return the key of a Broker's log; one made anew under the same name gets a new log."""
    return file_key(f"{namespace(broker)}_{name(broker)}", broker)


def file_key(title: str, obj: Object) -> str:
    """Return a key for what is kept of an object, told apart by its uid.

    It is the name of a folder, so it has 255 characters at most, and a title may be cut: names of
    objects alone may have 253.
    """
    return f"{title[: _LONGEST_FILE_NAME - 1 - len(uid(obj))]}_{uid(obj)}"


def subscribed_mark(trigger: Object) -> str:
    """Return the value of the annotation that says: this generation is being served."""
    return str(meta.generation(trigger))
