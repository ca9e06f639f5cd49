"""Group versions that another server answers for, by APIServices. Pure.

Who asks for one of them is sent on; discovery and OpenAPI tell of them as of the server's own.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hearth.cluster.model.objects import Object
from hearth.cluster.model.served import ServedKinds, version_priority

GroupVersion = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One group version, the Service in front of its server, and what that server has told."""

    group: str
    version: str
    namespace: str
    service: str
    port: int
    ca_bundle: bytes = b""
    """PEM; empty: what the system trusts."""
    is_insecure: bool = False
    """Whether the server's certificate is not looked at."""
    group_priority: int = 1
    version_priority: int = 1
    is_available: bool = False
    resources: Sequence[Mapping[str, Any]] = ()
    """Of its APIResourceList, as last seen."""
    document: str = ""
    """Where its OpenAPI version 3 document is, with its hash; empty where it has none."""

    @property
    def path(self) -> str:
        """Below which it answers."""
        return f"/apis/{self.group}/{self.version}"

    @property
    def host(self) -> str:
        """The name that its certificate is for."""
        return f"{self.service}.{self.namespace}.svc"


def read_aggregate(api_service: Object) -> Aggregate | None:
    """What an APIService says; None for one of the server's own groups."""
    spec = api_service["spec"]
    service = spec.get("service")
    if service is None:
        return None
    return Aggregate(
        group=spec.get("group", ""),
        version=spec.get("version", ""),
        namespace=service["namespace"],
        service=service["name"],
        port=service["port"],
        ca_bundle=base64.b64decode(spec.get("caBundle") or ""),
        is_insecure=bool(spec.get("insecureSkipTLSVerify")),
        group_priority=spec["groupPriorityMinimum"],
        version_priority=spec["versionPriority"],
    )


class Aggregates:
    """The group versions sent on now; those of the server's own kinds never are."""

    def __init__(self, kinds: ServedKinds) -> None:
        self._kinds = kinds
        self._known: dict[GroupVersion, Aggregate] = {}
        self.generation = 0

    def put(self, aggregate: Aggregate) -> None:
        """Sends a group version on from now on."""
        place = aggregate.group, aggregate.version
        if self._known.get(place) != aggregate:
            self._known[place] = aggregate
            self.generation += 1

    def drop(self, place: GroupVersion) -> None:
        """Sends it on no more."""
        if self._known.pop(place, None) is not None:
            self.generation += 1

    def get(self, group: str, version: str) -> Aggregate | None:
        """The aggregate of a group version; None where the server answers for it itself."""
        found = self._known.get((group, version))
        return None if found is None or self._kinds.of_version(group, version) else found

    def all(self) -> list[Aggregate]:
        """Those that are sent on, in order of preference."""
        found = [each for place, each in self._known.items() if self.get(*place) is not None]
        return sorted(found, key=_order)

    def group_versions(self) -> Mapping[str, list[str]]:
        """The versions of every named group there is, groups and versions in their order."""
        merged = {group: list(versions) for group, versions in self._kinds.group_versions().items()}
        for each in self.all():
            merged.setdefault(each.group, []).append(each.version)
        return merged

    def of_service(self, namespace: str, service: str) -> Iterable[GroupVersion]:
        """The group versions that a Service is in front of."""
        for place, each in self._known.items():
            if (each.namespace, each.service) == (namespace, service):
                yield place

    def __bool__(self) -> bool:
        return bool(self._known)


def _order(aggregate: Aggregate) -> tuple[Any, ...]:
    """Higher priorities first, then as Kubernetes compares versions."""
    version = -aggregate.version_priority, version_priority(aggregate.version)
    return -aggregate.group_priority, aggregate.group, *version
