"""Deleting objects: preconditions, finalizers, grace, and what stays until others are done.

The decision (``decide``) is pure; ``delete`` applies it to the newest state. Dependents are the
business of ``gc``, the content of namespaces that of ``namespaces``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from hearth.cluster.model import status
from hearth.cluster.model.kind import Kind
from hearth.cluster.model.objects import Entry, Object
from hearth.cluster.operations.options import DeleteOptions
from hearth.cluster.operations.writes import Write, storage_status
from hearth.cluster.store.store import StaleWrite, StoreError
from hearth.kube.clock import parse_rfc3339, rfc3339

ORPHAN, FOREGROUND = "orphan", "foregroundDeletion"
CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
_TRIES = 5
RETURNS_OBJECT = frozenset(
    {
        "pods",
        "services",
        "serviceaccounts",
        "persistentvolumes",
        "persistentvolumeclaims",
        "podtemplates",
        "resourcequotas",
    }
)
"""Resources whose deletion answers with the object, not with a Status."""
_TERMINATING = {
    "type": "Terminating",
    "status": "True",
    "reason": "InstanceDeletionPending",
    "message": (
        "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon"
    ),
}


class Step(Enum):
    """What becomes of the object now."""

    KEEP = "nothing changes"
    MARK = "it is changed and waits"
    REMOVE = "it is gone"


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of an object, and the object as it shall be then."""

    step: Step
    obj: Object


def decide(kind: Kind, obj: Object, options: DeleteOptions, now: float) -> Decision:
    """What a deletion does to an object; ``obj`` is the caller's to change."""
    if kind.group_resource == "namespaces":
        return _namespace(obj, now)
    _set_policy_finalizers(kind, obj, options)
    if kind.group_resource == "customresourcedefinitions.apiextensions.k8s.io":
        return _definition(obj, now)
    if kind.grace_period is not None:
        return _graceful(kind, obj, options, now)
    if not obj["metadata"].get("finalizers"):
        return Decision(Step.REMOVE, obj)
    return _mark(obj, now)


def _set_policy_finalizers(kind: Kind, obj: Object, options: DeleteOptions) -> None:
    """The finalizers that make the garbage collector orphan or wait for the dependents."""
    policy = options.propagation_policy
    finalizers = obj["metadata"].get("finalizers") or []
    if not policy and not {ORPHAN, FOREGROUND} & set(finalizers):
        policy = "Orphan" if kind.group_resource == "jobs.batch" else "Background"
    if not policy:
        return
    chosen = {"Orphan": ORPHAN, "Foreground": FOREGROUND}.get(policy)
    kept = [f for f in finalizers if f not in (ORPHAN, FOREGROUND) or f == chosen]
    if chosen is not None and chosen not in kept:
        kept.append(chosen)
    if kept != finalizers:
        obj["metadata"]["finalizers"] = kept
    if not kept:
        obj["metadata"].pop("finalizers", None)


def _mark(obj: Object, now: float) -> Decision:
    metadata = obj["metadata"]
    if "deletionTimestamp" in metadata and metadata.get("deletionGracePeriodSeconds", 0) == 0:
        return Decision(Step.MARK, obj)  # only its finalizers may differ
    metadata.setdefault("deletionTimestamp", rfc3339(now))
    metadata["deletionGracePeriodSeconds"] = 0
    if metadata.get("generation"):
        metadata["generation"] += 1
    return Decision(Step.MARK, obj)


def _namespace(obj: Object, now: float) -> Decision:
    """A namespace is only marked; its controller empties it and takes the finalizer off."""
    metadata = obj["metadata"]
    if "deletionTimestamp" not in metadata:
        metadata["deletionTimestamp"] = rfc3339(now)
        obj.setdefault("status", {})["phase"] = "Terminating"
        return Decision(Step.MARK, obj)
    finalizers = metadata.get("finalizers") or (obj.get("spec") or {}).get("finalizers")
    return Decision(Step.KEEP if finalizers else Step.REMOVE, obj)


def _definition(obj: Object, now: float) -> Decision:
    """A CRD says in its conditions that its objects are going first."""
    metadata = obj["metadata"]
    if "deletionTimestamp" in metadata:
        return Decision(Step.MARK if metadata.get("finalizers") else Step.REMOVE, obj)
    metadata["deletionTimestamp"] = rfc3339(now)
    finalizers = metadata.setdefault("finalizers", [])
    if CLEANUP not in finalizers:
        finalizers.append(CLEANUP)
    seen = obj.setdefault("status", {})
    condition = {"lastTransitionTime": rfc3339(now)} | _TERMINATING
    seen["conditions"] = [*(seen.get("conditions") or ()), condition]
    return Decision(Step.MARK, obj)


