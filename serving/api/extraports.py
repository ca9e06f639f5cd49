"""More ports of a revision: the annotation ``serving.hearth.dev/ports`` of its template. Pure.

A JSON or YAML list::

    - {name: grpc, port: 50051, protocol: h2c}
    - {name: metrics, port: 9090, counted: false}

Each is a port of the serving container, of the revision's Services, and of a host of the Route's,
as a tag has: ``grpc-hello.default.example.com``. What is not counted wakes nobody and keeps
nobody awake.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from serving.api import keys
from serving.api.annotationtext import TextError, fields_of, loaded

MOST_PORTS = 10
_FIELDS = ("name", "port", "protocol", "counted")
_NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,13}[a-z0-9])?")
_TAKEN_NAMES = frozenset((keys.USER_PORT_NAME, "http", "http1", "http2", "h2c", "https"))
_TAKEN_PORTS = keys.RESERVED_PORTS | {80, 81}
"""Of Knative's sidecar, as for a container's own port, and of the revision's Services."""


@dataclass(frozen=True, slots=True)
class ExtraPort:
    """One of them."""

    name: str
    number: int
    protocol: str = keys.PROTOCOL_HTTP1
    counted: bool = True

    def container_port(self) -> dict[str, Any]:
        """As the container has it."""
        return {"name": self.name, "containerPort": self.number, "protocol": "TCP"}

    def service_port(self) -> dict[str, Any]:
        """As the revision's Services have it."""
        entry = {"name": self.name, "port": self.number, "protocol": "TCP"}
        speaks = {"appProtocol": "kubernetes.io/h2c"} if self.protocol == keys.PROTOCOL_H2C else {}
        return {**entry, **speaks, "targetPort": self.name}


@lru_cache(maxsize=256)
def parse_ports(text: str) -> tuple[ExtraPort, ...]:
    """Read the annotation; raises TextError."""
    entries = loaded(text)
    if not isinstance(entries, list) or not entries:
        raise TextError("expected a list of ports", value=text[:100])
    if len(entries) > MOST_PORTS:
        raise TextError(f"expected at most {MOST_PORTS} ports", value=len(entries))
    ports = [_port(entry, f"[{place}]") for place, entry in enumerate(entries)]
    for place, port in enumerate(ports):
        for before in ports[:place]:
            if port.name == before.name:
                raise TextError("it is there twice", f"[{place}].name", port.name)
            if port.number == before.number:
                raise TextError("it is there twice", f"[{place}].port", port.number)
    return tuple(ports)


def _port(entry: Any, path: str) -> ExtraPort:
    given = fields_of(entry, _FIELDS, path, "a port")
    name, number = given.get("name"), given.get("port")
    if not isinstance(name, str) or _NAME.fullmatch(name) is None or "--" in name:
        expected = "expected a name of at most 15 small letters, digits and dashes, such as grpc"
        raise TextError(expected, f"{path}.name", name)
    if name in _TAKEN_NAMES:
        raise TextError("Knative's own ports are called so", f"{path}.name", name)
    if isinstance(number, bool) or not isinstance(number, int) or not 0 < number < 65536:
        raise TextError("expected a number from 1 to 65535", f"{path}.port", number)
    if number in _TAKEN_PORTS:
        raise TextError("Knative has this port for itself", f"{path}.port", number)
    protocol = given.get("protocol", keys.PROTOCOL_HTTP1)
    if protocol not in (keys.PROTOCOL_HTTP1, keys.PROTOCOL_H2C):
        raise TextError("expected http1 or h2c", f"{path}.protocol", protocol)
    counted = given.get("counted", True)
    if not isinstance(counted, bool):
        raise TextError("expected true or false", f"{path}.counted", counted)
    return ExtraPort(name, number, protocol, counted)


def ports_of(annotations: Mapping[str, str]) -> tuple[ExtraPort, ...]:
    """The ports that annotations ask for; none for what cannot be read, as for none."""
    try:
        return parse_ports(annotations[keys.PORTS]) if keys.PORTS in annotations else ()
    except TextError:
        return ()


def port_of(annotations: Mapping[str, str], number: int | str) -> ExtraPort | None:
    """The port of this number; None for the usual one."""
    return next((each for each in ports_of(annotations) if each.number == number), None)
