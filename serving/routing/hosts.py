"""Hosts that several objects ask for: each belongs to the one that is oldest. Pure.

Knative leaves this to the ingress, which serves whichever it read first. Here the Route or
DomainMapping created later gives way: it is not ready, says whose the host is, and gets it once
the owner goes. Compared are the hosts of KIngresses, since only those are served.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from hearth.kube.meta import Object, metadata, name, namespace

REASON = "DomainConflict"

Holders = Mapping[str, Sequence[Object]]
"""Per host the other objects whose KIngress has it: Routes, DomainMappings, bare KIngresses."""


def hosts_of(ingress: Object) -> Iterator[str]:
    """The hosts of a KIngress, in the order of its rules."""
    for rule in ingress["spec"].get("rules") or ():
        yield from rule.get("hosts") or ()


@dataclass(frozen=True, slots=True)
class Granted:
    """A KIngress with the hosts its owner may have, and why others are missing ("" if none)."""

    ingress: Object
    conflict: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether no host is left to serve."""
        return not self.ingress["spec"]["rules"]


def grant(desired: Object, owner: Object, holders: Holders) -> Granted:
    """Leave out of a desired KIngress the hosts that belong to others, or to an earlier rule."""
    rules, conflicts = [], []
    taken: set[str] = set()
    for rule in desired["spec"]["rules"]:
        hosts = []
        for host in rule["hosts"]:
            first = owner if host in taken else _first(host, owner, holders)
            if first is owner and host not in taken:
                hosts.append(host)
            else:
                conflicts.append((host, _text(first)))
            taken.add(host)
        if hosts:
            rules.append({**rule, "hosts": hosts})
    if not conflicts:
        return Granted(desired)
    granted = {**desired, "spec": {**desired["spec"], "rules": rules}}
    host, whose = conflicts[0]
    return Granted(granted, f'The host "{host}" belongs to {whose}.')


def _first(host: str, owner: Object, holders: Holders) -> Object:
    return min((owner, *holders.get(host, ())), key=_age)


def _age(obj: Object) -> tuple[str, str, str, str]:
    """Sorts older objects first; within a second, by name."""
    created = str(metadata(obj).get("creationTimestamp") or "9")
    return created, namespace(obj), name(obj), str(obj.get("kind", ""))


def _text(obj: Object) -> str:
    return f'{obj.get("kind", "")} "{namespace(obj)}/{name(obj)}"'
