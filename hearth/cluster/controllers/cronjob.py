"""CronJob: makes Jobs at the times of a schedule, and takes old ones away. Pure.

As kube-controller-manager's controller decides: of times that were missed only the last one counts,
``startingDeadlineSeconds`` says how late it may still be made up for, and the name of a Job is made
of its time, so that none is made twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from hearth.cluster.controllers import sources
from hearth.kube import meta
from hearth.kube.clock import parse_rfc3339, rfc3339
from hearth.kube.conditions import Conditions
from hearth.kube.controllerspec import ControllerSpec, Lister, Watch, owner_key, without_settings
from hearth.kube.meta import Key, Object
from hearth.kube.plan import Action, Create, Delete, Event, Plan, UpdateStatus
from hearth.kube.resources import CRONJOBS, JOBS
from hearth.kube.views import View

if TYPE_CHECKING:
    from hearth.kube.cronticks import Schedule

SCHEDULED = "batch.kubernetes.io/cronjob-scheduled-timestamp"
_MANY = 100
"""More missed times than this are told of."""
_SPARE_SECONDS = 0.1
"""After the time of a tick: a little late is better than a little early, twice."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What the reconciler sees of one CronJob."""

    cron_job: Object
    jobs: Sequence[Object]
    """Those whose controller is this CronJob."""


def observe(lister: Lister, key: Key) -> Observed | None:
    """Look the CronJob and its Jobs up."""
    cron_job = lister.get(sources.CRONJOBS, *key)
    if cron_job is None:
        return None
    return Observed(cron_job, lister.by_index(sources.JOBS_BY_CONTROLLER, meta.uid(cron_job)))


def reconcile(observed: Observed, *, now: float) -> Plan:
    """Make the Job that is due, if the policy lets it, and keep no more ended ones than asked."""
    cron_job = observed.cron_job
    if meta.is_deleting(cron_job):
        return Plan()
    status, told = _looked_at(observed)
    actions: list[Action] = [*told, *_old_jobs(cron_job, observed.jobs)]
    wake: float | None = None
    try:
        schedule = _schedule_of(cron_job)
    except ValueError as error:
        actions.append(_unreadable(cron_job, str(error)))
    else:
        if not cron_job["spec"].get("suspend"):
            actions += _due(observed, schedule, status, now=now)
            wake = _next_look(cron_job, schedule, status, now=now)
    updates: tuple[Action, ...] = ()
    if status != View(cron_job).status:
        updates = (UpdateStatus(CRONJOBS, {**cron_job, "status": status}),)
    return Plan(tuple(actions), requeue_after=wake, then=updates)


# -- what has become of its Jobs -----------------------------------------------------------------


def _looked_at(observed: Observed) -> tuple[dict[str, Any], list[Event]]:
    """The status by the Jobs there are, and what there is to tell of those that have ended."""
    cron_job, before = observed.cron_job, View(observed.cron_job).status
    status = dict(before)
    running = sorted((job for job in observed.jobs if not _end_of(job)), key=_started)
    active = [_reference(job) for job in running]
    status.pop("active", None)
    if active:
        status["active"] = active
    known = {each.get("uid") for each in before.get("active") or ()}
    told: list[Event] = []
    for job in observed.jobs:
        end = _end_of(job)
        if not end:
            continue
        if meta.uid(job) in known:
            text = f"Saw completed job: {meta.name(job)}, condition: {end}"
            told.append(Event(cron_job, "Normal", "SawCompletedJob", text))
        completed = View(job).status.get("completionTime")
        if end == "Complete" and completed:
            latest = status.get("lastSuccessfulTime") or completed
            status["lastSuccessfulTime"] = max(latest, completed, key=parse_rfc3339)
    there = {meta.uid(job) for job in observed.jobs}
    for each in before.get("active") or ():
        if each.get("uid") not in there:
            text = f"Active job went missing: {each.get('name')}"
            told.append(Event(cron_job, "Normal", "MissingJob", text))
    return status, told


def _end_of(job: Object) -> str:
    """The condition that ended a Job; nothing while it goes on."""
    conditions = Conditions.of(job)
    return next((kind for kind in ("Complete", "Failed") if conditions.is_true(kind)), "")


def _reference(job: Object) -> dict[str, Any]:
    return {
        "apiVersion": JOBS.api_version,
        "kind": JOBS.kind,
        "name": meta.name(job),
        "namespace": meta.namespace(job),
        "uid": meta.uid(job),
    }


def _started(job: Object) -> tuple[str, str]:
    started = View(job).status.get("startTime") or meta.creation_timestamp(job)
    return started, meta.name(job)


def _old_jobs(cron_job: Object, jobs: Sequence[Object]) -> list[Action]:
    """The oldest of those that ended, as far as there are more than shall be kept."""
    spec, actions = cron_job["spec"], list[Action]()
    for end, limit in (
        ("Complete", spec.get("successfulJobsHistoryLimit")),
        ("Failed", spec.get("failedJobsHistoryLimit")),
    ):
        if limit is None:
            continue
        ended = sorted((job for job in jobs if _end_of(job) == end), key=_started)
        for job in ended[: max(0, len(ended) - limit)]:
            actions += _deletion(cron_job, job)
    return actions


