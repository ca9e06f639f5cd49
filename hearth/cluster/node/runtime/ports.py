"""Free ports for pods that share the loopback address.

Real ports are taken below the kernel's range for outgoing connections, so that none of those can
take a port between its choice and the moment the process listens. Nor does another Hearth of the
machine: each port is claimed (``hearth.listening``).
"""

from __future__ import annotations

import random
import socket
from dataclasses import dataclass, field

from hearth.cluster.node.pod.network import PortMap
from hearth.cluster.node.pod.spec import PodSpec
from hearth.listening import PortClaims

FIRST_PORT, LAST_PORT = 20000, 32000
_TRIES = 2000


class NoPort(Exception):
    """No free port was found, or the host port asked for is taken."""


@dataclass(slots=True, eq=False)
class PortAllocator:
    """Hands out ports that nobody listens on and that no other pod was given."""

    rng: random.Random
    _taken: PortClaims = field(default_factory=PortClaims)

    def allocate(self, pod: PodSpec, *, preferred: PortMap) -> dict[int, int]:
        """One real port for each declared one; the preferred (of an earlier run) if still free.

        Raises NoPort; then no port was taken.
        """
        ports: dict[int, int] = {}
        try:
            for container in pod.containers:
                for port in container.ports:
                    if port.number not in ports:
                        before = preferred.get(port.number, 0)
                        ports[port.number] = self._allocate_one(port.host_port, before)
        except NoPort:
            self.release(ports)
            raise
        return ports

    def _allocate_one(self, host_port: int, before: int) -> int:
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
        return port not in self._taken and is_free(port) and self._taken.take(port)

    def keep(self, ports: PortMap) -> None:
        """Marks the ports of an adopted pod as taken."""
        for port in ports.values():
            self._taken.keep(port)

    def release(self, ports: PortMap) -> None:
        """Gives ports back."""
        self._taken.release(ports.values())

    def close(self) -> None:
        """Gives all of them back."""
        self._taken.close()


def is_free(port: int) -> bool:
    """Whether nobody listens on that TCP port, on any address."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return False
    return True
