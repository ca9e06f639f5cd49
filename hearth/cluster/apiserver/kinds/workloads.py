"""Rules of Deployment, ReplicaSet, StatefulSet, DaemonSet, ControllerRevision. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hearth.cluster.apiserver.fielderrors import (
    FieldError,
    forbidden,
    invalid,
    not_supported,
    required,
)
from hearth.cluster.apiserver.kind import Object
from hearth.cluster.apiserver.kinds import checks, warnings
from hearth.cluster.apiserver.kinds.base import Rules, child, text_at
from hearth.cluster.apiserver.kinds.checks import each, immutable, non_negative
from hearth.cluster.apiserver.kinds.podspec import pod_template_errors
from hearth.cluster.apiserver.kinds.podspec_defaults import default_pod_spec
from hearth.kube.selectors import selector_from_object


def default_template(spec: Object) -> None:
    template = child(spec, "template")
    default_pod_spec(child(template, "spec"))


def _new_status(new: Object, old: Object | None) -> None:
    """Status belongs to controllers: a new object has none."""
    if old is None:
        new["status"] = {}


# Shared checks -------------------------------------------------------------------------------


def _selector_errors(spec: Object, kind: str) -> Iterator[FieldError]:
    selector = spec.get("selector")
    if selector is None:
        yield required("spec.selector")
        return
    yield from checks.label_selector_errors(selector, "spec.selector")
    if not selector.get("matchLabels") and not selector.get("matchExpressions"):
        yield invalid("spec.selector", selector, f"empty selector is invalid for {kind}")


def selects(selector: Object | None, labels: Object | None) -> bool:
    """Whether a selector takes these labels; without a selector nothing is taken."""
    if selector is None:
        return False
    try:
        return selector_from_object(selector).matches(labels or {})
    except KeyError:
        return True  # the operator is unknown, which is reported elsewhere


def template_errors(spec: Object, *, kind: str) -> Iterator[FieldError]:
    """The template of a workload whose pods run for ever."""
    template = spec.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels")
    selector = spec.get("selector")
    if selector != {} and not selects(selector, labels):
        yield mismatch(labels)
    yield from pod_template_errors(template, "spec.template")
    pod = template.get("spec") or {}
    if pod.get("restartPolicy") != "Always":
        path = "spec.template.spec.restartPolicy"
        yield not_supported(path, pod.get("restartPolicy", ""), ("Always",))
    if pod.get("activeDeadlineSeconds") is not None:
        path = "spec.template.spec.activeDeadlineSeconds"
        yield forbidden(path, f"activeDeadlineSeconds in {kind} is not Supported")


def mismatch(labels: Object | None) -> FieldError:
    path = "spec.template.metadata.labels"
    return invalid(path, labels, "`selector` does not match template `labels`")


def int_or_percent_errors(value: Any, path: str) -> Iterator[FieldError]:
    if isinstance(value, str):
        yield from each(path, value, checks.percent_problems(value))
    elif isinstance(value, int) and value < 0:
        yield invalid(path, value, checks.NEGATIVE)


def _at_most_all(value: Any, path: str) -> Iterator[FieldError]:
    if isinstance(value, str) and value.endswith("%") and _amount(value) > 100:
        yield invalid(path, value, "must not be greater than 100%")


def _amount(value: Any) -> int:
    text = str(value).removesuffix("%")
    return int(text) if text.lstrip("-").isdecimal() else 0


def _counts(obj: Object, keys: tuple[str, ...]) -> Iterator[FieldError]:
    for key in keys:
        yield from non_negative(obj.get("status") or {}, key, "status")


def _bounded(status: Object, lower: str, upper: str, *, words: str) -> Iterator[FieldError]:
    value = status.get(lower, 0)
    if value > status.get(upper, 0):
        yield invalid(f"status.{lower}", value, f"cannot be greater than {words}")


# Deployment ----------------------------------------------------------------------------------


def _default_deployment(obj: Object) -> None:
    spec = child(obj, "spec")
    spec.setdefault("replicas", 1)
    strategy = child(spec, "strategy")
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        rolling = child(strategy, "rollingUpdate")
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)
    default_template(spec)


def _deployment_errors(obj: Object) -> Iterator[FieldError]:
    spec = obj.get("spec") or {}
    yield from non_negative(spec, "replicas", "spec")
    yield from _selector_errors(spec, "deployment")
    yield from template_errors(spec, kind="ReplicaSet")
    yield from _strategy_errors(spec.get("strategy") or {}, "spec.strategy")
    yield from non_negative(spec, "minReadySeconds", "spec")
    yield from non_negative(spec, "revisionHistoryLimit", "spec")
    deadline = spec.get("progressDeadlineSeconds")
    if deadline is not None:
        yield from non_negative(spec, "progressDeadlineSeconds", "spec")
        if deadline <= spec.get("minReadySeconds", 0):
            path = "spec.progressDeadlineSeconds"
            yield invalid(path, deadline, "must be greater than minReadySeconds")


def _strategy_errors(strategy: Object, path: str) -> Iterator[FieldError]:
    rolling = strategy.get("rollingUpdate")
    match strategy.get("type"):
        case "Recreate":
            if rolling is not None:
                detail = "may not be specified when strategy `type` is 'Recreate'"
                yield forbidden(f"{path}.rollingUpdate", detail)
        case "RollingUpdate":
            yield from _rolling_errors(rolling or {}, f"{path}.rollingUpdate")
        case other:
            shown = {"Type": other, "RollingUpdate": _internal_rolling(rolling)}
            yield not_supported(path, shown, ("Recreate", "RollingUpdate"))


def _internal_rolling(rolling: Object | None) -> Object | None:
    if rolling is None:
        return None
    return {
        "MaxUnavailable": rolling.get("maxUnavailable", 0),
        "MaxSurge": rolling.get("maxSurge", 0),
    }


def _rolling_errors(rolling: Object, path: str) -> Iterator[FieldError]:
    unavailable, surge = rolling.get("maxUnavailable", 0), rolling.get("maxSurge", 0)
    yield from int_or_percent_errors(unavailable, f"{path}.maxUnavailable")
    yield from int_or_percent_errors(surge, f"{path}.maxSurge")
    if _amount(unavailable) == 0 and _amount(surge) == 0:
        detail = "may not be 0 when `maxSurge` is 0"
        yield invalid(f"{path}.maxUnavailable", unavailable, detail)
    yield from _at_most_all(unavailable, f"{path}.maxUnavailable")


def _same_selector(new: Object, old: Object) -> Iterator[FieldError]:
    selector, before = (new.get("spec") or {}).get("selector"), (old.get("spec") or {})
    yield from immutable(selector, before.get("selector"), "spec.selector")


_DEPLOYMENT_COUNTS = (
    "observedGeneration",
    "replicas",
    "updatedReplicas",
    "readyReplicas",
    "availableReplicas",
    "unavailableReplicas",
    "collisionCount",
)


def _deployment_status(new: Object, old: Object) -> Iterator[FieldError]:
    status = new.get("status") or {}
    yield from _counts(new, _DEPLOYMENT_COUNTS)
    for key in ("updatedReplicas", "readyReplicas", "availableReplicas"):
        yield from _bounded(status, key, "replicas", words="status.replicas")
    yield from _bounded(status, "availableReplicas", "readyReplicas", words="readyReplicas")
    collisions = (old.get("status") or {}).get("collisionCount")
    if collisions is not None and (status.get("collisionCount") or 0) < collisions:
        path = "status.collisionCount"
        yield invalid(path, status.get("collisionCount"), "cannot be decremented")


DEPLOYMENT = Rules(
    default=_default_deployment,
    prepare=_new_status,
    validate=_deployment_errors,
    update=_same_selector,
    status=_deployment_status,
    warnings=warnings.of_workload,
    generation=True,
)


# ReplicaSet ----------------------------------------------------------------------------------


def _default_replica_set(obj: Object) -> None:
    spec = child(obj, "spec")
    spec.setdefault("replicas", 1)
    default_template(spec)


def _new_replica_set(new: Object, old: Object | None) -> None:
    if old is None:
        new["status"] = {"replicas": 0}


def _replica_set_errors(obj: Object) -> Iterator[FieldError]:
    spec = obj.get("spec") or {}
    yield from non_negative(spec, "replicas", "spec")
    yield from non_negative(spec, "minReadySeconds", "spec")
    yield from _selector_errors(spec, "deployment")
    yield from template_errors(spec, kind="ReplicaSet")


_REPLICA_SET_COUNTS = (
    "replicas",
    "fullyLabeledReplicas",
    "readyReplicas",
    "availableReplicas",
    "observedGeneration",
)


def _replica_set_status(new: Object, old: Object) -> Iterator[FieldError]:
    status = new.get("status") or {}
    yield from _counts(new, _REPLICA_SET_COUNTS)
    for key in ("fullyLabeledReplicas", "readyReplicas", "availableReplicas"):
        yield from _bounded(status, key, "replicas", words="status.replicas")
    yield from _bounded(status, "availableReplicas", "readyReplicas", words="readyReplicas")


REPLICA_SET = Rules(
    default=_default_replica_set,
    prepare=_new_replica_set,
    validate=_replica_set_errors,
    update=_same_selector,
    status=_replica_set_status,
    warnings=warnings.of_workload,
    generation=True,
    fields={"status.replicas": text_at("status", "replicas", default="0")},
)


# StatefulSet ---------------------------------------------------------------------------------


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
    yield from _selector_errors(spec, "statefulset")
    yield from template_errors(spec, kind="StatefulSet")


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


# DaemonSet and ControllerRevision ------------------------------------------------------------


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
    for key in ("minReadySeconds", "revisionHistoryLimit"):
        yield from non_negative(spec, key, "spec")


DAEMON_SET = Rules(
    default=_default_daemon_set,
    prepare=_prepare_daemon_set,
    validate=_daemon_set_errors,
    warnings=warnings.of_daemon_set,
    update=_same_selector,
    generation=True,
)


def _revision_errors(obj: Object) -> Iterator[FieldError]:
    if obj.get("data") is None:
        yield required("data", "data is mandatory")
    yield from non_negative(obj, "revision", "revision")


def _revision_update(new: Object, old: Object) -> Iterator[FieldError]:
    yield from immutable(new.get("data"), old.get("data"), "data")


CONTROLLER_REVISION = Rules(validate=_revision_errors, update=_revision_update)
