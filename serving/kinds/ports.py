"""The ports of a revision's Services, by the protocol they speak. Pure."""

from __future__ import annotations

from serving.api import keys

SERVICE_PORTS = {keys.PROTOCOL_HTTP1: ("http", 80), keys.PROTOCOL_H2C: ("http2", 81)}
"""Name and number of the port for each protocol."""


def service_port(protocol: str) -> int:
    """Return the port of a revision's Service that speaks this protocol."""
    return SERVICE_PORTS[protocol][1]