def _deletion(cron_job: Object, job: Object) -> list[Action]:
    if meta.is_deleting(job):
        return []
    text = f"Deleted job {meta.name(job)}"
    delete = Delete(JOBS, meta.namespace(job), meta.name(job), uid=meta.uid(job))
    return [delete, Event(cron_job, "Normal", "SuccessfulDelete", text)]


# -- what is due -----------------------------------------------------------------------------------


def _schedule_of(cron_job: Object) -> Schedule:
    spec = cron_job["spec"]
    return _read_schedule(spec.get("schedule", ""), spec.get("timeZone") or "")


@lru_cache(maxsize=256)
def _read_schedule(text: str, zone: str) -> Schedule:
    # What walks the calendar is imported with the first CronJob.
    from hearth.kube.cronticks import Schedule

    return Schedule(text, zone, with_seconds=False)


def _unreadable(cron_job: Object, problem: str) -> Event:
    spec = cron_job["spec"]
    if "time zone" in problem:
        text = f"invalid timeZone: {spec.get('timeZone')!r}: {problem}"
        return Event(cron_job, "Warning", "UnknownTimeZone", text)
    text = f"unparseable schedule: {spec.get('schedule')!r} : {problem}"
    return Event(cron_job, "Warning", "UnparseableSchedule", text)


def _due(
    observed: Observed, schedule: Schedule, status: dict[str, Any], *, now: float
) -> list[Action]:
    """Make what is due; notes in the status when that was."""
    cron_job = observed.cron_job
    deadline = cron_job["spec"].get("startingDeadlineSeconds")
    since = _since(cron_job, status)
    if deadline is not None:
        since = max(since, now - deadline)
    tick = schedule.latest(now, since=since)
    if tick is None:
        return []
    actions: list[Action] = []
    if _passed(schedule, since, tick) > _MANY:
        text = (
            "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or "
            "check clock skew"
        )
        actions.append(Event(cron_job, "Warning", "TooManyMissedTimes", text))
    return actions + _start(observed, status, tick)


def _passed(schedule: Schedule, since: float, until: float) -> int:
    """How many times there were, counted up to one too many."""
    return sum(1 for at in islice(schedule.ticks(since), _MANY + 1) if at <= until)


def _next_look(
    cron_job: Object, schedule: Schedule, status: dict[str, Any], *, now: float
) -> float | None:
    """Seconds to the next time; of an interval times are counted from the last one."""
    since = _since(cron_job, status)
    following = schedule.after(schedule.latest(now, since=since) or since)
    return following - now + _SPARE_SECONDS if following is not None else None


def _since(cron_job: Object, status: dict[str, Any]) -> float:
    last = status.get("lastScheduleTime") or meta.creation_timestamp(cron_job)
    return parse_rfc3339(last)


def _start(observed: Observed, status: dict[str, Any], tick: float) -> list[Action]:
    cron_job, policy = observed.cron_job, observed.cron_job["spec"].get("concurrencyPolicy")
    name = job_name(cron_job, tick)
    if any(meta.name(job) == name for job in observed.jobs):
        status["lastScheduleTime"] = rfc3339(tick)
        return []
    running = [job for job in observed.jobs if not _end_of(job)]
    if running and policy == "Forbid":
        text = (
            "Not starting job because prior execution is running and concurrency policy is Forbid"
        )
        return [Event(cron_job, "Normal", "JobAlreadyActive", text)]
    if running and policy == "Replace":  # and made when they have gone, which is at once
        return [action for job in running for action in _deletion(cron_job, job)]
    status["lastScheduleTime"] = rfc3339(tick)
    event = Event(cron_job, "Normal", "SuccessfulCreate", f"Created job {name}")
    return [Create(JOBS, make_job(cron_job, tick)), event]


def job_name(cron_job: Object, tick: float) -> str:
    """Return the name of the Job of a time: the same whenever it is made."""
    return f"{meta.name(cron_job)}-{int(tick) // 60}"


def make_job(cron_job: Object, tick: float) -> Object:
    """Return the Job of a time, as the template has it."""
    template = cron_job["spec"].get("jobTemplate") or {}
    described = deepcopy(template.get("metadata") or {})
    zone = cron_job["spec"].get("timeZone")
    metadata: dict[str, Any] = {
        "name": job_name(cron_job, tick),
        "namespace": meta.namespace(cron_job),
        "annotations": {**(described.get("annotations") or {}), SCHEDULED: _moment(tick, zone)},
        "ownerReferences": [meta.owner_reference(cron_job)],
    }
    if described.get("labels"):
        metadata["labels"] = described["labels"]
    return {
        "apiVersion": JOBS.api_version,
        "kind": JOBS.kind,
        "metadata": metadata,
        "spec": deepcopy(template.get("spec") or {}),
    }


def _moment(tick: float, zone: str | None) -> str:
    if not zone:
        return rfc3339(tick)
    import zoneinfo

    there = datetime.fromtimestamp(tick, tz=zoneinfo.ZoneInfo(zone))
    return there.isoformat(timespec="seconds").replace("+00:00", "Z")


CONTROLLER: ControllerSpec[Observed, object] = ControllerSpec(
    "cronjob",
    sources.CRONJOBS,
    observe,
    without_settings(reconcile),
    watches=(Watch(sources.JOBS, owner_key(CRONJOBS)),),
    indexes=(sources.JOBS_BY_CONTROLLER,),
    field_manager="cronjob-controller",
)
