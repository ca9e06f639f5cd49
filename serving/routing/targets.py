"""Which revisions a Route's traffic goes to, and what stands in the way.

``resolve_targets`` flattens ``spec.traffic`` to revisions: a configuration stands for its latest
ready revision. A target that is missing, failed or not ready yet is a ``Problem`` with the words
of Knative's Route conditions; then no traffic is assigned at all. Pure; called by the Route's
reconciler.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hearth.kube.meta import Object, generation, labels
from serving.api import keys

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


@dataclass(frozen=True, slots=True)
class Problem:
    """Why traffic cannot be assigned: what the condition AllTrafficAssigned says."""

    status: str
    reason: str
    message: str

    @property
    def is_failure(self) -> bool:
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
    traffic: Sequence[Mapping[str, Any]],
    *,
    service: str,
    configurations: Mapping[str, Object],
    revisions: Mapping[str, Object],
) -> Traffic:
    """``service`` is the Route's owning Service, whose revisions alone it may use; or ""."""
    problem: Problem | None = None
    found: list[Target] = []
    for wanted in traffic:
        target = _resolve(wanted, service, configurations=configurations, revisions=revisions)
        if isinstance(target, Target):
            found.append(target)
        elif problem is None or target.is_failure:
            problem = target
    if problem is not None:
        return Traffic({}, (), problem)
    return Traffic(_by_tag(found), _listed(found))


def _resolve(
    wanted: Mapping[str, Any],
    service: str,
    *,
    configurations: Mapping[str, Object],
    revisions: Mapping[str, Object],
) -> Target | Problem:
    name = wanted.get("revisionName") or ""
    configuration = "" if name else wanted.get("configurationName") or ""
    if configuration:
        latest = _latest_ready(configuration, configurations.get(configuration))
        if isinstance(latest, Problem):
            return latest
        name = latest
    revision = revisions.get(name)
    if revision is None:
        return _missing("Revision", name)
    owner = labels(revision).get(keys.SERVICE, "")
    if not configuration and service and owner != service:
        return _not_owned(name, service, owner)
    ready = ready_status(revision)
    if ready != "True":
        return _unready_revision(name, ready)
    return Target(
        revision=name,
        percent=int(wanted.get("percent") or 0),
        latest=bool(wanted.get("latestRevision", bool(configuration))),
        configuration=configuration,
        tag=wanted.get("tag") or DEFAULT,
        protocol=protocol_of(revision),
    )


def _latest_ready(name: str, configuration: Object | None) -> str | Problem:
    if configuration is None:
        return _missing("Configuration", name)
    latest = (configuration.get("status") or {}).get("latestReadyRevisionName")
    if latest:
        return str(latest)
    if condition_status(configuration, keys.READY) == "False":
        message = f'Configuration "{name}" does not have any ready Revision.'
        return Problem("False", "RevisionMissing", message)
    message = f'Configuration "{name}" is waiting for a Revision to become ready.'
    return Problem("Unknown", "RevisionMissing", message)


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


def condition_status(obj: Object, kind: str) -> str:
    """True, False or Unknown."""
    for condition in (obj.get("status") or {}).get("conditions") or ():
        if condition.get("type") == kind:
            return str(condition.get("status", "Unknown"))
    return "Unknown"


def ready_status(obj: Object) -> str:
    """The status of Ready; a True one counts only for the generation it was observed at."""
    status = condition_status(obj, keys.READY)
    observed = (obj.get("status") or {}).get("observedGeneration", 0)
    return "Unknown" if status == "True" and observed != generation(obj) else status


def protocol_of(revision: Object) -> str:
    """h2c when the serving container's port is named so."""
    for container in (revision.get("spec") or {}).get("containers") or ():
        for port in container.get("ports") or ():
            if port.get("name") == keys.PROTOCOL_H2C:
                return keys.PROTOCOL_H2C
    return keys.PROTOCOL_HTTP1


def _by_tag(targets: Iterable[Target]) -> dict[str, tuple[Target, ...]]:
    """A tagged target counts for its tag and, with its percent, for the default."""
    groups: dict[str, list[Target]] = {}
    for target in targets:
        groups.setdefault(DEFAULT, []).append(target)
        if target.tag:
            groups.setdefault(target.tag, []).append(target)
    return {tag: _consolidated(group) for tag, group in groups.items()}


def _consolidated(targets: Iterable[Target]) -> tuple[Target, ...]:
    """One entry per revision; a lone revision gets everything."""
    merged: dict[str, Target] = {}
    for target in targets:
        known = merged.get(target.revision)
        merged[target.revision] = (
            target if known is None else replace(known, percent=known.percent + target.percent)
        )
    found = tuple(merged.values())
    return (replace(found[0], percent=100),) if len(found) == 1 else found


def _listed(targets: Iterable[Target]) -> tuple[Target, ...]:
    """As the user wrote them; the same revision, tag and latest flag are one."""
    merged: dict[tuple[str, str, bool], Target] = {}
    for target in targets:
        at = (target.tag, target.revision, target.latest)
        known = merged.get(at)
        merged[at] = (
            target if known is None else replace(known, percent=known.percent + target.percent)
        )
    return tuple(merged.values())
