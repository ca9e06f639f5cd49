"""The routes of KEDA's HTTP add-on, compiled to hosts of the route table. Pure.

Of the routes that match a request the most specific one has it (``pkg/routing/tablememory.go``
and the add-on's page about routing):

    host        exact, else the longer wildcard, else any
    path        longest prefix, by whole segments
    fields      more conditions first, then more exact values
    age         oldest first, then namespace and name, the last one in order first

Unlike the add-on, which looks at the longest prefix alone, a request whose fields do not match
there goes to the next shorter prefix of the same host.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from activator.http.fields import Field
from activator.routes import HostRoutes, Route, Split
from activator.rules import CompiledRule, FieldMatch, compiled_rule, path_of
from hearth.keda.api.httproutes import HttpRoute

T = TypeVar("T")
Owner = tuple[str, str]
"""Namespace and name of a route."""


@dataclass(frozen=True, slots=True)
class _Entry(Generic[T]):
    """One host and path of one rule."""

    path: bytes
    fields: tuple[FieldMatch, ...]
    created: str
    owner: Owner
    route: Route[T]


@dataclass(frozen=True, slots=True)
class RuledHost(HostRoutes[T]):
    """The routes of one host, by path prefix, most specific first."""

    by_path: Mapping[bytes, list[_Entry[T]]] = field(default_factory=dict)
    # Segments of the longest prefix.
    depth: int = 0
    # Where every request has one route.
    sole: Route[T] | None = None

    def find(self, path: bytes, fields: list[Field]) -> Route[T] | None:
        """The route of a request, which may have none."""
        if self.sole is not None:
            return self.sole
        if not self.depth:
            return _first(self.by_path.get(b"", ()), fields)
        segments = path_of(path).split(b"/", self.depth)[: self.depth]
        while segments:
            found = _first(self.by_path.get(b"/".join(segments), ()), fields)
            if found is not None:
                return found
            segments.pop()
        return _first(self.by_path.get(b"", ()), fields)


def _first(entries: Iterable[_Entry[T]], fields: list[Field]) -> Route[T] | None:
    for entry in entries:
        if all(each.holds(fields) for each in entry.fields):
            return entry.route
    return None


class AddonRoutes(Generic[T]):
    """All routes; a change touches only the hosts that it names."""

    def __init__(self) -> None:
        self._entries: dict[bytes, dict[Owner, list[_Entry[T]]]] = {}
        self._hosts: dict[bytes, RuledHost[T]] = {}
        # Hosts whose routes are others than when they were compiled.
        self._changed: set[bytes] = set()
        self._of_owner: dict[Owner, frozenset[bytes]] = {}

    @property
    def hosts(self) -> Mapping[bytes, RuledHost[T]]:
        """What there is by host, wildcards with their star, ``*`` for any host."""
        for host in self._changed:
            entries = [entry for each in self._entries[host].values() for entry in each]
            if entries:
                self._hosts[host] = _ruled_host(entries)
            else:
                del self._entries[host]
                self._hosts.pop(host, None)
        self._changed.clear()
        return self._hosts

    def hosts_of(self, owner: Owner) -> frozenset[bytes]:
        """The hosts that a route names."""
        return self._of_owner.get(owner, frozenset())

    def owners_of(self, host: bytes) -> Iterable[Owner]:
        """The routes that name a host."""
        return self._entries.get(host, {}).keys()

    def put(self, route: HttpRoute, target: T) -> None:
        """Take over a route; ValueError, where a host is none, leaves things as they are."""
        owner = (route.namespace, route.name)
        rules = [compiled_rule(rule) for rule in route.rules]
        self.remove(*owner)
        for rule in rules:
            for host in rule.hosts:
                entries = self._entries.setdefault(host, {}).setdefault(owner, [])
                entries += _entries(rule, route.created, owner, target)
        self._of_owner[owner] = frozenset(host for rule in rules for host in rule.hosts)
        self._changed |= self._of_owner[owner]

    def remove(self, namespace: str, name: str) -> None:
        """Forget a route."""
        owner = (namespace, name)
        hosts = self._of_owner.pop(owner, frozenset())
        for host in hosts:
            self._entries[host].pop(owner, None)
        self._changed |= hosts


def _entries(rule: CompiledRule, created: str, owner: Owner, target: T) -> list[_Entry[T]]:
    route = Route(prefix=b"", conditions=(), splits=(Split(1.0, target),))
    return [_Entry(path, rule.fields, created, owner, route) for path in rule.paths]


def _ruled_host(entries: list[_Entry[T]]) -> RuledHost[T]:
    # sorted() is stable: of equal age the last in order comes first.
    ordered = sorted(sorted(entries, key=lambda e: e.owner, reverse=True), key=_rank)
    by_path: dict[bytes, list[_Entry[T]]] = {}
    for entry in ordered:
        by_path.setdefault(entry.path, []).append(entry)
    depth = max(path.count(b"/") + 1 if path else 0 for path in by_path)
    first = ordered[0]
    return RuledHost(
        routes=(),
        is_ruled=True,
        by_path=by_path,
        depth=depth,
        sole=None if depth or first.fields else first.route,
    )


def _rank(entry: _Entry[T]) -> tuple[int, int, str]:
    exact = sum(each.value is not None for each in entry.fields)
    return -len(entry.fields), -exact, entry.created
