"""EventTypes that sources register: one for each type of event in their status. Pure.

As Knative's controller of sources: names, labels and owners are its own, and only sources whose
sink is an object have them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from eventing.api.views import spec_of
from eventing.kinds.eventtype import EVENTTYPE_SOURCE
from hearth.knative.resources import EVENTTYPES
from hearth.kube.controllerspec import Lister
from hearth.kube.meta import Object, is_controlled_by, name, namespace, owner_reference, uid
from hearth.kube.plan import Action, Create, Delete, Update

Attributes = Sequence[Mapping[str, str]]
"""Types and sources of events, as ``status.ceAttributes`` has them."""


def registered(lister: Lister, source: Object) -> list[Object]:
    """Return the EventTypes that a source has."""
    there = lister.list(EVENTTYPE_SOURCE, namespace(source))
    return [each for each in there if is_controlled_by(each, source)]


def kept_event_types(
    source: Object, attributes: Attributes, existing: Sequence[Object], *, description: str = ""
) -> tuple[Action, ...]:
    """Return what makes a source's EventTypes those that it should have."""
    wanted = {name(each): each for each in _made(source, attributes, description)}
    there = {name(each): each for each in existing}
    actions: list[Action] = [
        Delete(EVENTTYPES, namespace(source), title, uid=uid(each))
        for title, each in there.items()
        if title not in wanted
    ]
    for title, each in wanted.items():
        known = there.get(title)
        if known is None:
            actions.append(Create(EVENTTYPES, each))
        elif spec_of(known) != each["spec"]:
            actions.append(Update(EVENTTYPES, {**known, "spec": each["spec"]}))
    return tuple(actions)


def _made(source: Object, attributes: Attributes, description: str) -> list[Object]:
    reference: dict[str, Any] = (spec_of(source).get("sink") or {}).get("ref") or {}
    if not reference:
        return []
    whole = {**reference, "namespace": reference.get("namespace") or namespace(source)}
    return [_event_type(source, each, whole, description) for each in attributes]


def _event_type(
    source: Object, attributes: Mapping[str, str], reference: Mapping[str, Any], description: str
) -> Object:
    kind, origin = attributes["type"], attributes["source"]
    text = f"{kind}{origin}{uid(source)}"
    given = [{"name": each, "required": True} for each in ("specversion", "id")]
    known = [
        {"name": field, "required": True, "value": value}
        for field, value in (("type", kind), ("source", origin))
    ]
    return {
        "apiVersion": EVENTTYPES.api_version,
        "kind": EVENTTYPES.kind,
        "metadata": {
            "name": hashlib.md5(text.encode(), usedforsecurity=False).hexdigest(),
            "namespace": namespace(source),
            "labels": {"eventing.knative.dev/sourceName": name(source)},
            "ownerReferences": [owner_reference(source)],
        },
        "spec": {
            "attributes": [*given, *known],
            **({"description": description} if description else {}),
            "reference": dict(reference),
            # What clients read that know the older versions alone, as kn does.
            "source": origin,
            "type": kind,
        },
    }
