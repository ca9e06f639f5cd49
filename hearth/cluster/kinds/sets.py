"""Rules of StatefulSet, DaemonSet and ControllerRevision, kept as data. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from hearth.cluster.kinds import warnings
from hearth.cluster.kinds.base import Rules, child
from hearth.cluster.kinds.workloads import (
    default_template,
    mismatch,
    same_selector,
    selector_errors,
    selects,
    template_errors,
)
from hearth.cluster.model import checks
from hearth.cluster.model.checks import immutable, non_negative
from hearth.cluster.model.fielderrors import FieldError, forbidden, invalid, not_supported, required
from hearth.cluster.model.kind import Object

# -- StatefulSet ---------------------------------------------------------------------------


def _default_stateful_set(obj: Object) -> None:
    spec = child(obj, "spec")
    spec.setdefault("podManagementPolicy", "OrderedReady")
    strategy = child(spec, "updateStrategy")
    if not strategy.get("type"):
        strategy["type"] = "RollingUpdate"
        child(strategy, "rollingUpdate")
    if strategy["type"] == "RollingUpdate" and strategy.get("rollingUpdate") is not None:
        strategy["rollingUpdate"].setdefault("partition", 0)
        strategy["rollingUpdate"].setdefault("maxUnavailable", 1)
    retention = child(spec, "persistentVolumeClaimRetentionPolicy")
    retention.setdefault("whenDeleted", "Retain")
    retention.setdefault("whenScaled", "Retain")
    spec.setdefault("replicas", 1)
    spec.setdefault("revisionHistoryLimit", 10)
    default_template(spec)
    for claim in spec.get("volumeClaimTemplates") or ():
        claim.setdefault("apiVersion", "v1")
        claim.setdefault("kind", "PersistentVolumeClaim")
        child(claim, "status").setdefault("phase", "Pending")
        child(claim, "spec").setdefault("volumeMode", "Filesystem")


def _new_stateful_set(new: Object, old: Object | None) -> None:
    if old is None:
        new["status"] = {"replicas": 0, "availableReplicas": 0}


def _stateful_set_errors(obj: Object) -> Iterator[FieldError]:
    spec = obj.get("spec") or {}
    policy = spec.get("podManagementPolicy", "")
    if policy not in ("OrderedReady", "Parallel"):
        detail = "must be 'OrderedReady' or 'Parallel'"
        yield invalid("spec.podManagementPolicy", policy, detail)
    yield from _update_strategy_errors(spec.get("updateStrategy") or {})
    for key in ("replicas", "minReadySeconds", "revisionHistoryLimit"):
        yield from non_negative(spec, key, "spec")
    yield from non_negative(spec.get("ordinals") or {}, "start", "spec.ordinals")
    yield from selector_errors(spec, "statefulset")
    yield from template_errors(_with_claims(spec), kind="StatefulSet")


def _with_claims(spec: Object) -> Object:
    """The spec with its pods' own claims as volumes, which they are mounted as."""
    template = spec.get("template") or {}
    pod = template.get("spec") or {}
    volumes = list(pod.get("volumes") or ())
    names = {volume.get("name") for volume in volumes}
    for claim in spec.get("volumeClaimTemplates") or ():
        name = (claim.get("metadata") or {}).get("name", "")
        if name not in names:
            volumes.append({"name": name, "persistentVolumeClaim": {"claimName": name}})
    return {**spec, "template": {**template, "spec": {**pod, "volumes": volumes}}}


def _update_strategy_errors(strategy: Object) -> Iterator[FieldError]:
    path, rolling = "spec.updateStrategy", strategy.get("rollingUpdate")
    match strategy.get("type"):
        case "OnDelete":
            if rolling is not None:
                detail = "only allowed for updateStrategy 'RollingUpdate'"
                yield invalid(f"{path}.rollingUpdate", rolling, detail)
        case "RollingUpdate":
            yield from non_negative(rolling or {}, "partition", f"{path}.rollingUpdate")
        case other:
            shown = {"Type": other, "RollingUpdate": rolling}
            yield invalid(path, shown, "must be 'RollingUpdate' or 'OnDelete'")


