"""What every handler works with: the store, the kinds, admission, time and chance."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import SystemRandom
from typing import Any, Protocol

from hearth.cluster.apiserver import store as storage
from hearth.cluster.apiserver.auth import Authenticator, Signer
from hearth.cluster.apiserver.kind import Kind
from hearth.cluster.apiserver.objects import Object
from hearth.cluster.apiserver.registry import Registry
from hearth.cluster.apiserver.requests import User
from hearth.cluster.apiserver.watchers import Watchers
from hearth.kube.clock import Clock, rfc3339
from hearth.kube.names import random_suffix


@dataclass(frozen=True, slots=True)
class Attempt:
    """A write about to happen, as admission sees it. ``obj`` of a deletion is None."""

    operation: str  # CREATE, UPDATE, DELETE or CONNECT
    kind: Kind
    namespace: str
    name: str
    subresource: str
    obj: Object | None
    old: Object | None
    user: User
    dry_run: bool
    options: dict[str, Any] | None
    warnings: list[str] = field(default_factory=list)


class Admission(Protocol):
    """Webhooks and built-in admission; both raise ``ApiStatus`` to refuse."""

    async def mutate(self, attempt: Attempt) -> Object | None:
        """The object to go on with: the one given, or a changed copy."""

    async def validate(self, attempt: Attempt) -> None: ...


class NoAdmission:
    """Lets everything pass."""

    async def mutate(self, attempt: Attempt) -> Object | None:
        return attempt.obj

    async def validate(self, attempt: Attempt) -> None:
        return None


_RANDOM = SystemRandom()


def _new_uid() -> str:
    return str(uuid.uuid4())


def _new_suffix() -> str:
    return random_suffix([_RANDOM.randrange(1 << 30) for _ in range(5)])


@dataclass
class Api:
    """One server's parts. Created by ``main``, shared by all requests."""

    data_dir: Path
    address: str
    store: storage.Store
    registry: Registry
    authenticator: Authenticator
    signer: Signer
    clock: Clock
    admission: Admission = field(default_factory=NoAdmission)
    watchers: Watchers = field(default_factory=Watchers)
    new_uid: Callable[[], str] = _new_uid
    new_suffix: Callable[[], str] = _new_suffix
    stopping: bool = False

    def now(self) -> str:
        return rfc3339(self.clock())