def _graceful(kind: Kind, obj: Object, options: DeleteOptions, now: float) -> Decision:
    metadata = obj["metadata"]
    asked = options.grace_period_seconds
    if asked is not None and asked < 0:
        asked = 1
    if "deletionTimestamp" in metadata:
        return _graceful_again(obj, asked)
    period = _period(kind, obj, asked)
    metadata["deletionTimestamp"] = rfc3339(now + period)
    metadata["deletionGracePeriodSeconds"] = period
    if metadata.get("generation"):
        metadata["generation"] += 1
    if period == 0 and not metadata.get("finalizers"):
        return Decision(Step.REMOVE, obj)
    return Decision(Step.MARK, obj)


def _graceful_again(obj: Object, asked: int | None) -> Decision:
    """A second deletion may only shorten the grace period."""
    metadata = obj["metadata"]
    current = metadata.get("deletionGracePeriodSeconds") or 0
    if current == 0 or asked == 0:
        metadata["deletionGracePeriodSeconds"] = 0
        step = Step.MARK if metadata.get("finalizers") else Step.REMOVE
        return Decision(step, obj)
    if asked is None or asked >= current:
        return Decision(Step.KEEP, obj)
    end = parse_rfc3339(metadata["deletionTimestamp"]) - current + asked
    metadata["deletionTimestamp"] = rfc3339(end)
    metadata["deletionGracePeriodSeconds"] = asked
    return Decision(Step.MARK, obj)


def _period(kind: Kind, obj: Object, asked: int | None) -> int:
    """Nothing runs of a pod that no node has, or whose containers have ended."""
    spec, phase = obj.get("spec") or {}, (obj.get("status") or {}).get("phase")
    has_ended = not spec.get("nodeName") or phase in ("Succeeded", "Failed")
    if kind.group_resource == "pods" and has_ended:
        return 0
    if asked is not None:
        return asked
    assert kind.grace_period is not None
    return max(kind.grace_period(obj), 0)


@dataclass(frozen=True, slots=True)
class Deleted:
    """The outcome: the object as it was last seen, and whether it is gone."""

    obj: Object
    gone: bool


async def delete(write: Write, options: DeleteOptions) -> Deleted:
    """Deletes an object, or starts to; ``write.name`` says which."""
    for _ in range(_TRIES):
        entry = await write.api.store.settled(write.key)
        if entry is None:
            raise write.missing()
        _check_preconditions(write, entry, options)
        await _admit(write, entry)
        try:
            return await _delete_once(write, entry, options)
        except StaleWrite:
            continue
        except StoreError as error:
            raise storage_status(error) from None
    raise write.conflict(status.MODIFIED)


async def _admit(write: Write, entry: Entry) -> None:
    attempt = write.attempt("DELETE", None, write.served.parse(entry))
    await write.api.admission.mutate(attempt)
    await write.api.admission.validate(attempt)


def _check_preconditions(write: Write, entry: Entry, options: DeleteOptions) -> None:
    if options.uid is not None and options.uid != entry.uid:
        why = (
            f"the UID in the precondition ({options.uid}) does not match the UID in record "
            f"({entry.uid}). The object might have been deleted and then recreated"
        )
    elif options.resource_version not in (None, str(entry.revision)):
        why = (
            f"the ResourceVersion in the precondition ({options.resource_version}) does not match "
            f"the ResourceVersion in record ({entry.revision}). The object might have been modified"
        )
    else:
        return
    raise status.conflict(write.kind.group, write.kind.kind, write.name, why=why)


async def _delete_once(write: Write, entry: Entry, options: DeleteOptions) -> Deleted:
    store = write.api.store
    before = write.served.parse(entry)
    decision = decide(write.kind, write.served.parse(entry), options, write.api.clock())
    gone = decision.step is Step.REMOVE
    if options.dry_run or decision.step is Step.KEEP or (not gone and decision.obj == before):
        return Deleted(decision.obj, gone)
    stored = write.served.stored(decision.obj)
    if gone:
        done = await store.delete(write.key, stored, expected=entry.revision)
    else:
        done = await store.put(write.key, stored, expected=entry.revision)
    return Deleted(write.served.parse(done), gone)
