"""Which autoscaler decides on a revision, and where it is: told by the caller, or by Leases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from activator.pods import Address
from hearth.knative.leaderelection import LeaderElectionConfig, address_of
from hearth.kube.buckets import Buckets
from hearth.kube.meta import Object, name
from serving.api import keys


class Autoscalers(Protocol):
    """Whom to report to."""

    def address(self, namespace: str, revision: str) -> Address | None:
        """Return where the one is that decides on a revision; None while there is none."""
        ...

    def addresses(self) -> set[Address]:
        """Return where all of them are."""
        ...

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call back whenever one of them is somewhere else."""
        ...


class OneAutoscaler(Autoscalers):
    """The only one, at an address that stays."""

    def __init__(self, address: Address) -> None:
        self._address = address

    def address(self, namespace: str, revision: str) -> Address | None:
        """It decides on everything."""
        return self._address

    def addresses(self) -> set[Address]:
        """Return its address."""
        return {self._address}

    def on_change(self, callback: Callable[[], None]) -> None:
        """It never moves."""


class ElectedAutoscalers(Autoscalers):
    """The holders of the control plane's Leases, one for each bucket. Told of Leases; no I/O."""

    def __init__(self, config: LeaderElectionConfig) -> None:
        self._buckets = Buckets(config.leases(keys.CONTROL_COMPONENT))
        self._holders: dict[str, Address] = {}
        self._callbacks: list[Callable[[], None]] = []

    def lease_changed(self, old: Object | None, new: Object | None) -> None:
        """Follow a Lease. One that is free, or expired, leads where its last holder was."""
        lease = name((new or old) or {})
        address = address_of(new)
        if lease not in self._buckets.names or address is None:
            return
        if self._holders.get(lease) != address:
            self._holders[lease] = address
            for callback in self._callbacks:
                callback()

    def address(self, namespace: str, revision: str) -> Address | None:
        """Return where the holder of the revision's bucket is."""
        return self._holders.get(self._buckets.owner(f"{namespace}/{revision}"))

    def addresses(self) -> set[Address]:
        """Return where the holders are; one may hold several buckets."""
        return set(self._holders.values())

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call back whenever a bucket has another holder."""
        self._callbacks.append(callback)
