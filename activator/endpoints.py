"""From EndpointSlices to addresses with a state. Pure; called when a slice or Service changes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from activator.pods import Address

Object = dict[str, Any]


class State(Enum):
    """What an EndpointSlice says of an endpoint."""

    READY = "ready"
    # An address and a port are known, so the activator may probe it by itself.
    NOT_READY = "not ready"
    # Still finishing what it has; gets nothing new.
    TERMINATING = "terminating"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address behind a port of a Service, and the name of its pod."""

    address: Address
    state: State
    pod: str = ""


# When a pod is listed twice (an old and a new slice for a moment), the more careful word counts.
_CAUTION = {State.READY: 0, State.NOT_READY: 1, State.TERMINATING: 2}
_USUAL_PORT_NAMES = ("http", "http1", "h2c", "")


def endpoints_of(
    slices: Iterable[Object], service: Object | None, port: int | str
) -> dict[Address, Endpoint]:
    """Every endpoint behind one port of a Service, by address."""
    name = port_name(service, port)
    endpoints: dict[Address, Endpoint] = {}
    for item in slices:
        number = _slice_port(item, name, port)
        if number is None:
            continue
        for endpoint in item.get("endpoints") or ():
            for address in (endpoint.get("addresses") or ())[:1]:
                _add(endpoints, Endpoint((address, number), _state(endpoint), _pod_name(endpoint)))
    return endpoints


def port_name(service: Object | None, port: int | str) -> str | None:
    """The name of a Service's port given by number or name; None when it cannot be told."""
    ports = ((service or {}).get("spec") or {}).get("ports") or []
    for entry in ports:
        if entry.get("port") == port or (isinstance(port, str) and entry.get("name") == port):
            return str(entry.get("name") or "")
    return None


def _slice_port(item: Object, name: str | None, port: int | str) -> int | None:
    ports: dict[str, int | None] = {
        str(entry.get("name") or ""): entry.get("port") for entry in item.get("ports") or ()
    }
    if name is not None:
        return ports.get(name)
    if isinstance(port, str) and port in ports:
        return ports[port]
    # The Service itself has not been seen yet: a single port or the usual names leave no doubt.
    if len(ports) == 1:
        return next(iter(ports.values()))
    return next((ports[usual] for usual in _USUAL_PORT_NAMES if usual in ports), None)


def _state(endpoint: Object) -> State:
    conditions = endpoint.get("conditions") or {}
    if conditions.get("terminating"):
        return State.TERMINATING
    # An absent "ready" means ready (discovery/v1: consumers interpret nil as true).
    return State.NOT_READY if conditions.get("ready") is False else State.READY


def _pod_name(endpoint: Object) -> str:
    return str((endpoint.get("targetRef") or {}).get("name") or "")


def _add(endpoints: dict[Address, Endpoint], endpoint: Endpoint) -> None:
    other = endpoints.get(endpoint.address)
    if other is None or (
        other.pod == endpoint.pod and _CAUTION[other.state] < _CAUTION[endpoint.state]
    ):
        endpoints[endpoint.address] = endpoint
    elif other.pod != endpoint.pod and _CAUTION[other.state] > _CAUTION[endpoint.state]:
        # Two pods at one address: the port of a dead one was given to a new one.
        endpoints[endpoint.address] = endpoint
