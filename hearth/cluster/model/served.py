"""The kinds the server serves now: built-in ones and those that CRDs add and take away.

Handlers look a request's target up here; discovery lists it. One event loop reads and writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hearth.cluster.model import objects
from hearth.cluster.model.kind import Kind
from hearth.cluster.model.objects import Entry, Object

GROUP_ORDER = (
    "apiregistration.k8s.io",
    "apps",
    "events.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "networking.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "storage.k8s.io",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "scheduling.k8s.io",
    "coordination.k8s.io",
    "node.k8s.io",
    "discovery.k8s.io",
)
"""Kubernetes lists its groups by priority; clients that resolve short names rely on it."""


@dataclass(frozen=True, slots=True)
class Served:
    """A kind with the bytes that turn stored objects into answers of its version."""

    kind: Kind
    head: bytes
    stored_head: bytes
    stored_api_version: str

    @property
    def resource(self) -> str:
        """The group resource, ``deployments.apps``, under which its objects are stored."""
        return self.kind.view_of or self.kind.group_resource

    def full(self, entry: Entry) -> bytes:
        """The object as an answer."""
        if self.kind.from_storage is not None:
            return objects.plain(self.parse(entry))
        if self.head == self.stored_head:
            return entry.value
        return self.head + entry.value[len(self.stored_head) :]

    def item(self, entry: Entry) -> bytes:
        """The object as an item of a list: built-in kinds leave type and version out."""
        if self.kind.custom:
            return self.full(entry)
        if self.kind.from_storage is not None:
            return b"{" + self.full(entry)[len(self.head) :]
        return b"{" + entry.value[len(self.stored_head) :]

    def parse(self, entry: Entry) -> Object:
        """A fresh copy of the object in this version."""
        obj = entry.parse()
        if self.kind.from_storage is not None:
            obj = self.kind.from_storage(obj)
        obj["apiVersion"] = self.kind.api_version
        return obj

    def stored(self, obj: Object) -> Object:
        """The object as the store shall keep it."""
        if self.kind.to_storage is not None:
            obj = self.kind.to_storage(obj)
        return obj | {"apiVersion": self.stored_api_version}


def serve(kind: Kind) -> Served:
    """Prepares the heads that turn stored bytes into answers of this version."""
    version = kind.storage_version or kind.version
    stored = f"{kind.group}/{version}" if kind.group else version
    return Served(
        kind=kind,
        head=objects.head(kind.api_version, kind.kind),
        stored_head=objects.head(stored, kind.kind),
        stored_api_version=stored,
    )


class ServedKinds:
    """Kinds by place and by name."""

    def __init__(self, builtin: Iterable[Kind]) -> None:
        self._served: dict[tuple[str, str, str], Served] = {}
        self._by_kind: dict[tuple[str, str], Served] = {}
        self._by_resource: dict[str, Served] = {}
        self._custom: dict[str, list[Kind]] = {}
        self.generation = 0
        for kind in builtin:
            self._add(serve(kind))

    def _add(self, served: Served) -> None:
        kind = served.kind
        self._served[kind.group, kind.version, kind.plural] = served
        self._by_kind[kind.api_version, kind.kind] = served
        if served.head == served.stored_head or kind.group_resource not in self._by_resource:
            self._by_resource[kind.group_resource] = served

    def get(self, group: str, version: str, plural: str) -> Served | None:
        """The kind behind a path; None where nothing is served."""
        return self._served.get((group, version, plural))

    def by_kind(self, api_version: str, kind: str) -> Served | None:
        """The kind that an object names by ``apiVersion`` and ``kind``."""
        return self._by_kind.get((api_version, kind))

    def by_resource(self, resource: str) -> Served | None:
        """The stored version of a group resource."""
        return self._by_resource.get(resource)

    def resources(self) -> list[Served]:
        """One version of every resource."""
        return list(self._by_resource.values())

    def all(self) -> list[Served]:
        """Every version of every kind."""
        return list(self._served.values())

    def group_versions(self) -> Mapping[str, list[str]]:
        """The versions of each named group, groups and versions in order of preference."""
        by_group: dict[str, list[str]] = {}
        for group, version, _ in self._served:
            versions = by_group.setdefault(group, [])
            if version not in versions:
                versions.append(version)
        by_group.pop("", None)
        return {
            group: sorted(by_group[group], key=version_priority)
            for group in sorted(by_group, key=_group_priority)
        }

    def of_version(self, group: str, version: str) -> list[Served]:
        """The resources of one group version, by name."""
        served_kinds = [s for (g, v, _), s in self._served.items() if (g, v) == (group, version)]
        return sorted(served_kinds, key=lambda served: served.kind.plural)

    def is_builtin(self, obj: Object) -> bool:
        """Whether the object says that it is of a kind of the server's own."""
        served = self.by_kind(str(obj.get("apiVersion")), str(obj.get("kind")))
        return served is not None and not served.kind.custom

    def has_builtin(self, group: str) -> bool:
        """Whether the group has kinds of the server's own, in whatever version."""
        return any(g == group and not s.kind.custom for (g, _, _), s in self._served.items())

    def custom(self, group_resource: str) -> list[Kind]:
        """The served versions of a custom resource; none of a built-in one."""
        return self._custom.get(group_resource, [])

    def set_custom(self, group_resource: str, kinds: list[Kind]) -> None:
        """Serves these versions of a custom resource from now on, and no others."""
        for kind in self._custom.pop(group_resource, []):
            self._served.pop((kind.group, kind.version, kind.plural), None)
            self._by_kind.pop((kind.api_version, kind.kind), None)
            self._by_resource.pop(kind.group_resource, None)
        for kind in kinds:
            self._add(serve(kind))
        if kinds:
            self._custom[group_resource] = kinds
        self.generation += 1


def _group_priority(group: str) -> tuple[int, str]:
    place = GROUP_ORDER.index(group) if group in GROUP_ORDER else len(GROUP_ORDER)
    return place, group


def version_priority(version: str) -> tuple[int, int, int, str]:
    """Order of versions: stable before beta before alpha, higher before lower, others last."""
    for rank, mark in ((1, "beta"), (2, "alpha")):
        major, separator, minor = version.removeprefix("v").partition(mark)
        if separator and major.isdigit() and (minor.isdigit() or not minor):
            return rank, -int(major), -int(minor or 0), version
    number = version.removeprefix("v")
    if version.startswith("v") and number.isdigit():
        return 0, -int(number), 0, version
    return 3, 0, 0, version
