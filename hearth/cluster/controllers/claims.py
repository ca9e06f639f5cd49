"""PersistentVolumeClaims on one machine: bound to a volume once a scheduled pod mounts them. Pure.

What a cluster divides between its volume binder and a provisioner of local folders whose class
waits for the first consumer. The node keeps each claim's data in a folder of its own; the volume
that stands for it here is named after the claim and kept when the claim goes, as the folder is
(reclaim policy Retain). Claims that name a volume themselves are left to who made that volume.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hearth.cluster.controllers import sources
from hearth.kube import meta
from hearth.kube.controllerspec import (
    ControllerSpec,
    Index,
    Lister,
    Source,
    Watch,
    without_settings,
)
from hearth.kube.meta import Key, Object
from hearth.kube.plan import Action, Create, Event, Patch, Plan
from hearth.kube.resources import PERSISTENTVOLUMECLAIMS, PERSISTENTVOLUMES

DRIVER = "hearth.dev/folder"
"""The driver that volumes are said to be of: folders that the node keeps."""
_BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
_BOUND_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller"
_PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"

CLAIMS = Source(PERSISTENTVOLUMECLAIMS)
VOLUMES = Source(PERSISTENTVOLUMES)


def _claims_of_pod(pod: Object) -> Iterator[str]:
    """Return the claims that a pod mounts, once it is on a node."""
    if not pod["spec"].get("nodeName"):
        return
    for volume in pod["spec"].get("volumes") or ():
        claim = volume.get("persistentVolumeClaim")
        if claim:
            yield meta.key_text((meta.namespace(pod), claim["claimName"]))


_PODS_BY_CLAIM = Index(sources.PODS, _claims_of_pod)


def _keys_of_pod(_lister: Lister, pod: Object) -> Iterator[Key]:
    for text in _claims_of_pod(pod):
        namespace, _, name = text.partition("/")
        yield namespace, name


def _key_of_volume(_lister: Lister, volume: Object) -> Iterator[Key]:
    reference = _claim_reference(volume)
    if reference:
        yield reference.get("namespace", ""), reference.get("name", "")


def _volume_of_claim(_lister: Lister, claim: Object) -> Iterator[Key]:
    yield "", volume_name(claim)


def _claim_reference(volume: Object) -> dict[str, Any]:
    return volume["spec"].get("claimRef") or {}


def volume_name(claim: Object) -> str:
    """Return the name of the volume made for a claim."""
    return f"pvc-{meta.uid(claim)}"


# -- claims -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Observed:
    """A claim, the volume that was made for it, and whether a pod on a node mounts it."""

    claim: Object
    volume: Object | None
    has_consumer: bool


def observe(lister: Lister, key: Key) -> Observed | None:
    """Look the claim up, its volume and the pods that mount it."""
    claim = lister.get(CLAIMS, *key)
    if claim is None:
        return None
    volume = lister.get(VOLUMES, "", volume_name(claim))
    consumers = lister.by_index(_PODS_BY_CLAIM, meta.key_text(key))
    return Observed(claim, volume, bool(consumers))


def reconcile(observed: Observed, *, now: float) -> Plan:
    """Make the volume, then bind the claim to it; a bound claim stays bound."""
    claim, name = observed.claim, volume_name(observed.claim)
    given = claim["spec"].get("volumeName") or ""
    is_ours = given in ("", name)
    if meta.is_deleting(claim) or not is_ours or not (given or observed.has_consumer):
        return Plan()
    return Plan(tuple(_provision(observed)), then=tuple(_bind(claim, name)))


def _provision(observed: Observed) -> Iterator[Action]:
    claim = observed.claim
    if observed.volume is None:
        volume = make_volume(claim)
        yield Create(PERSISTENTVOLUMES, volume)
        text = f"Successfully provisioned volume {meta.name(volume)}"
        yield Event(claim, "Normal", "ProvisioningSucceeded", text)


def _bind(claim: Object, name: str) -> Iterator[Action]:
    spec = claim["spec"]
    if spec.get("volumeName") != name:
        annotations = {_BIND_COMPLETED: "yes", _BOUND_BY_CONTROLLER: "yes"}
        yield _patch(
            claim, {"metadata": {"annotations": annotations}, "spec": {"volumeName": name}}
        )
    status = {
        "phase": "Bound",
        "accessModes": spec.get("accessModes") or [],
        "capacity": _capacity(claim),
    }
    before = claim.get("status") or {}
    if any(before.get(field) != value for field, value in status.items()):
        yield _patch(claim, {"status": status}, subresource="status")


def _patch(claim: Object, body: Object, *, subresource: str = "") -> Patch:
    guarded = {**body, "metadata": {"uid": meta.uid(claim), **body.get("metadata", {})}}
    return Patch(
        PERSISTENTVOLUMECLAIMS,
        meta.name(claim),
        meta.namespace(claim),
        guarded,
        subresource=subresource,
    )


def _capacity(claim: Object) -> dict[str, str]:
    requests = (claim["spec"].get("resources") or {}).get("requests") or {}
    return {"storage": requests.get("storage", "0")}


def make_volume(claim: Object) -> Object:
    """Return the volume that stands for the folder of a claim."""
    spec = claim["spec"]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {
            "name": volume_name(claim),
            "annotations": {_PROVISIONED_BY: DRIVER},
        },
        "spec": {
            "accessModes": spec.get("accessModes") or [],
            "capacity": _capacity(claim),
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": meta.namespace(claim),
                "name": meta.name(claim),
                "uid": meta.uid(claim),
            },
            "csi": {
                "driver": DRIVER,
                "volumeHandle": f"{meta.namespace(claim)}_{meta.name(claim)}",
            },
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": spec.get("storageClassName") or "",
            "volumeMode": spec.get("volumeMode") or "Filesystem",
        },
    }


CONTROLLER: ControllerSpec[Observed, object] = ControllerSpec(
    "persistentvolumeclaim",
    CLAIMS,
    observe,
    without_settings(reconcile),
    watches=(Watch(sources.PODS, _keys_of_pod), Watch(VOLUMES, _key_of_volume)),
    indexes=(_PODS_BY_CLAIM,),
    field_manager="persistentvolume-controller",
)


# -- volumes ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ObservedVolume:
    """A volume of ours, and whether the claim it was made for is still there."""

    volume: Object
    has_claim: bool


def observe_volume(lister: Lister, key: Key) -> ObservedVolume | None:
    """Look the volume up and the claim that it names."""
    volume = lister.get(VOLUMES, *key)
    if volume is None or (volume["spec"].get("csi") or {}).get("driver") != DRIVER:
        return None
    reference = _claim_reference(volume)
    claim = lister.get(CLAIMS, reference.get("namespace", ""), reference.get("name", ""))
    return ObservedVolume(volume, claim is not None and meta.uid(claim) == reference.get("uid"))


def reconcile_volume(observed: ObservedVolume, *, now: float) -> Plan:
    """A volume is Bound while its claim lives and Released afterwards."""
    phase = "Bound" if observed.has_claim else "Released"
    volume = observed.volume
    if meta.is_deleting(volume) or (volume.get("status") or {}).get("phase") == phase:
        return Plan()
    body = {"metadata": {"uid": meta.uid(volume)}, "status": {"phase": phase}}
    patch = Patch(PERSISTENTVOLUMES, meta.name(volume), "", body, subresource="status")
    return Plan((patch,))


VOLUME_CONTROLLER: ControllerSpec[ObservedVolume, object] = ControllerSpec(
    "persistentvolume",
    VOLUMES,
    observe_volume,
    without_settings(reconcile_volume),
    watches=(Watch(CLAIMS, _volume_of_claim),),
    field_manager="persistentvolume-controller",
)
