"""What a CronJob's controller decides, at moments of its schedule."""

from __future__ import annotations

from typing import Any

import pytest

from hearth.cluster.controllers import cronjob
from hearth.cluster.controllers.cronjob import SCHEDULED, Observed
from hearth.kube.clock import parse_rfc3339, rfc3339
from hearth.kube.meta import Object
from hearth.kube.plan import Create, Delete, Event, Plan, UpdateStatus

MADE = parse_rfc3339("2026-11-29T10:00:30Z")
MINUTE = parse_rfc3339("2026-11-29T10:01:00Z")


def a_cron_job(*, status: dict[str, Any] | None = None, **spec: Any) -> Object:
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {
            "name": "beat",
            "namespace": "default",
            "uid": "c",
            "creationTimestamp": rfc3339(MADE),
        },
        "spec": {
            "schedule": "* * * * *",
            "concurrencyPolicy": "Allow",
            "suspend": False,
            "successfulJobsHistoryLimit": 3,
            "failedJobsHistoryLimit": 1,
            "jobTemplate": {
                "metadata": {"labels": {"app": "beat"}, "annotations": {"a": "b"}},
                "spec": {"template": {"spec": {"containers": [{"name": "c"}]}}},
            },
            **spec,
        },
        "status": status or {},
    }


def a_job(tick: float, end: str = "", *, name: str | None = None) -> Object:
    conditions = [{"type": end, "status": "True"}] if end else []
    status: dict[str, Any] = {"startTime": rfc3339(tick), "conditions": conditions}
    if end == "Complete":
        status["completionTime"] = rfc3339(tick + 5)
    name = name or cronjob.job_name(a_cron_job(), tick)
    return {"metadata": {"name": name, "namespace": "default", "uid": name}, "status": status}


def decide(found: Object, *jobs: Object, now: float) -> Plan:
    return cronjob.reconcile(Observed(found, jobs), now=now)


def created(plan: Plan) -> list[Object]:
    return [each.obj for each in plan.actions if isinstance(each, Create)]


def deleted(plan: Plan) -> list[str]:
    return [each.name for each in plan.actions if isinstance(each, Delete)]


def reasons(plan: Plan) -> list[str]:
    return [each.reason for each in plan.actions if isinstance(each, Event)]


def status_of(plan: Plan, before: Object) -> dict[str, Any]:
    updates = [each for each in plan.then if isinstance(each, UpdateStatus)]
    found: dict[str, Any] = updates[-1].obj["status"] if updates else before["status"]
    return found


def test_nothing_is_due_before_the_first_time() -> None:
    plan = decide(a_cron_job(), now=MADE + 10)
    assert not plan
    assert plan.requeue_after == pytest.approx(20.1)


