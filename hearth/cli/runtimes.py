"""What runs pods on this machine: which container engine ``hearth up`` uses, and how it is told."""

from __future__ import annotations

import enum
import os
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

from hearth.cli.errors import UserError
from hearth.cluster.node.runtime.engine.sockets import Found, find_engine, is_served
from hearth.cluster.node.runtime.podnets.addresses import POD_RANGE, parse_range

_GROUPS_OF_USERS = Path("/sys/fs/cgroup/cgroup.controllers")
"""Of version 2 alone, which alone may be left to ordinary users."""


class Runtime(enum.StrEnum):
    """The values of ``hearth up --runtime``."""

    AUTO = "auto"
    PROCESS = "process"
    DOCKER = "docker"
    PODMAN = "podman"
    RUNC = "runc"


@dataclass(frozen=True, slots=True)
class Pods:
    """How pods are run: ``engine`` for images that are no known commands."""

    engine: Found | None = None
    is_named: bool = False
    """The user has said which; samples that stand for other images then give way to those."""
    has_limits: bool = True
    """Whether limits of CPU and memory hold in containers, as far as the machine tells."""
    range: IPv4Network = POD_RANGE
    """What the network of containers is taken of."""

    @property
    def engine_socket(self) -> str | None:
        """Where the engine answers; empty for one that the node serves, None for no engine."""
        if self.engine is None or self.engine.kind in ("runc", "crun"):
            return None
        return self.engine.socket

    def __str__(self) -> str:
        if self.engine is None:
            why = "as asked" if self.is_named else "no container engine found"
            return f"processes ({why})"
        limits = "" if self.has_limits else ", limits of CPU and memory not enforced"
        return f"containers by {self.engine}{limits}; known commands as processes"


def choose(
    wanted: Runtime, env: Mapping[str, str] = os.environ, *, pod_range: str = str(POD_RANGE)
) -> Pods:
    """Looks for an engine without starting any; UserError where the one asked for is not there."""
    try:
        network = parse_range(pod_range)
    except ValueError as error:
        raise UserError(f"--pod-range: {error}; give one such as {POD_RANGE}") from error
    if wanted is Runtime.PROCESS:
        return Pods(is_named=True)
    from hearth.cluster.node.runtime.bundles.runc import find_program

    engine = find_engine(
        wanted,
        env,
        home=Path.home(),
        uid=os.getuid(),
        is_served=is_served,
        runc=find_program(env.get("PATH", "")),
    )
    if engine is None and wanted is Runtime.RUNC:
        raise UserError(
            "containers without an engine need root with all rights that mounts and networks take, "
            "and runc, or a crun that takes this machine's control groups"
        )
    if engine is None and wanted is not Runtime.AUTO:
        raise UserError(
            f"there is no {wanted} here: no socket of it answers, and no such command is installed"
        )
    has_limits = engine is None or engine.is_root or _GROUPS_OF_USERS.exists()
    return Pods(engine, wanted is not Runtime.AUTO, has_limits, network)


UNDECIDED = Pods()
