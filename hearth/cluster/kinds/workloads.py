"""Rules of Deployment and ReplicaSet, and what all kinds with a pod template share. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hearth.cluster.kinds import warnings
from hearth.cluster.kinds.base import Rules, child, text_at
from hearth.cluster.kinds.podspec import pod_template_errors
from hearth.cluster.kinds.podspec_defaults import default_pod_spec
from hearth.cluster.model import checks
from hearth.cluster.model.checks import each, immutable, non_negative
from hearth.cluster.model.fielderrors import FieldError, forbidden, invalid, not_supported, required
from hearth.cluster.model.kind import Object
from hearth.kube import gotext
from hearth.kube.selectors import selector_from_object


def default_template(spec: Object) -> None:
    """Sets the defaults of the pod spec in a template."""
    template = child(spec, "template")
    default_pod_spec(child(template, "spec"))


def _new_status(new: Object, old: Object | None) -> None:
    """Status belongs to controllers: a new object has none."""
    if old is None:
        new["status"] = {}


# -- Shared checks -------------------------------------------------------------------------


def selector_errors(spec: Object, kind: str) -> Iterator[FieldError]:
    """Checks the selector of a workload: there, not empty, and of its own pods."""
    selector = spec.get("selector")
    if selector is None:
        yield required("spec.selector")
        return
    yield from checks.label_selector_errors(selector, "spec.selector")
    if not selector.get("matchLabels") and not selector.get("matchExpressions"):
        yield invalid("spec.selector", selector, f"empty selector is invalid for {kind}")
    try:
        selector_from_object(selector)
    except KeyError:
        yield invalid("spec.selector", selector, "invalid label selector")


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
    """The error of a template whose labels the selector does not select."""
    path = "spec.template.metadata.labels"
    return invalid(path, labels, "`selector` does not match template `labels`")


def int_or_percent_errors(value: Any, path: str) -> Iterator[FieldError]:
    """Checks a number or percentage, such as ``maxSurge``."""
    if isinstance(value, str):
        yield from each(path, value, checks.percent_problems(value))
    elif isinstance(value, int) and value < 0:
        yield invalid(path, value, checks.NEGATIVE)


def at_most_all_errors(value: Any, path: str) -> Iterator[FieldError]:
    """Complains about a percentage above 100; ``value`` is an integer or a text such as 25%."""
    if isinstance(value, str) and value.endswith("%") and _amount(value) > 100:
        yield invalid(path, value, "must not be greater than 100%")


def _amount(value: Any) -> int:
    try:
        return gotext.parse_int(str(value).removesuffix("%"))
    except ValueError:
        return 0


def _counts(obj: Object, keys: tuple[str, ...]) -> Iterator[FieldError]:
    for key in keys:
        yield from non_negative(obj.get("status") or {}, key, "status")


def _bounded(status: Object, lower: str, upper: str, *, words: str) -> Iterator[FieldError]:
    value = status.get(lower, 0)
    if value > status.get(upper, 0):
        yield invalid(f"status.{lower}", value, f"cannot be greater than {words}")


# -- Deployment ----------------------------------------------------------------------------


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
    yield from selector_errors(spec, "deployment")
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
    yield from at_most_all_errors(unavailable, f"{path}.maxUnavailable")


def same_selector(new: Object, old: Object) -> Iterator[FieldError]:
    """Refuses an update that changes the selector."""
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
    update=same_selector,
    status=_deployment_status,
    warnings=warnings.of_workload,
    generation=True,
)


# -- ReplicaSet ----------------------------------------------------------------------------


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
    yield from selector_errors(spec, "deployment")
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
    update=same_selector,
    status=_replica_set_status,
    warnings=warnings.of_workload,
    generation=True,
    fields={"status.replicas": text_at("status", "replicas", default="0")},
)
