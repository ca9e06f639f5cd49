"""Ports of pods on one shared address: every declared container port gets a free real one.

``PortAllocator`` looks at the machine; ``port_environment`` is pure and says how a process is
told. Real ports are taken below the kernel's range for outgoing connections, so that none of
those can take a port between its choice and the moment the process listens.
"""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field

from hearth.cluster.node.pod.spec import Container, PodSpec

PORTS_ANNOTATION = "hearth.dev/ports"
FIRST_PORT, LAST_PORT = 20000, 32000
_TRIES = 2000

PortMap = Mapping[int, int]
"""Container port -> real port."""


class NoPort(Exception):
    """No free port was found, or the host port asked for is taken."""


@dataclass(slots=True)
class PortAllocator:
    """Hands out ports that nobody listens on and that no other pod was given."""

    rng: random.Random
    _taken: set[int] = field(default_factory=set)

    def allocate(self, pod: PodSpec, *, wanted: PortMap | None = None) -> dict[int, int]:
        """One port for each declared one; those wanted (of an earlier run) if still free."""
        found: dict[int, int] = {}
        try:
            for container in pod.containers:
                for port in container.ports:
                    if port.number not in found:
                        before = (wanted or {}).get(port.number, 0)
                        found[port.number] = self._one(port.host_port, before)
        except NoPort:
            self.release(found)
            raise
        return found

    def _one(self, host_port: int, before: int) -> int:
        if host_port:
            if not self._claim(host_port):
                raise NoPort(f"host port {host_port} is in use on this machine")
            return host_port
        if before and self._claim(before):
            return before
        for _ in range(_TRIES):
            port = self.rng.randint(FIRST_PORT, LAST_PORT)
            if self._claim(port):
                return port
        raise NoPort(f"no free port between {FIRST_PORT} and {LAST_PORT}")

    def _claim(self, port: int) -> bool:
        if port in self._taken or not is_free(port):
            return False
        self._taken.add(port)
        return True

    def keep(self, ports: PortMap) -> None:
        """Marks the ports of an adopted pod as taken."""
        self._taken.update(ports.values())

    def release(self, ports: PortMap) -> None:
        self._taken.difference_update(ports.values())


def is_free(port: int) -> bool:
    """Nobody listens on that TCP port, on any address."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return False
    return True


def annotation_text(ports: PortMap) -> str:
    return json.dumps({str(number): real for number, real in ports.items()}, separators=(",", ":"))


def parse_annotation(text: str | None) -> dict[int, int]:
    """The mapping of an annotation; empty for none or one that somebody has broken."""
    try:
        return {int(number): int(real) for number, real in json.loads(text or "{}").items()}
    except (ValueError, TypeError, AttributeError):
        return {}


def port_environment(container: Container, ports: PortMap) -> dict[str, str]:
    """How a process learns its ports.

    ``PORT`` is the real port of the container's first declared port. Every declared port is also
    told as ``HEARTH_PORT_<number>``, for containers with several.
    """
    if not container.ports:
        return {}
    env = {"PORT": str(ports[container.ports[0].number])}
    for port in container.ports:
        env[f"HEARTH_PORT_{port.number}"] = str(ports[port.number])
    return env


def with_real_port(env: Mapping[str, str], container: Container, ports: PortMap) -> dict[str, str]:
    """``env`` after the pod's own variables: a PORT naming a declared port becomes the real one."""
    result = dict(env)
    declared = {str(port.number): str(ports[port.number]) for port in container.ports}
    if result.get("PORT") in declared:
        result["PORT"] = declared[result["PORT"]]
    return result


def resolve_port(container: Container, port: int | str, ports: PortMap) -> int | None:
    """The real port behind a number or name as probes and hooks give it; None if unknown."""
    text = str(port)
    for declared in container.ports:
        if declared.name == text or str(declared.number) == text:
            return ports.get(declared.number)
    return int(text) if text.isdigit() and 0 < int(text) < 65536 else None
