"""What every handler works with: the store, the kinds, admission, time and chance."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from hearth.cluster.admission.attempt import Admission, NoAdmission
from hearth.cluster.model.aggregates import Aggregates
from hearth.cluster.model.served import ServedKinds
from hearth.cluster.operations.auth import Authenticator, Signer
from hearth.cluster.operations.sending import Sender
from hearth.cluster.operations.watchers import Watchers
from hearth.cluster.store import store as storage
from hearth.kube.clock import Clock, rfc3339
from hearth.kube.names import random_suffix


def _new_uid() -> str:
    return str(uuid.uuid4())


def _new_suffix() -> str:
    return random_suffix(list(os.urandom(5)))


@dataclass
class Api:
    """One server's parts. Created by ``main``, shared by all requests."""

    data_dir: Path
    address: str
    store: storage.Store
    kinds: ServedKinds
    authenticator: Authenticator
    signer: Signer
    clock: Clock
    admission: Admission = field(default_factory=NoAdmission)
    watchers: Watchers = field(default_factory=Watchers)
    new_uid: Callable[[], str] = _new_uid
    new_suffix: Callable[[], str] = _new_suffix
    stopping: bool = False
    closers: set[Callable[[], None]] = field(default_factory=set)
    """End connections that are not HTTP's any more; called when the server stops."""
    sender: Sender | None = None
    """Sends on what other API servers answer for; None: there are none."""

    def __post_init__(self) -> None:
        self.aggregates = Aggregates(self.kinds)

    def now(self) -> str:
        """The time as objects carry it (RFC 3339, seconds)."""
        return rfc3339(self.clock())
