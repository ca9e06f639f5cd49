"""Rules of Pod. Pure; used by the catalog of kinds.

``prepare`` also does what the admission plugins of Kubernetes do to each new pod: service account
and its token volume, tolerations of an unwell node, priority.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from hearth.cluster.kinds import warnings
from hearth.cluster.kinds.base import Rules, child, copied, text_at
from hearth.cluster.kinds.poddiff import spec_diff
from hearth.cluster.kinds.podspec import pod_spec_errors, tolerations_errors
from hearth.cluster.kinds.podspec_defaults import default_pod, default_pod_spec
from hearth.cluster.model import checks
from hearth.cluster.model.checks import each, immutable
from hearth.cluster.model.fielderrors import FieldError, forbidden, invalid, required
from hearth.cluster.model.kind import Object
from hearth.kube.names import qualified_name_problems, random_suffix
from hearth.kube.quantity import parse_quantity

_TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
_TOKEN_SECONDS = 3607  # odd, so that such a token can be told from one that was asked for
_UNWELL_SECONDS = 300
_FILE_MODE = 0o644


def _default(obj: Object) -> None:
    spec = child(obj, "spec")
    default_pod_spec(spec)
    default_pod(spec)
    _pair_addresses(child(obj, "status"))


def _pair_addresses(status: Object) -> None:
    """``podIP`` is the first of ``podIPs``; whoever sets one of them means both."""
    single, several = status.get("podIP"), status.get("podIPs")
    if single and (not several or several[0].get("ip") != single):
        status["podIPs"] = [{"ip": single}]
    elif several and not single:
        status["podIP"] = several[0].get("ip", "")


def _prepare(new: Object, old: Object | None) -> None:
    spec = child(new, "spec")
    if old is not None:
        return
    new["status"] = {"phase": "Pending", "qosClass": qos_class(spec)}
    _admit_account(new["metadata"], spec)
    _admit_tolerations(spec)
    spec.setdefault("priority", 0)
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
    if spec.get("schedulingGates"):
        gated = {
            "type": "PodScheduled",
            "status": "False",
            "reason": "SchedulingGated",
            "message": "Scheduling is blocked due to non-empty scheduling gates",
            "lastProbeTime": None,
            "lastTransitionTime": new["metadata"].get("creationTimestamp"),
        }
        new["status"]["conditions"] = [gated]


def _admit_account(metadata: Object, spec: Object) -> None:
    account = spec.get("serviceAccountName") or "default"
    spec["serviceAccountName"] = spec["serviceAccount"] = account
    if spec.get("automountServiceAccountToken") is False:
        return
    lacking = [
        container
        for key in ("initContainers", "containers")
        for container in spec.get(key) or ()
        if not _mounts_token(container)
    ]
    if not lacking:
        return
    name = _token_volume_name(spec, _seed(metadata))
    for container in lacking:
        mount = {"name": name, "readOnly": True, "mountPath": _TOKEN_PATH}
        container.setdefault("volumeMounts", []).append(mount)
    if not any(volume.get("name") == name for volume in spec.get("volumes") or ()):
        spec.setdefault("volumes", []).append(_token_volume(name))


def _mounts_token(container: Object) -> bool:
    mounts = container.get("volumeMounts") or ()
    return any(mount.get("mountPath") == _TOKEN_PATH for mount in mounts)


def _seed(metadata: Object) -> str:
    """What the name is made of: alike for all pods of a controller, so that one can be foreseen."""
    owners = metadata.get("ownerReferences") or ()
    uids = (owner["uid"] for owner in owners if owner.get("controller"))
    return str(next(uids, metadata.get("uid", "")))


def _token_volume_name(spec: Object, seed: str) -> str:
    for volume in spec.get("volumes") or ():
        if volume.get("name", "").startswith("kube-api-access-"):
            return str(volume["name"])
    return "kube-api-access-" + random_suffix(list(hashlib.sha256(seed.encode()).digest()[:5]))


def _token_volume(name: str) -> Object:
    namespace = {"apiVersion": "v1", "fieldPath": "metadata.namespace"}
    return {
        "name": name,
        "projected": {
            "defaultMode": _FILE_MODE,
            "sources": [
                {"serviceAccountToken": {"expirationSeconds": _TOKEN_SECONDS, "path": "token"}},
                {
                    "configMap": {
                        "name": "kube-root-ca.crt",
                        "items": [{"key": "ca.crt", "path": "ca.crt"}],
                    }
                },
                {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": namespace}]}},
            ],
        },
    }


def _admit_tolerations(spec: Object) -> None:
    tolerations = spec.get("tolerations") or []
    for key in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"):
        if not any(_tolerates(toleration, key) for toleration in tolerations):
            added = {
                "key": key,
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": _UNWELL_SECONDS,
            }
            tolerations = [*tolerations, added]
    spec["tolerations"] = tolerations


def _tolerates(toleration: Object, key: str) -> bool:
    same_key = toleration.get("key", "") in ("", key)
    return same_key and toleration.get("effect", "") in ("", "NoExecute")


def qos_class(spec: Object) -> str:
    """Guaranteed, Burstable or BestEffort, by requests and limits of CPU and memory."""
    containers = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    resources = [container.get("resources") or {} for container in containers]
    if not any(_positive(r.get("requests")) or _positive(r.get("limits")) for r in resources):
        return "BestEffort"
    return "Guaranteed" if all(_is_guaranteed(r) for r in resources) else "Burstable"


def _positive(amounts: Object | None) -> dict[str, str]:
    return {
        name: text
        for name, text in (amounts or {}).items()
        if name in ("cpu", "memory") and parse_quantity(text).amount > 0
    }


def _is_guaranteed(resources: Object) -> bool:
    limits = _positive(resources.get("limits"))
    requests = _positive(resources.get("requests"))
    return len(limits) == 2 and requests == limits


# -- Validation ----------------------------------------------------------------------------


def _errors(obj: Object) -> Iterator[FieldError]:
    spec = obj.get("spec") or {}
    yield from pod_spec_errors(spec, "spec", of_pod=True)
    if spec.get("ephemeralContainers") and "resourceVersion" not in obj["metadata"]:
        yield forbidden("spec.ephemeralContainers", "cannot be set on create")
    for key in ("containers", "initContainers"):
        for i, container in enumerate(spec.get(key) or ()):
            image = container.get("image", "")
            if image != image.strip():
                detail = "must not have leading or trailing whitespace"
                yield invalid(f"spec.{key}[{i}].image", image, detail)


_UPDATABLE = ",".join(
    (
        "`spec.containers[*].image`",
        "`spec.initContainers[*].image`",
        "`spec.activeDeadlineSeconds`",
        "`spec.tolerations` (only additions to existing tolerations)",
        "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously "
        "negative)",
    )
)


def _update(new: Object, old: Object) -> Iterator[FieldError]:
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    for key in ("containers", "initContainers"):
        if len(spec.get(key) or ()) != len(before.get(key) or ()):
            yield forbidden(f"spec.{key}", "pod updates may not add or remove containers")
            return
    deadline = list(_deadline_errors(spec, before))
    yield from deadline
    yield from _toleration_changes(spec, before)
    if deadline:
        return
    yield from _gate_changes(spec, before)
    munged = _munged(spec, before)
    if munged != before:
        detail = f"pod updates may not change fields other than {_UPDATABLE}\n"
        yield forbidden("spec", detail + spec_diff(before, munged))


def _deadline_errors(spec: Object, before: Object) -> Iterator[FieldError]:
    path, now = "spec.activeDeadlineSeconds", spec.get("activeDeadlineSeconds")
    then = before.get("activeDeadlineSeconds")
    if now is None and then is not None:
        yield invalid(path, None, "must not update from a positive integer to nil value")
    elif now is not None and then is not None and then < now:
        yield invalid(path, now, "must be less than or equal to previous value")


def _toleration_changes(spec: Object, before: Object) -> Iterator[FieldError]:
    path, now = "spec.tolerations", spec.get("tolerations") or []
    known = [{k: v for k, v in t.items() if k != "tolerationSeconds"} for t in now]
    for toleration in before.get("tolerations") or ():
        if {k: v for k, v in toleration.items() if k != "tolerationSeconds"} not in known:
            detail = "existing toleration can not be modified except its tolerationSeconds"
            yield forbidden(path, detail)
            return
    yield from tolerations_errors(now, path)


def _gate_changes(spec: Object, before: Object) -> Iterator[FieldError]:
    known = [gate.get("name") for gate in before.get("schedulingGates") or ()]
    for i, gate in enumerate(spec.get("schedulingGates") or ()):
        if gate.get("name") not in known:
            detail = "only deletion is allowed, but found new scheduling gate '{}'"
            path = f"spec.schedulingGates[{i}].name"
            yield forbidden(path, detail.format(gate.get("name", "")))


def _munged(spec: Object, before: Object) -> Object:
    """The new spec with all that may change put back to what it was."""
    munged: Object = copied(spec)
    for key in ("containers", "initContainers"):
        pairs = zip(munged.get(key) or (), before.get(key) or (), strict=False)
        for container, earlier in pairs:
            container["image"] = earlier.get("image", "")
    for key in ("activeDeadlineSeconds", "tolerations", "schedulingGates", "nodeName"):
        munged.pop(key, None)
        if key in before:
            munged[key] = before[key]
    if spec.get("nodeName") != before.get("nodeName") and "nodeName" in spec:
        munged["nodeName"] = spec["nodeName"]
    grace = before.get("terminationGracePeriodSeconds")
    if grace is not None and grace < 0 and munged.get("terminationGracePeriodSeconds") == 1:
        munged["terminationGracePeriodSeconds"] = grace
    return munged


def _status_update(new: Object, old: Object) -> Iterator[FieldError]:
    status, before = new.get("status") or {}, old.get("status") or {}
    for i, condition in enumerate(status.get("conditions") or ()):
        kind = condition.get("type", "")
        path = f"status.conditions[{i}].type"
        if not kind:
            yield required(path)
        else:
            yield from each(path, kind, qualified_name_problems(kind))
    yield from immutable(status.get("qosClass"), before.get("qosClass"), "status.qosClass")
    for i, address in enumerate(status.get("podIPs") or ()):
        problems = checks.ip_problems(address.get("ip", ""))
        yield from each(f"status.podIPs[{i}]", address.get("ip", ""), problems)


POD = Rules(
    default=_default,
    prepare=_prepare,
    validate=_errors,
    update=_update,
    status=_status_update,
    generation=True,
    metadata_again=True,
    warnings=warnings.of_pod,
    fields={
        "spec.nodeName": text_at("spec", "nodeName"),
        "spec.restartPolicy": text_at("spec", "restartPolicy"),
        "spec.schedulerName": text_at("spec", "schedulerName"),
        "spec.serviceAccountName": text_at("spec", "serviceAccountName"),
        "spec.hostNetwork": text_at("spec", "hostNetwork", default="false"),
        "status.phase": text_at("status", "phase"),
        "status.podIP": text_at("status", "podIP"),
        "status.podIPs": text_at("status", "podIP"),
        "status.nominatedNodeName": text_at("status", "nominatedNodeName"),
    },
)