def test_a_job_is_made_of_the_template_at_its_time() -> None:
    found = a_cron_job()
    plan = decide(found, now=MINUTE + 0.1)
    [job] = created(plan)
    assert job["metadata"]["name"] == f"beat-{int(MINUTE) // 60}"
    assert job["metadata"]["labels"] == {"app": "beat"}
    assert job["metadata"]["annotations"] == {"a": "b", SCHEDULED: "2026-11-29T10:01:00Z"}
    [owner] = job["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["controller"]) == ("CronJob", "beat", True)
    assert job["spec"] == found["spec"]["jobTemplate"]["spec"]
    assert job["spec"] is not found["spec"]["jobTemplate"]["spec"]
    assert status_of(plan, found) == {"lastScheduleTime": "2026-11-29T10:01:00Z"}
    assert reasons(plan) == ["SuccessfulCreate"]
    assert plan.requeue_after == pytest.approx(60.0)


def test_a_job_of_a_time_is_made_once() -> None:
    last = {"lastScheduleTime": rfc3339(MINUTE)}
    assert not created(decide(a_cron_job(status=last), now=MINUTE + 30))
    # Its status could not be written: the Job itself says that it was made.
    found = a_cron_job()
    plan = decide(found, a_job(MINUTE), now=MINUTE + 1)
    assert not created(plan)
    status = status_of(plan, found)
    assert status["lastScheduleTime"] == rfc3339(MINUTE)
    assert [each["name"] for each in status["active"]] == [a_job(MINUTE)["metadata"]["name"]]


def test_its_own_result_gives_an_empty_plan() -> None:
    found = a_cron_job()
    found["status"] = status_of(decide(found, now=MINUTE + 1), found)
    job = a_job(MINUTE)
    found["status"] = status_of(decide(found, job, now=MINUTE + 2), found)
    assert found["status"]["active"][0]["uid"] == job["metadata"]["uid"]
    assert not decide(found, job, now=MINUTE + 3)


def test_of_missed_times_the_last_one_counts() -> None:
    plan = decide(a_cron_job(), now=MINUTE + 5 * 60 + 20)
    [job] = created(plan)
    assert job["metadata"]["annotations"][SCHEDULED] == "2026-11-29T10:06:00Z"
    assert reasons(plan) == ["SuccessfulCreate"]
    plan = decide(a_cron_job(), now=MINUTE + 101 * 60)
    assert reasons(plan) == ["TooManyMissedTimes", "SuccessfulCreate"]
    assert len(created(plan)) == 1


def test_years_of_missed_times_are_not_walked_through() -> None:
    plan = decide(a_cron_job(), now=MINUTE + 20 * 365 * 86400)
    assert len(created(plan)) == 1


@pytest.mark.parametrize(("late", "is_made"), [(20, True), (31, False)])
def test_how_late_a_job_may_be_made(late: float, is_made: bool) -> None:
    found = a_cron_job(schedule="0 * * * *", startingDeadlineSeconds=30)
    hour = parse_rfc3339("2026-11-29T11:00:00Z")
    plan = decide(found, now=hour + late)
    assert bool(created(plan)) is is_made
    assert plan.requeue_after == pytest.approx(3600 - late + 0.1)


def test_a_deadline_bounds_what_is_told_as_missed() -> None:
    plan = decide(a_cron_job(startingDeadlineSeconds=200), now=MINUTE + 1000 * 60)
    assert reasons(plan) == ["SuccessfulCreate"]


def test_what_happens_while_a_job_still_runs() -> None:
    job, now = a_job(MINUTE), MINUTE + 60
    last = {"lastScheduleTime": rfc3339(MINUTE)}
    assert len(created(decide(a_cron_job(status=last), job, now=now))) == 1
    forbids = a_cron_job(status=last, concurrencyPolicy="Forbid")
    plan = decide(forbids, job, now=now)
    assert not created(plan) and reasons(plan) == ["JobAlreadyActive"]
    assert status_of(plan, forbids)["lastScheduleTime"] == rfc3339(MINUTE)
    # It is still due when that one has ended.
    assert len(created(decide(forbids, a_job(MINUTE, "Complete"), now=now + 20))) == 1


def test_a_running_job_is_replaced_once_it_has_gone() -> None:
    last = {"lastScheduleTime": rfc3339(MINUTE)}
    found, job, now = (
        a_cron_job(status=last, concurrencyPolicy="Replace"),
        a_job(MINUTE),
        MINUTE + 61,
    )
    plan = decide(found, job, now=now)
    assert deleted(plan) == [job["metadata"]["name"]] and not created(plan)
    assert reasons(plan) == ["SuccessfulDelete"]
    found["status"] = status_of(plan, found)
    assert len(created(decide(found, now=now))) == 1


def test_a_suspended_one_makes_nothing_and_still_looks_after_its_jobs() -> None:
    found = a_cron_job(suspend=True, successfulJobsHistoryLimit=0)
    plan = decide(found, a_job(MINUTE, "Complete"), now=MINUTE + 600)
    assert not created(plan) and plan.requeue_after is None
    assert deleted(plan) == [a_job(MINUTE)["metadata"]["name"]]
    assert status_of(plan, found)["lastSuccessfulTime"] == rfc3339(MINUTE + 5)


def test_no_more_ended_jobs_are_kept_than_asked() -> None:
    jobs = [a_job(MINUTE + 60 * n, "Complete") for n in range(5)]
    jobs += [a_job(MINUTE + 60 * n, "Failed", name=f"f{n}") for n in range(3)]
    found = a_cron_job(suspend=True, status={"lastSuccessfulTime": rfc3339(MINUTE + 245)})
    plan = decide(found, *jobs, now=MINUTE + 600)
    oldest = [cronjob.job_name(found, MINUTE + 60 * n) for n in range(2)]
    assert deleted(plan) == [*oldest, "f0", "f1"]
    found["spec"] |= {"successfulJobsHistoryLimit": None, "failedJobsHistoryLimit": None}
    assert not decide(found, *jobs, now=MINUTE + 600)


def test_ends_are_told_once() -> None:
    job = a_job(MINUTE, "Complete")
    active = [{"name": job["metadata"]["name"], "uid": job["metadata"]["uid"]}]
    active.append({"name": "gone", "uid": "gone"})
    found = a_cron_job(status={"active": active, "lastScheduleTime": rfc3339(MINUTE)})
    plan = decide(found, job, now=MINUTE + 10)
    assert reasons(plan) == ["SawCompletedJob", "MissingJob"]
    found["status"] = status_of(plan, found)
    assert "active" not in found["status"]
    assert found["status"]["lastSuccessfulTime"] == rfc3339(MINUTE + 5)
    assert not decide(found, job, now=MINUTE + 11)


def test_a_time_zone_says_when_it_is_and_what_is_noted() -> None:
    found = a_cron_job(schedule="30 11 * * *", timeZone="Europe/Berlin")
    assert not created(decide(found, now=MADE + 60))
    plan = decide(found, now=parse_rfc3339("2026-11-29T10:30:01Z"))
    [job] = created(plan)
    assert job["metadata"]["annotations"][SCHEDULED] == "2026-11-29T11:30:00+01:00"
    assert status_of(plan, found)["lastScheduleTime"] == "2026-11-29T10:30:00Z"


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"schedule": "* * *"}, "UnparseableSchedule"),
        ({"timeZone": "Nowhere/There"}, "UnknownTimeZone"),
    ],
)
def test_what_cannot_be_read_is_told(spec: dict[str, Any], reason: str) -> None:
    plan = decide(a_cron_job(**spec), now=MINUTE)
    assert reasons(plan) == [reason]
    assert plan.requeue_after is None


def test_an_interval_is_counted_from_the_last_time() -> None:
    found = a_cron_job(schedule="@every 90s")
    assert decide(found, now=MADE + 10).requeue_after == pytest.approx(80.1)
    plan = decide(found, now=MADE + 91)
    assert status_of(plan, found)["lastScheduleTime"] == rfc3339(MADE + 90)
    assert plan.requeue_after == pytest.approx(89.1)


def test_a_schedule_that_never_comes() -> None:
    plan = decide(a_cron_job(schedule="0 0 30 2 *"), now=MINUTE)
    assert not plan and plan.requeue_after is None


def test_one_that_is_being_deleted_is_left_alone() -> None:
    found = a_cron_job()
    found["metadata"]["deletionTimestamp"] = rfc3339(MINUTE)
    assert not decide(found, now=MINUTE + 60)
