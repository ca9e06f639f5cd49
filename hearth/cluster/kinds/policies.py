"""Rules of PodDisruptionBudget and Lease. Pure; used by the catalog of kinds."""

from __future__ import annotations

from collections.abc import Iterator

from hearth.cluster.kinds.base import Rules, child
from hearth.cluster.kinds.workloads import at_most_all_errors, int_or_percent_errors
from hearth.cluster.model import checks
from hearth.cluster.model.checks import non_negative
from hearth.cluster.model.fielderrors import FieldError, invalid
from hearth.cluster.model.kind import Object

_COUNTS = ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods")


def _new_budget(new: Object, old: Object | None) -> None:
    if old is None:
        new["status"] = dict.fromkeys(_COUNTS, 0)


def _budget_errors(obj: Object) -> Iterator[FieldError]:
    spec = obj.get("spec") or {}
    min_available, max_unavailable = spec.get("minAvailable"), spec.get("maxUnavailable")
    if min_available is not None and max_unavailable is not None:
        shown = {
            "MinAvailable": min_available,
            "Selector": spec.get("selector"),
            "MaxUnavailable": max_unavailable,
            "UnhealthyPodEvictionPolicy": spec.get("unhealthyPodEvictionPolicy"),
        }
        yield invalid("spec", shown, "minAvailable and maxUnavailable cannot be both set")
    for key, value in (("minAvailable", min_available), ("maxUnavailable", max_unavailable)):
        if value is not None:
            yield from int_or_percent_errors(value, f"spec.{key}")
            yield from at_most_all_errors(value, f"spec.{key}")
    yield from checks.label_selector_errors(spec.get("selector"), "spec.selector")
    policy = spec.get("unhealthyPodEvictionPolicy")
    if policy is not None:
        policies = ("AlwaysAllow", "IfHealthyBudget")
        yield from checks.one_of(policy, policies, "spec.unhealthyPodEvictionPolicy")


def _budget_status(new: Object, old: Object) -> Iterator[FieldError]:
    for key in _COUNTS:
        yield from non_negative(child(new, "status"), key, "status")


POD_DISRUPTION_BUDGET = Rules(
    prepare=_new_budget, validate=_budget_errors, status=_budget_status, generation=True
)


def _lease_errors(obj: Object) -> Iterator[FieldError]:
    spec = obj.get("spec") or {}
    duration, transitions = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
    if duration is not None and duration <= 0:
        yield invalid("spec.leaseDurationSeconds", duration, "must be greater than 0")
    if transitions is not None and transitions < 0:
        yield invalid("spec.leaseTransitions", transitions, checks.NEGATIVE)


LEASE = Rules(validate=_lease_errors, unconditional=False)
