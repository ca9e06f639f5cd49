"""Events of IntegrationSources: what their attributes are. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from eventing.api.integrationevents import Connector
from eventing.codec import Event
from eventing.codec.event import AttributeValue
from eventing.sources.overrides import overridden
from hearth.kube.clock import rfc3339


def event_of(
    connector: Connector,
    event_id: str,
    when: float,
    content_type: str,
    data: bytes | None,
    *,
    extensions: Mapping[str, str] | None = None,
    overrides: Mapping[str, str] | None = None,
) -> Event:
    """Return an event; ``when`` is in Unix seconds. Empty extensions are left out."""
    attributes: dict[str, AttributeValue] = {
        "specversion": "1.0",
        "id": event_id,
        "type": connector.type,
        "source": connector.source,
        "subject": connector.subject,
        "time": rfc3339(when),
    }
    if data is not None:
        attributes["datacontenttype"] = content_type
    attributes |= {name: value for name, value in (extensions or {}).items() if value}
    return Event(overridden(attributes, overrides or {}), data)
