"""The event of a tick. Pure.

Type, source and data are those of Knative's adapter. The id is made of the PingSource and the
tick, so that an event that should ever be sent twice can be told by it.
"""

from __future__ import annotations

import base64
import uuid

from eventing.api.views import spec_of
from eventing.codec import Event
from eventing.sources.overrides import overridden
from hearth.kube.clock import rfc3339
from hearth.kube.meta import Key, Object, key, uid

TYPE = "dev.knative.sources.ping"


def source_of(ping: Key) -> str:
    """Return the source of a PingSource's events."""
    return f"/apis/v1/namespaces/{ping[0]}/pingsources/{ping[1]}"


def event_of(ping: Object, tick: float) -> Event:
    """Return the event that a PingSource sends at a tick (Unix seconds)."""
    spec = spec_of(ping)
    attributes: dict[str, str | int | bool] = {
        "specversion": "1.0",
        "id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{uid(ping)} {tick:.0f}")),
        "source": source_of(key(ping)),
        "type": TYPE,
        "time": rfc3339(tick),
    }
    data = _data(spec)
    if data is not None and spec.get("contentType"):
        attributes["datacontenttype"] = spec["contentType"]
    extensions = (spec.get("ceOverrides") or {}).get("extensions") or {}
    return Event(overridden(attributes, extensions), data)


def _data(spec: dict[str, str]) -> bytes | None:
    if spec.get("dataBase64"):
        return base64.b64decode(spec["dataBase64"])
    return spec["data"].encode() if spec.get("data") else None
