"""Keeps ServiceBindings: finds Secrets, binds workloads, tells. ``reconcile`` is pure.

Workloads that are there are changed here; those that come, or are applied again, by the webhook of
``hook``, so that a Service's first revision is bound already and no writer undoes another's work.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from hearth.knative.destinations import Reference, Unresolved
from hearth.knative.references import NotServed, References, Referrer
from hearth.kube import meta
from hearth.kube.controllerspec import ControllerSpec, Index, Lister, Source, Watch
from hearth.kube.meta import Key, Object
from hearth.kube.patch import create_merge_patch
from hearth.kube.plan import Patch, Plan
from hearth.kube.resources import JOBS
from hearth.kube.selectors import EVERYTHING
from hearth.servicebinding import keys
from hearth.servicebinding.binding import (
    Workloads,
    is_direct,
    is_kind,
    known_secret,
    projection_of,
    service_of,
    workloads_of,
)
from hearth.servicebinding.paths import PathError
from hearth.servicebinding.projection import is_projected, mapping_of, project, unproject
from hearth.servicebinding.statuses import Verdict, status_update

NAME = "servicebinding"
BINDINGS = Source(keys.SERVICEBINDINGS)
MAPPINGS = Source(keys.MAPPINGS)
_MOST_HELD_SECONDS = 30.0
_AGAIN_SECONDS = 60.0
"""After which a workload that could not be changed is tried again."""


def _kind_of(binding: Object) -> Iterator[str]:
    given = (binding.get("spec") or {}).get("workload") or {}
    kind = Reference(str(given.get("apiVersion", "")), str(given.get("kind", "")), "", "")
    yield kind.resource_name


BY_KIND = Index(BINDINGS, _kind_of)


@dataclass(frozen=True, slots=True)
class Observed:
    """A ServiceBinding, its service, all workloads of the kind in its namespace, their mapping."""

    binding: Object
    service: Object | Unresolved | None
    """Not looked for where it is a Secret itself."""
    about: Workloads | str
    """What it is about, or what is wrong with its selector."""
    workloads: Sequence[Object] | Unresolved = ()
    mapping: Object | None = None
    look_again: float | None = None


def observe(references: References, lister: Lister, key: Key) -> Observed | None:
    """Read a ServiceBinding and what it refers to."""
    lookup = references.lookup(Referrer(NAME, key))
    binding = lister.get(BINDINGS, *key)
    if binding is None:
        return None
    service = service_of(binding)
    found = lookup.get(service) if is_kind(service) and not is_direct(service) else None
    try:
        about = workloads_of(binding)
    except ValueError as error:  # it has come past admission
        return Observed(binding, found, str(error), look_again=lookup.look_again)
    return Observed(
        binding,
        found,
        about,
        lookup.list(about.reference, EVERYTHING),
        lister.get(MAPPINGS, "", about.reference.resource_name),
        lookup.look_again,
    )


def reconcile(observed: Observed, /, *, settings: object, now: float) -> Plan:
    """Bind what is meant and release what is not any more; tell first which Secret it is."""
    binding = observed.binding
    if meta.is_deleting(binding):
        return _release(observed)
    if keys.FINALIZER not in meta.finalizers(binding):
        return Plan((_finalizers(binding, [*meta.finalizers(binding), keys.FINALIZER]),))
    if (held := _held_seconds(binding, now)) > 0:
        return Plan(requeue_after=held)
    secret, service = _service(observed)
    changes, workload = _changes(observed, secret)
    told = status_update(binding, secret=secret, service=service, workload=workload, now=now)
    if secret != known_secret(binding):  # the webhook goes by it
        return Plan(told, then=tuple(changes), requeue_after=observed.look_again)
    return Plan(tuple(changes), then=told, requeue_after=observed.look_again)


def _held_seconds(binding: Object, now: float) -> float:
    """How long to leave it alone; nobody is waited for longer than a while."""
    try:
        until = float(meta.annotations(binding).get(keys.HELD) or 0)
    except ValueError:
        return 0.0
    return until - now if until - now <= _MOST_HELD_SECONDS else 0.0


def refused(observed: Observed, error: str, /, *, now: float) -> Plan | None:
    """Tell that a workload could not be changed; that keeps no binding from going."""
    binding = observed.binding
    if meta.is_deleting(binding):
        return Plan((_without_finalizer(binding),))
    secret, service = _service(observed)
    workload = Verdict("False", "WorkloadRefused", error)
    told = status_update(binding, secret=secret, service=service, workload=workload, now=now)
    return Plan(told, requeue_after=_AGAIN_SECONDS)


def _service(observed: Observed) -> tuple[str, Verdict]:
    """The Secret, and what is told of it. A service that is away for a moment keeps its Secret."""
    known = known_secret(observed.binding)
    service = observed.service
    if isinstance(service, NotServed) and service.is_forbidden:
        words = "the controller does not have permission to get the service"
        return known, Verdict("False", "ServiceForbidden", words)
    if is_direct(service_of(observed.binding)):
        return known, Verdict("True", "ResolvedBindingSecret")
    if service is None or isinstance(service, Unresolved):
        return known, Verdict("False", "ServiceNotFound", "the service was not found")
    name = ((service.get("status") or {}).get("binding") or {}).get("name")
    if not name:
        words = "the service was found, but did not contain a binding secret"
        return "", Verdict("Unknown", "ServiceMissingBinding", words)
    return str(name), Verdict("True", "ResolvedBindingSecret")


def _changes(observed: Observed, secret: str) -> tuple[list[Patch], Verdict]:
    if isinstance(observed.about, str):
        return [], Verdict("False", "InvalidWorkload", observed.about)
    if isinstance(observed.workloads, Unresolved):
        return [], _unlisted(observed.workloads, has_name=bool(observed.about.name))
    meant = [each for each in observed.workloads if observed.about.are(each)]
    try:
        wanted = {meta.uid(each): _bound(observed, each, secret) for each in meant if secret}
        changes = [
            patch
            for each in observed.workloads
            for patch in _patch(observed, each, wanted.get(meta.uid(each)))
        ]
    except PathError as error:
        return [], Verdict("False", "InvalidMapping", str(error))
    if observed.about.name and not meant:
        return changes, Verdict("False", "WorkloadNotFound", "the workload was not found")
    late = [meta.name(each) for each in meant if _is_late(observed, each, wanted)]
    if late:
        words = f"the pod template of a Job cannot be changed: create {', '.join(late)} anew"
        return changes, Verdict("False", "WorkloadRefused", words)
    if not secret:
        return changes, Verdict("Unknown", "Initializing")
    return changes, Verdict("True", "WorkloadProjected")


def _unlisted(why: Unresolved, *, has_name: bool) -> Verdict:
    if isinstance(why, NotServed) and why.is_forbidden:
        what = "get the workload" if has_name else "list the workloads"
        words = f"the controller does not have permission to {what}"
        return Verdict("False", "WorkloadForbidden", words)
    return Verdict("False", "WorkloadNotFound", "the workload was not found")


def _bound(observed: Observed, workload: Object, secret: str) -> Object:
    return project(workload, projection_of(observed.binding, secret), *_mapping(observed))


def _mapping(observed: Observed) -> tuple[Mapping[str, Any], str]:
    assert isinstance(observed.about, Workloads)
    kind = observed.about.reference
    return mapping_of(kind.resource_name, observed.mapping), kind.resource.version


def _patch(observed: Observed, workload: Object, wanted: Object | None) -> Iterator[Patch]:
    """What makes a workload as wanted: bound, or with None, no more. Jobs stay as they are."""
    assert isinstance(observed.about, Workloads)
    if meta.is_deleting(workload) or _is_job(observed.about):
        return
    if wanted is None:
        if not is_projected(workload, meta.uid(observed.binding)):
            return
        wanted = unproject(workload, meta.uid(observed.binding), *_mapping(observed))
    if wanted != workload:
        change = create_merge_patch(workload, wanted)
        # Lists are replaced as wholes: of what is there, not of what was seen a while ago.
        change.setdefault("metadata", {})["resourceVersion"] = meta.resource_version(workload)
        resource = observed.about.reference.resource
        yield Patch(resource, meta.name(workload), meta.namespace(workload), change)


def _is_job(about: Workloads) -> bool:
    return (about.reference.resource.group, about.reference.kind) == (JOBS.group, JOBS.kind)


def _is_late(observed: Observed, workload: Object, wanted: Mapping[str, Object]) -> bool:
    """Whether a Job was there before it could be bound; one that has ended needs nothing more."""
    assert isinstance(observed.about, Workloads)
    ended = (workload.get("status") or {}).get("completionTime")
    changed = wanted.get(meta.uid(workload), workload) != workload
    return _is_job(observed.about) and changed and not ended


def _release(observed: Observed) -> Plan:
    if keys.FINALIZER not in meta.finalizers(observed.binding):
        return Plan()
    changes: Iterable[Patch] = ()
    if isinstance(observed.about, Workloads) and not isinstance(observed.workloads, Unresolved):
        try:
            changes = [
                patch for each in observed.workloads for patch in _patch(observed, each, None)
            ]
        except PathError:
            changes = ()  # what was never bound by it needs no release
    return Plan(tuple(changes), then=(_without_finalizer(observed.binding),))


def _without_finalizer(binding: Object) -> Patch:
    left = [each for each in meta.finalizers(binding) if each != keys.FINALIZER]
    return _finalizers(binding, left)


def _finalizers(binding: Object, wanted: list[str]) -> Patch:
    version = meta.resource_version(binding)
    change = {"metadata": {"finalizers": wanted, "resourceVersion": version}}
    return Patch(keys.SERVICEBINDINGS, meta.name(binding), meta.namespace(binding), change)


def _bindings_of(lister: Lister, mapping: Object) -> Iterator[Key]:
    yield from map(meta.key, lister.by_index(BY_KIND, meta.name(mapping)))


def controller(references: References) -> ControllerSpec[Observed, object]:
    """Declare the controller."""
    return ControllerSpec(
        NAME,
        BINDINGS,
        partial(observe, references),
        reconcile,
        watches=(Watch(MAPPINGS, _bindings_of),),
        indexes=(BY_KIND,),
        refused=refused,
    )
