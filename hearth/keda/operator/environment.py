"""What daemons of one process have in common, and the daemons by their objects."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from hearth.keda.api.shapes import AuthenticationRef
from hearth.keda.operator.targets import Kinds
from hearth.keda.scalers.seam import PodIdentity, Scaler, TriggerConfig
from hearth.kube.client import KubeClient
from hearth.kube.clock import Clock, wall_clock
from hearth.kube.meta import Key, Object
from hearth.kube.plan import Event
from serving.api.wishes import Wish

COMPONENT = "keda-operator"


@dataclass(frozen=True, slots=True)
class Resolved:
    """What the authentication of a trigger and its target's environment come to."""

    auth: dict[str, str] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    pod_identity: PodIdentity = field(default_factory=PodIdentity)
    warnings: Sequence[str] = ()


class Resolver(Protocol):
    """Looks up what triggers need and do not say themselves. Raises ConfigError."""

    async def __call__(
        self,
        reference: AuthenticationRef | None,
        pod: Object | None,
        *,
        container: str,
        namespace: str,
    ) -> Resolved:
        """``pod`` is the spec of the target's pods, None where it has none."""
        ...


class Daemon(Protocol):
    """What is told of an object while its daemon runs."""

    def note(self, obj: Object) -> None:
        """The object as it is now."""
        ...

    def recheck(self) -> None:
        """What it depends on has changed: look at all of it anew."""
        ...

    def references(self, kind: str, name: str) -> bool:
        """Whether a trigger uses an authentication."""
        ...


@dataclass(slots=True)
class Environment:
    """Made once in a process."""

    client: KubeClient
    kinds: Kinds
    make: Callable[[TriggerConfig], Scaler]
    resolve: Resolver
    record: Callable[[Event], None]
    wish: Callable[[Wish], None] = lambda wish: None
    """Tells Knative's autoscaler."""
    clock: Clock = wall_clock
    loop_clock: Clock = field(default_factory=lambda: asyncio.get_running_loop().time)
    timeout: float = 3.0
    """Seconds that a server of a trigger may take to answer (KEDA_HTTP_DEFAULT_TIMEOUT)."""
    version: str = ""
    proxy: str = ""
    """The URL by which triggers reach Services of the cluster; none where names are resolved."""
    daemons: dict[tuple[str, Key], Daemon] = field(default_factory=dict)
    """Those that run, by kind and key."""

    def recheck(self, references: tuple[str, str], namespace: str) -> None:
        """Tell those that use an authentication; of all namespaces for ``""``."""
        for (_, (where, _)), daemon in list(self.daemons.items()):
            if namespace in ("", where) and daemon.references(*references):
                daemon.recheck()
