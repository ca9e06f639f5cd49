"""Where a pod is reached: its address, and which real port stands behind a declared one. Pure.

A runtime says it (``runtime.api``). On an address that pods share, such as the loopback address
of processes, every declared container port stands for a free real one; on an address of its own a
pod's ports stand for themselves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from hearth.cluster.node.pod.spec import Container

NODE_ADDRESS = "127.0.0.1"

PortMap = Mapping[int, int]
"""Declared container port -> real port."""


@dataclass(frozen=True, slots=True)
class PodNetwork:
    """The address of a pod; ``ports`` lists only those that do not stand for themselves."""

    ip: str = NODE_ADDRESS
    ports: PortMap = field(default_factory=dict)

    def real_port(self, number: int) -> int:
        """The port to connect to for a declared one."""
        return self.ports.get(number, number)

    def find_port(self, container: Container, port: int | str) -> int | None:
        """The real port behind a number or name as probes and hooks give it; None if unknown."""
        number = declared_port(container, port)
        return None if number is None else self.real_port(number)

    def to_json(self) -> dict[str, Any]:
        """The network as it is saved with the pod's records."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> PodNetwork:
        """The network that was saved; raises KeyError, ValueError or AttributeError if damaged."""
        return cls(data["ip"], {int(number): real for number, real in data["ports"].items()})


def annotation_text(ports: PortMap) -> str:
    """The value of the annotation ``hearth.dev/ports``."""
    return json.dumps({str(number): real for number, real in ports.items()}, separators=(",", ":"))


def port_environment(container: Container, network: PodNetwork) -> dict[str, str]:
    """The variables that tell a process its ports.

    ``PORT`` is the real port of the container's first declared port. Every declared port is also
    told as ``HEARTH_PORT_<number>``, for containers with several.
    """
    if not container.ports:
        return {}
    env = {"PORT": str(network.real_port(container.ports[0].number))}
    for port in container.ports:
        env[f"HEARTH_PORT_{port.number}"] = str(network.real_port(port.number))
    return env


def with_real_port(
    env: Mapping[str, str], container: Container, network: PodNetwork
) -> dict[str, str]:
    """``env`` after the pod's own variables: a PORT naming a declared port becomes the real one."""
    result = dict(env)
    declared = {str(port.number): str(network.real_port(port.number)) for port in container.ports}
    if result.get("PORT") in declared:
        result["PORT"] = declared[result["PORT"]]
    return result


def declared_port(container: Container, port: int | str) -> int | None:
    """The port that a container itself has for a number or name; None for an unknown name."""
    text = str(port)
    for declared in container.ports:
        if declared.name == text or str(declared.number) == text:
            return declared.number
    is_number = text.isascii() and text.isdigit()
    return int(text) if is_number and 0 < int(text) < 65536 else None
