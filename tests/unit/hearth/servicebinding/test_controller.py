"""What is done about a binding, its service and its workloads, and what is told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hearth.knative.destinations import Unresolved
from hearth.knative.references import NotServed
from hearth.kube.conditions import Conditions
from hearth.kube.meta import Object
from hearth.kube.patch import merge_patch
from hearth.kube.plan import Patch, Plan, UpdateStatus
from hearth.servicebinding.binding import workloads_of
from hearth.servicebinding.controller import Observed, reconcile, refused
from hearth.servicebinding.keys import FINALIZER

SECRET = {"apiVersion": "v1", "kind": "Secret", "name": "creds"}
DATABASE = {"apiVersion": "db.example.com/v1", "kind": "Database", "name": "d"}
NOW = 1_800_000_000.0


def a_workload(name: str = "app", **fields: Any) -> Object:
    metadata = {"name": name, "namespace": "default", "uid": name, "resourceVersion": "5"}
    spec = {"template": {"spec": {"containers": [{"name": "c"}]}}}
    return {"metadata": metadata, "spec": spec} | fields


def observed(*workloads: Object, service: Any = None, to: Any = SECRET, **spec: Any) -> Observed:
    workload = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "app"}
    binding = {
        "metadata": {
            "name": "b",
            "namespace": "default",
            "uid": "u",
            "generation": 3,
            "finalizers": [FINALIZER],
        },
        "spec": {"service": to, "workload": workload} | spec,
    }
    return Observed(binding, service, workloads_of(binding), workloads)


def decide(seen: Observed) -> Plan:
    return reconcile(seen, settings=None, now=NOW)


def told(plan: Plan, kind: str = "Ready") -> tuple[str, str]:
    [update] = [each for each in (*plan.actions, *plan.then) if isinstance(each, UpdateStatus)]
    conditions = Conditions.of(update.obj)
    return conditions.status(kind), conditions.reason(kind)


def patches(plan: Plan) -> dict[str, Any]:
    found = [each for each in (*plan.actions, *plan.then) if isinstance(each, Patch)]
    return {each.name: each.patch for each in found}


def test_it_keeps_itself_from_going_before_it_binds() -> None:
    seen = observed(a_workload())
    metadata = seen.binding["metadata"] | {"finalizers": ["other"]}
    [patch] = decide(replace(seen, binding=seen.binding | {"metadata": metadata})).actions
    assert isinstance(patch, Patch)
    assert patch.patch["metadata"]["finalizers"] == ["other", FINALIZER]


def test_a_secret_is_bound_and_told() -> None:
    plan = decide(observed(a_workload(), a_workload("other")))
    assert list(patches(plan)) == ["app"]
    assert patches(plan)["app"]["metadata"]["resourceVersion"] == "5"
    assert told(plan) == ("True", "ServiceBound")


def test_its_own_result_needs_nothing_more() -> None:
    seen = observed(a_workload())
    plan = decide(seen)
    bound = merge_patch(a_workload(), patches(plan)["app"])
    [update] = [each for each in plan.then if isinstance(each, UpdateStatus)]
    assert not decide(replace(seen, binding=update.obj, workloads=[bound]))


def test_a_service_that_is_found_is_told_first_so_that_the_webhook_knows() -> None:
    service = {"status": {"binding": {"name": "made"}}}
    plan = decide(observed(a_workload(), to=DATABASE, service=service))
    assert isinstance(plan.actions[0], UpdateStatus)
    assert plan.actions[0].obj["status"]["binding"] == {"name": "made"}
    assert [each.name for each in plan.then if isinstance(each, Patch)] == ["app"]


@pytest.mark.parametrize(
    ("service", "status", "reason"),
    [
        (None, "False", "ServiceNotFound"),
        (Unresolved("no"), "False", "ServiceNotFound"),
        (NotServed("no", is_forbidden=True), "False", "ServiceForbidden"),
        ({"status": {}}, "Unknown", "ServiceMissingBinding"),
    ],
)
def test_a_service_without_a_secret_is_told_and_binds_nothing(
    service: Any, status: str, reason: str
) -> None:
    plan = decide(observed(a_workload(), to=DATABASE, service=service))
    assert told(plan, "ServiceAvailable") == (status, reason)
    assert told(plan)[0] == status
    assert patches(plan) == {}


def test_a_service_that_is_away_takes_nothing_from_its_workloads() -> None:
    seen = observed(a_workload(), to=DATABASE, service={"status": {"binding": {"name": "made"}}})
    plan = decide(seen)
    bound = merge_patch(a_workload(), patches(plan)["app"])
    assert isinstance(plan.actions[0], UpdateStatus)
    later = replace(seen, binding=plan.actions[0].obj, service=None, workloads=[bound])
    assert patches(decide(later)) == {}
    assert told(decide(later)) == ("False", "ServiceNotFound")


@pytest.mark.parametrize(
    ("workloads", "reason"),
    [
        ((), "WorkloadNotFound"),
        (Unresolved("no"), "WorkloadNotFound"),
        (NotServed("no", is_forbidden=True), "WorkloadForbidden"),
    ],
)
def test_a_workload_that_is_not_there_is_told(workloads: Any, reason: str) -> None:
    assert told(decide(replace(observed(), workloads=workloads))) == ("False", reason)


def test_labels_that_select_nothing_are_no_trouble() -> None:
    workload = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "selector": {"matchLabels": {"a": "b"}},
    }
    assert told(decide(observed(workload=workload))) == ("True", "ServiceBound")


def test_what_is_not_selected_any_more_is_released() -> None:
    seen = observed(a_workload())
    bound = merge_patch(a_workload(), patches(decide(seen))["app"])
    other = observed(bound, workload={"apiVersion": "apps/v1", "kind": "Deployment", "name": "x"})
    released = merge_patch(bound, patches(decide(other))["app"])
    assert released["spec"] == a_workload()["spec"] | {
        "template": a_workload()["spec"]["template"] | {"metadata": {}}
    }


def test_before_it_goes_its_workloads_are_as_they_were() -> None:
    seen = observed(a_workload())
    bound = merge_patch(a_workload(), patches(decide(seen))["app"])
    metadata = seen.binding["metadata"] | {"deletionTimestamp": "2026-01-01T00:00:00Z"}
    going = replace(seen, binding=seen.binding | {"metadata": metadata}, workloads=[bound])
    plan = decide(going)
    assert [each.name for each in plan.actions if isinstance(each, Patch)] == ["app"]
    [last] = plan.then
    assert isinstance(last, Patch)
    assert last.patch["metadata"]["finalizers"] == []
    broken = replace(going, mapping={"spec": {"versions": [{"version": "*", "volumes": "x"}]}})
    assert len(decide(broken).then) == 1


def test_a_mapping_that_cannot_be_read_is_told() -> None:
    mapping = {"spec": {"versions": [{"version": "*", "volumes": "x"}]}}
    assert told(decide(replace(observed(a_workload()), mapping=mapping))) == (
        "False",
        "InvalidMapping",
    )


def test_a_selector_that_cannot_be_read_is_told() -> None:
    plan = decide(replace(observed(a_workload()), about="no such operator"))
    assert told(plan) == ("False", "InvalidWorkload")


def test_a_job_that_was_there_before_stays_as_it_is() -> None:
    workload = {"apiVersion": "batch/v1", "kind": "Job", "name": "app"}
    plan = decide(observed(a_workload(), workload=workload))
    assert patches(plan) == {}
    assert told(plan) == ("False", "WorkloadRefused")
    ended = a_workload(status={"completionTime": "2026-01-01T00:00:00Z"})
    assert told(decide(observed(ended, workload=workload))) == ("True", "ServiceBound")


def test_a_refusal_is_told_and_tried_again_later() -> None:
    plan = refused(observed(a_workload()), "the name of the revision is fixed", now=NOW)
    assert plan is not None
    assert told(plan, "WorkloadProjected") == ("False", "WorkloadRefused")
    assert plan.requeue_after == 60.0


def test_a_condition_keeps_its_time_while_its_status_stays() -> None:
    seen = observed()
    [update] = [each for each in decide(seen).then if isinstance(each, UpdateStatus)]
    metadata = update.obj["metadata"] | {"generation": 4}
    later = replace(seen, binding=update.obj | {"metadata": metadata})
    plan = reconcile(later, settings=None, now=NOW + 60)
    [again] = [each for each in plan.then if isinstance(each, UpdateStatus)]
    assert again.obj["status"]["observedGeneration"] == 4
    before, after = (Conditions.of(each.obj).transition_time("Ready") for each in (update, again))
    assert before == after


@pytest.mark.parametrize(("until", "waits"), [(NOW + 5, 5.0), (NOW - 1, None), (NOW + 9999, None)])
def test_one_that_is_held_is_left_alone_for_a_while(until: float, waits: float | None) -> None:
    seen = observed(a_workload())
    notes = {"annotations": {"servicebinding.hearth.dev/held-until": str(until)}}
    held = replace(seen, binding=seen.binding | {"metadata": seen.binding["metadata"] | notes})
    plan = decide(held)
    assert (plan.requeue_after, bool(plan)) == (waits, waits is None)
