"""What differs between engines: the seam of ``EngineRuntime``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from hearth.cluster.node.runtime.containers.plan import ContainerPlan
from hearth.cluster.node.runtime.engine.client import EngineClient


@dataclass(frozen=True, slots=True)
class Making:
    """A container to be made: the plan, and where it lives on this machine."""

    name: str
    image: str
    plan: ContainerPlan
    labels: Mapping[str, str]
    log: Path
    namespace: Path | None = None
    """Of the network; None: one of the engine's own, with ``ports`` published."""
    ports: Mapping[int, int] = field(default_factory=dict)
    network: str = ""
    """Of the engine, where the container has the address ``ip``."""
    ip: str = ""
    joins: str = ""
    """The container whose network it shares."""


@dataclass(frozen=True, slots=True)
class State:
    """A container as the engine knows it; ``code`` is set once it has ended."""

    container: str
    pid: int
    code: int | None
    started_at: float
    is_out_of_memory: bool
    labels: Mapping[str, str]
    stop_signal: str = "SIGTERM"
    tty: bool = False
    joins: str = ""
    """The container whose network it shares."""


class Dialect(Protocol):
    """One engine."""

    client: EngineClient
    scheme: str
    version: str
    can_init: bool
    """Whether a container can be made ready to the last step before its program."""
    writes_log: bool
    """Whether it writes the log itself, in the format of ``crilog``, to ``Making.log``."""

    async def create(self, making: Making) -> str:
        """Makes a container; its id."""

    async def init(self, container: str) -> None:
        """Makes namespaces, mounts and control groups; the program has not begun."""

    async def start(self, container: str) -> None:
        """Begins the program."""

    async def inspect(self, container: str) -> State | None:
        """How it is; None where there is none."""

    async def wait(self, container: str) -> None:
        """Waits until it has ended, by the engine."""

    async def kill(self, container: str, signal: str) -> None:
        """Signals it; nothing where it has ended."""

    async def remove(self, container: str) -> None:
        """Ends and removes it with what is its alone; nothing where there is none."""

    async def find(self, label: str) -> Sequence[str]:
        """All containers with a label, in whatever state."""
