"""Which autoscaler decides on a revision, and where it is: told by the caller, or by Leases."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from hearth.knative.leaderelection import Address, address_of
from hearth.kube.buckets import Buckets
from hearth.kube.meta import Object, name


class Autoscalers(Protocol):
    """Whom to report to."""

    def decides(self, address: Address, namespace: str, revision: str) -> bool:
        """Whether the one at an address is to be told of a revision."""
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

    def decides(self, address: Address, namespace: str, revision: str) -> bool:
        """It decides on everything."""
        return address == self._address

    def addresses(self) -> set[Address]:
        """Return its address."""
        return {self._address}

    def on_change(self, callback: Callable[[], None]) -> None:
        """It never moves."""


class ElectedAutoscalers(Autoscalers):
    """The holders of the control plane's Leases, one for each bucket. Told of Leases; no I/O."""

    def __init__(self, leases: Iterable[str]) -> None:
        """``leases`` are their names."""
        self._buckets = Buckets(leases)
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

    def decides(self, address: Address, namespace: str, revision: str) -> bool:
        """Whether the holder of the revision's bucket is there."""
        return self._holders.get(self._buckets.owner(f"{namespace}/{revision}")) == address

    def addresses(self) -> set[Address]:
        """Return where the holders are; one may hold several buckets."""
        return set(self._holders.values())

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call back whenever a bucket has another holder."""
        self._callbacks.append(callback)


class EveryAutoscaler(Autoscalers):
    """All replicas of who scales by routes: each is told of everything, one of them acts."""

    def __init__(self) -> None:
        self._addresses: dict[str, set[Address]] = {}
        self._callbacks: list[Callable[[], None]] = []

    def listed(self, component: str, addresses: Iterable[str]) -> None:
        """These replicas of one component are there, each ``host:port``."""
        found = {
            (host, int(port)) for host, _, port in (each.rpartition(":") for each in addresses)
        }
        if found != self._addresses.get(component):
            self._addresses[component] = found
            for callback in self._callbacks:
                callback()

    def decides(self, address: Address, namespace: str, revision: str) -> bool:
        """Each may."""
        return True

    def addresses(self) -> set[Address]:
        """Return where all of them are."""
        return set[Address]().union(*self._addresses.values())

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call back whenever there are others."""
        self._callbacks.append(callback)
