"""Which revisions a Route's traffic goes to, and what stands in the way.

``resolve_targets`` flattens ``spec.traffic`` to revisions: a configuration stands for its latest
ready revision. A target that is missing, failed or not ready yet is a ``Problem`` with the words
of Knative's Route conditions; then no traffic is assigned at all. Pure; called by the Route's
reconciler.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from hearth.kube import meta
from hearth.kube.meta import Object, labels
from serving.api import keys
from serving.api.extraports import ExtraPort, ports_of
from serving.api.views import Configuration, Revision, TrafficTarget

DEFAULT = ""
"""The tag of the traffic that goes by percent."""


@dataclass(frozen=True, slots=True)
class Target:
    """One revision with its share; ``configuration`` is set where it stands for the latest."""

    revision: str
    percent: int
    latest: bool
    configuration: str = ""
    tag: str = DEFAULT
    protocol: str = keys.PROTOCOL_HTTP1
    instead_of: str = ""
    """The latest revision, where traffic went back from it."""
    port: ExtraPort | None = None
    """Another port of the revision than its usual one."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why traffic cannot be assigned: what the condition AllTrafficAssigned says."""

    status: str
    reason: str
    message: str

    @property
    def is_failure(self) -> bool:
        """Whether it will not go away by waiting."""
        return self.status == "False"


@dataclass(frozen=True, slots=True)
class Traffic:
    """``by_tag`` always adds up to 100 percent per tag; ``listed`` is for the status."""

    by_tag: Mapping[str, tuple[Target, ...]]
    listed: tuple[Target, ...]
    problem: Problem | None = None

    @property
    def tags(self) -> list[str]:
        """All tags, the default one first."""
        return sorted(self.by_tag)


def resolve_targets(
    traffic: Iterable[TrafficTarget],
    *,
    service: str,
    configurations: Mapping[str, Object],
    revisions: Mapping[str, Object],
) -> Traffic:
    """``service`` is the Route's owning Service, whose revisions alone it may use; or ""."""
    problem: Problem | None = None
    resolved: list[Target] = []
    for entry in traffic:
        target = _resolve(entry, service, configurations=configurations, revisions=revisions)
        if isinstance(target, Target):
            resolved.append(target)
        elif problem is None or target.is_failure:
            problem = target
    if problem is not None:
        return Traffic({}, (), problem)
    by_tag = _by_tag(resolved)
    return Traffic({**_by_port(by_tag, revisions), **by_tag}, _listed(resolved))


def _resolve(
    entry: TrafficTarget,
    service: str,
    *,
    configurations: Mapping[str, Object],
    revisions: Mapping[str, Object],
) -> Target | Problem:
    name, latest = entry.revision, ""
    configuration = "" if name else entry.configuration
    if configuration:
        found = _latest_ready(configuration, configurations.get(configuration))
        if isinstance(found, Problem):
            return found
        latest = found
        name = _held_back(latest, revisions)
    revision = revisions.get(name)
    if revision is None:
        return _missing("Revision", name)
    owner = labels(revision).get(keys.SERVICE, "")
    if not configuration and service and owner != service:
        return _not_owned(name, service, owner)
    view = Revision(revision)
    if view.ready_status != "True":
        return _unready_revision(name, view.ready_status)
    latest_revision = entry.latest_revision
    return Target(
        revision=name,
        percent=entry.percent,
        latest=bool(configuration) if latest_revision is None else latest_revision,
        configuration=configuration,
        tag=entry.tag or DEFAULT,
        protocol=view.protocol,
        instead_of=latest if configuration and latest != name else "",
    )


def _latest_ready(name: str, configuration: Object | None) -> str | Problem:
    if configuration is None:
        return _missing("Configuration", name)
    view = Configuration(configuration)
    if view.latest_ready:
        return view.latest_ready
    if view.conditions.is_false(keys.READY):
        message = f'Configuration "{name}" does not have any ready Revision.'
        return Problem("False", "RevisionMissing", message)
    message = f'Configuration "{name}" is waiting for a Revision to become ready.'
    return Problem("Unknown", "RevisionMissing", message)


def _held_back(latest: str, revisions: Mapping[str, Object]) -> str:
    """Return where traffic goes instead of a revision that was rolled back, while that is there."""
    before = meta.annotations(revisions.get(latest) or {}).get(keys.ROLLED_BACK_TO, "")
    return before if before in revisions else latest


def _missing(kind: str, name: str) -> Problem:
    return Problem("False", f"{kind}Missing", f'{kind} "{name}" referenced in traffic not found.')


def _not_owned(name: str, service: str, owner: str) -> Problem:
    message = f'Revision "{name}" does not belong to Service "{service}".'
    if owner:
        message = f'Revision "{name}" belongs to Service "{owner}", not Service "{service}".'
    return Problem("False", "RevisionNotOwned", message)


def _unready_revision(name: str, status: str) -> Problem:
    if status == "False":
        return Problem("False", "RevisionMissing", f'Revision "{name}" failed to become ready.')
    return Problem("Unknown", "RevisionMissing", f'Revision "{name}" is not yet ready.')


def _by_tag(targets: Iterable[Target]) -> dict[str, tuple[Target, ...]]:
    """Group targets: a tagged one counts for its tag and, with its percent, for the default."""
    groups: dict[str, list[Target]] = {}
    for target in targets:
        groups.setdefault(DEFAULT, []).append(target)
        if target.tag:
            groups.setdefault(target.tag, []).append(target)
    return {tag: _consolidated(group) for tag, group in groups.items()}


def _by_port(
    by_tag: Mapping[str, tuple[Target, ...]], revisions: Mapping[str, Object]
) -> dict[str, tuple[Target, ...]]:
    """What goes by percent, once for each further port; the rest goes to the first that has it."""
    groups: dict[str, list[Target]] = {}
    for target in by_tag.get(DEFAULT, ()):
        for port in ports_of(meta.annotations(revisions[target.revision])):
            if target.percent:
                groups.setdefault(port.name, []).append(replace(target, port=port))
    for group in groups.values():
        missing = 100 - sum(target.percent for target in group)
        group[0] = replace(group[0], percent=group[0].percent + missing)
    return {name: tuple(group) for name, group in groups.items()}


def uncounted_ports(traffic: Traffic) -> set[str]:
    """The further ports that are for the inside of the cluster alone, such as of metrics."""
    return {
        target.port.name
        for targets in traffic.by_tag.values()
        for target in targets
        if target.port is not None and not target.port.counted
    }


def port_names(revisions: Iterable[Object]) -> set[str]:
    """The names of all further ports of some revisions, each a tag of its own to a Route."""
    return {port.name for each in revisions for port in ports_of(meta.annotations(each))}


def _consolidated(targets: Iterable[Target]) -> tuple[Target, ...]:
    """One entry per revision; a lone revision gets everything."""
    merged: dict[str, Target] = {}
    for target in targets:
        known = merged.get(target.revision)
        merged[target.revision] = (
            target if known is None else replace(known, percent=known.percent + target.percent)
        )
    consolidated = tuple(merged.values())
    return (replace(consolidated[0], percent=100),) if len(consolidated) == 1 else consolidated


def _listed(targets: Iterable[Target]) -> tuple[Target, ...]:
    """As the user wrote them; the same revision, tag and latest flag are one."""
    merged: dict[tuple[str, str, bool], Target] = {}
    for target in targets:
        identity = (target.tag, target.revision, target.latest)
        known = merged.get(identity)
        merged[identity] = (
            target if known is None else replace(known, percent=known.percent + target.percent)
        )
    return tuple(merged.values())
