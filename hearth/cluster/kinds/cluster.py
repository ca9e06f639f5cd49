"""Rules of Namespace, Node, ServiceAccount, volumes, storage and priority classes. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from hearth.cluster.kinds.base import Rules, child, text_at
from hearth.cluster.kinds.podspec import tolerations_errors
from hearth.cluster.kinds.quantities import amount_errors, resources_errors
from hearth.cluster.model import checks
from hearth.cluster.model.checks import each, immutable
from hearth.cluster.model.fielderrors import FieldError, duplicate, forbidden, invalid, required
from hearth.cluster.model.kind import Object
from hearth.kube.names import (
    dns1123_label_problems,
    dns1123_subdomain_problems,
    label_value_problems,
    qualified_name_problems,
)
from hearth.kube.quantity import parse_quantity

_NAME_LABEL = "kubernetes.io/metadata.name"

# -- Namespaces ----------------------------------------------------------------------------


def _default_namespace(obj: Object) -> None:
    if name := obj["metadata"].get("name"):
        child(obj["metadata"], "labels")[_NAME_LABEL] = name
    child(obj, "status").setdefault("phase", "Active")


def _prepare_namespace(new: Object, old: Object | None) -> None:
    """The ``kubernetes`` finalizer keeps a namespace until its content is gone."""
    if old is None:
        new["status"] = {"phase": "Active"}
        finalizers = child(new, "spec").setdefault("finalizers", [])
        if "kubernetes" not in finalizers:
            finalizers.append("kubernetes")
    else:
        new["spec"] = {**child(new, "spec"), "finalizers": child(old, "spec").get("finalizers")}
        if new["spec"]["finalizers"] is None:
            del new["spec"]["finalizers"]


def _namespace_errors(obj: Object) -> Iterator[FieldError]:
    for finalizer in (obj.get("spec") or {}).get("finalizers") or ():
        path = "spec.finalizers"
        yield from each(path, finalizer, qualified_name_problems(finalizer))
        if "/" not in finalizer and finalizer not in ("kubernetes", "orphan"):
            detail = "name is neither a standard finalizer name nor is it fully qualified"
            yield invalid(path, finalizer, detail)


def _namespace_status_errors(new: Object, old: Object) -> Iterator[FieldError]:
    phase = (new.get("status") or {}).get("phase", "")
    deleting = "deletionTimestamp" in new["metadata"]
    expected = "Terminating" if deleting else "Active"
    if phase != expected:
        state = "not empty" if deleting else "empty"
        yield invalid(
            "status.Phase", phase, f"may only be '{expected}' if `deletionTimestamp` is {state}"
        )


NAMESPACE = Rules(
    status=_namespace_status_errors,
    default=_default_namespace,
    prepare=_prepare_namespace,
    validate=_namespace_errors,
    name=dns1123_label_problems,
    fields={"status.phase": text_at("status", "phase"), "name": text_at("metadata", "name")},
)


# -- Nodes ---------------------------------------------------------------------------------


def _default_node(obj: Object) -> None:
    status = child(obj, "status")
    if status.get("capacity") and not status.get("allocatable"):
        status["allocatable"] = dict(status["capacity"])


def _node_errors(obj: Object) -> Iterator[FieldError]:
    seen: set[tuple[str, str]] = set()
    for i, taint in enumerate((obj.get("spec") or {}).get("taints") or ()):
        path, key, effect = f"metadata.taints[{i}]", taint.get("key", ""), taint.get("effect", "")
        yield from each(f"{path}.key", key, qualified_name_problems(key))
        if problems := label_value_problems(taint.get("value", "")):
            yield invalid(f"{path}.value", taint["value"], ";".join(problems))
        if not effect:
            yield required(f"{path}.effect")
        else:
            effects = ("NoSchedule", "PreferNoSchedule", "NoExecute")
            yield from checks.one_of(effect, effects, f"{path}.effect")
        if (key, effect) in seen:
            error = duplicate(path, taint)
            detail = f"{error.message}: taints must be unique by key and effect pair"
            yield FieldError(error.field, error.reason, detail)
        seen.add((key, effect))


def _node_update(new: Object, old: Object) -> Iterator[FieldError]:
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    if before.get("podCIDRs") and spec.get("podCIDRs") != before["podCIDRs"]:
        detail = 'node updates may not change podCIDR except from "" to valid'
        yield forbidden("spec.podCIDRs", detail)
    if before.get("providerID") and spec.get("providerID") != before["providerID"]:
        detail = 'node updates may not change providerID except from "" to valid'
        yield forbidden("spec.providerID", detail)


NODE = Rules(
    default=_default_node,
    validate=_node_errors,
    update=_node_update,
    fields={"spec.unschedulable": text_at("spec", "unschedulable", default="false")},
)

SERVICE_ACCOUNT = Rules(metadata_again=True)


# -- Volumes -------------------------------------------------------------------------------

_ACCESS_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
_VOLUME_MODES = ("Block", "Filesystem")


def _default_claim(obj: Object) -> None:
    child(obj, "status").setdefault("phase", "Pending")
    child(obj, "spec").setdefault("volumeMode", "Filesystem")


def claim_spec_errors(spec: Object, path: str) -> Iterator[FieldError]:
    """Checks the spec of a PersistentVolumeClaim, or of a template for one."""
    modes = spec.get("accessModes") or []
    if not modes:
        yield required(f"{path}.accessModes", "at least 1 access mode is required")
    yield from checks.label_selector_errors(spec.get("selector"), f"{path}.selector")
    for mode in modes:
        yield from checks.one_of(mode, _ACCESS_MODES, f"{path}.accessModes")
    if "ReadWriteOncePod" in modes and len(set(modes)) > 1:
        detail = "may not use ReadWriteOncePod with other access modes"
        yield forbidden(f"{path}.accessModes", detail)
    storage = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    storage_path = f"{path}.resources[storage]"
    if storage is None:
        yield required(storage_path)
    elif parse_quantity(storage).amount <= 0:
        yield invalid(storage_path, storage, "must be greater than zero")
    if name := spec.get("storageClassName"):
        yield from each(f"{path}.storageClassName", name, dns1123_subdomain_problems(name))
    if (mode := spec.get("volumeMode")) is not None:
        yield from checks.one_of(mode, _VOLUME_MODES, f"{path}.volumeMode")


def _claim_errors(obj: Object) -> Iterator[FieldError]:
    yield from claim_spec_errors(obj.get("spec") or {}, "spec")


_CLAIM_FROZEN = (
    "spec is immutable after creation except resources.requests and volumeAttributesClassName "
    "for bound claims"
)


def _claim_update(new: Object, old: Object) -> Iterator[FieldError]:
    frozen = {"accessModes", "selector", "storageClassName", "volumeMode", "dataSource"}
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    if any(spec.get(key) != before.get(key) for key in frozen):
        yield forbidden("spec", _CLAIM_FROZEN)
    if before.get("volumeName") and spec.get("volumeName") != before["volumeName"]:
        yield forbidden("spec", _CLAIM_FROZEN)


PERSISTENT_VOLUME_CLAIM = Rules(
    default=_default_claim, validate=_claim_errors, update=_claim_update, metadata_again=True
)


def _default_volume(obj: Object) -> None:
    child(obj, "status").setdefault("phase", "Pending")
    spec = child(obj, "spec")
    spec.setdefault("persistentVolumeReclaimPolicy", "Retain")
    spec.setdefault("volumeMode", "Filesystem")


def _volume_errors(obj: Object) -> Iterator[FieldError]:
    spec = obj.get("spec") or {}
    if not spec.get("accessModes"):
        yield required("spec.accessModes")
    for mode in spec.get("accessModes") or ():
        yield from checks.one_of(mode, _ACCESS_MODES, "spec.accessModes")
    capacity = spec.get("capacity") or {}
    if not capacity:
        yield required("spec.capacity")
    for name, text in capacity.items():
        yield from amount_errors(name, text, f"spec.capacity[{name}]")
    policies = ("Delete", "Recycle", "Retain")
    policy_path = "spec.persistentVolumeReclaimPolicy"
    yield from checks.one_of(spec.get("persistentVolumeReclaimPolicy"), policies, policy_path)


PERSISTENT_VOLUME = Rules(default=_default_volume, validate=_volume_errors, metadata_again=True)


# -- Classes -------------------------------------------------------------------------------


def _default_storage_class(obj: Object) -> None:
    obj.setdefault("reclaimPolicy", "Delete")
    obj.setdefault("volumeBindingMode", "Immediate")


def _storage_class_errors(obj: Object) -> Iterator[FieldError]:
    provisioner = obj.get("provisioner", "")
    if not provisioner:
        yield required("provisioner")
    else:
        name = provisioner.lower()
        yield from each("provisioner", provisioner, qualified_name_problems(name))
    modes = ("Immediate", "WaitForFirstConsumer")
    yield from checks.one_of(obj.get("volumeBindingMode"), modes, "volumeBindingMode")
    yield from checks.one_of(obj.get("reclaimPolicy"), ("Delete", "Retain"), "reclaimPolicy")


def _storage_class_update(new: Object, old: Object) -> Iterator[FieldError]:
    for key in ("parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"):
        if new.get(key) != old.get(key):
            yield forbidden(key, "updates to " + key + " are forbidden.")


STORAGE_CLASS = Rules(
    default=_default_storage_class,
    validate=_storage_class_errors,
    update=_storage_class_update,
)

_HIGHEST_USER_PRIORITY = 1_000_000_000


def _default_priority_class(obj: Object) -> None:
    obj.setdefault("preemptionPolicy", "PreemptLowerPriority")


def _priority_class_errors(obj: Object) -> Iterator[FieldError]:
    is_system = obj["metadata"].get("name", "").startswith("system-")
    if obj.get("value", 0) > _HIGHEST_USER_PRIORITY and not is_system:
        detail = f"maximum allowed value of a user defined priority is {_HIGHEST_USER_PRIORITY}"
        yield forbidden("value", detail)
    policies = ("PreemptLowerPriority", "Never")
    yield from checks.one_of(obj.get("preemptionPolicy"), policies, "preemptionPolicy")


def _priority_class_update(new: Object, old: Object) -> Iterator[FieldError]:
    if new.get("value", 0) != old.get("value", 0):
        yield forbidden("value", "may not be changed in an update.")
    before = old.get("preemptionPolicy")
    yield from immutable(new.get("preemptionPolicy"), before, "preemptionPolicy")


PRIORITY_CLASS = Rules(
    default=_default_priority_class,
    validate=_priority_class_errors,
    update=_priority_class_update,
    generation=True,
)


def _runtime_class_errors(obj: Object) -> Iterator[FieldError]:
    handler = obj.get("handler") or ""
    if not handler:
        yield required("handler")
    for problem in dns1123_label_problems(handler) if handler else ():
        yield invalid("handler", handler, problem)
    fixed = (obj.get("overhead") or {}).get("podFixed") or {}
    yield from resources_errors({"limits": fixed}, "overhead")
    scheduling = obj.get("scheduling") or {}
    yield from checks.labels_errors(scheduling.get("nodeSelector"), "scheduling.nodeSelector")
    given = scheduling.get("tolerations") or []
    yield from tolerations_errors(given, "scheduling.tolerations")
    for number, toleration in enumerate(given):
        if toleration in given[:number]:
            yield duplicate(f"scheduling.tolerations[{number}]", toleration)


def _runtime_class_update(new: Object, old: Object) -> Iterator[FieldError]:
    yield from immutable(new.get("handler"), old.get("handler"), "handler")


RUNTIME_CLASS = Rules(validate=_runtime_class_errors, update=_runtime_class_update)