_MUTABLE = (
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
)


def _stateful_set_update(new: Object, old: Object) -> Iterator[FieldError]:
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    if any(spec.get(k) != before.get(k) for k in {*spec, *before} - {*_MUTABLE}):
        names = ", ".join(f"'{name}'" for name in _MUTABLE[:-1])
        detail = (
            f"updates to statefulset spec for fields other than {names} and '{_MUTABLE[-1]}' "
            "are forbidden"
        )
        yield forbidden("spec", detail)


STATEFUL_SET = Rules(
    default=_default_stateful_set,
    prepare=_new_stateful_set,
    validate=_stateful_set_errors,
    update=_stateful_set_update,
    warnings=warnings.of_workload,
    generation=True,
)


# -- DaemonSet and ControllerRevision ------------------------------------------------------


def _default_daemon_set(obj: Object) -> None:
    spec = child(obj, "spec")
    strategy = child(spec, "updateStrategy")
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        rolling = child(strategy, "rollingUpdate")
        rolling.setdefault("maxUnavailable", 1)
        rolling.setdefault("maxSurge", 0)
    spec.setdefault("revisionHistoryLimit", 10)
    default_template(spec)


_DAEMON_COUNTS = (
    "currentNumberScheduled",
    "numberMisscheduled",
    "desiredNumberScheduled",
    "numberReady",
)


def _prepare_daemon_set(new: Object, old: Object | None) -> None:
    if old is None:
        new["status"] = dict.fromkeys(_DAEMON_COUNTS, 0)
        annotations = child(new["metadata"], "annotations")
        annotations["deprecated.daemonset.template.generation"] = "1"


def _daemon_set_errors(obj: Object) -> Iterator[FieldError]:
    spec = obj.get("spec") or {}
    selector = spec.get("selector")
    yield from checks.label_selector_errors(selector, "spec.selector")
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels")
    if selector is not None and not selects(selector, labels):
        yield mismatch(labels)
    if selector is not None and not any(selector.values()):
        yield invalid("spec.selector", selector, "empty selector is invalid for daemonset")
    template = {**spec, "selector": {}}
    yield from template_errors(template, kind="DaemonSet")
    yield from non_negative(spec, "minReadySeconds", "spec")
    yield from _daemon_strategy_errors(spec.get("updateStrategy") or {}, "spec.updateStrategy")
    yield from non_negative(spec, "revisionHistoryLimit", "spec")


def _daemon_strategy_errors(strategy: Object, path: str) -> Iterator[FieldError]:
    match strategy.get("type"):
        case "OnDelete":
            return
        case "RollingUpdate":
            rolling = strategy.get("rollingUpdate") or {}
        case other:
            shown = {"Type": other or "", "RollingUpdate": None}
            yield not_supported(path, shown, ("RollingUpdate", "OnDelete"))
            return
    path = f"{path}.rollingUpdate"
    surge, missing = rolling.get("maxSurge", 0), rolling.get("maxUnavailable", 0)
    is_surging, is_missing = (value not in (0, "0%") for value in (surge, missing))
    if is_surging and is_missing:
        detail = "may not be set when maxUnavailable is non-zero"
        yield invalid(f"{path}.maxSurge", surge, detail)
    elif not is_surging and not is_missing:
        yield required(f"{path}.maxUnavailable", "cannot be 0 when maxSurge is 0")


DAEMON_SET = Rules(
    default=_default_daemon_set,
    prepare=_prepare_daemon_set,
    validate=_daemon_set_errors,
    warnings=warnings.of_daemon_set,
    update=same_selector,
    generation=True,
)


def _revision_errors(obj: Object) -> Iterator[FieldError]:
    if obj.get("data") is None:
        yield required("data", "data is mandatory")
    yield from non_negative(obj, "revision", "revision")


def _revision_update(new: Object, old: Object) -> Iterator[FieldError]:
    yield from immutable(new.get("data"), old.get("data"), "data")


CONTROLLER_REVISION = Rules(validate=_revision_errors, update=_revision_update)
