"""Job: runs pods until enough of them succeeded. Pure.

Completion mode NonIndexed and Indexed, parallelism, suspension, active deadline, back-off limit
and time to live after the end, as the batch/v1 documentation has them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hearth.cluster.controllers import pods, sources
from hearth.cluster.podtemplates import from_template
from hearth.kube import meta
from hearth.kube.clock import parse_rfc3339, rfc3339
from hearth.kube.conditions import Condition, Conditions
from hearth.kube.controllerspec import (
    ControllerSpec,
    Lister,
    Watch,
    owner_key,
    without_settings,
)
from hearth.kube.meta import Key, Object
from hearth.kube.plan import Action, Create, Delete, Event, Plan, UpdateStatus
from hearth.kube.resources import JOBS, PODS
from hearth.kube.views import Pod, View

INDEX = "batch.kubernetes.io/job-completion-index"
_FIRST_BACKOFF, _LONGEST_BACKOFF = 10.0, 600.0


@dataclass(frozen=True, slots=True)
class Observed:
    """What the reconciler sees of one Job."""

    job: Object
    pods: Sequence[Object]
    """Those whose controller is this Job."""


@dataclass(frozen=True, slots=True)
class _Tally:
    active: list[Object]
    succeeded: list[Object]
    failed: list[Object]

    @classmethod
    def of(cls, owned: Sequence[Object]) -> _Tally:
        return cls(
            active=[p for p in owned if pods.is_active(p)],
            succeeded=[p for p in owned if Pod(p).phase == "Succeeded"],
            failed=[p for p in owned if Pod(p).phase == "Failed"],
        )


def observe(lister: Lister, key: Key) -> Observed | None:
    """Look the Job and its pods up."""
    job = lister.get(sources.JOBS, *key)
    if job is None:
        return None
    return Observed(job, lister.by_index(sources.PODS_BY_CONTROLLER, meta.uid(job)))


def reconcile(observed: Observed, *, now: float) -> Plan:
    """Run pods until enough have succeeded or too many have failed; then clean up."""
    job, tally = observed.job, _Tally.of(observed.pods)
    if meta.is_deleting(job):
        return Plan()
    ended = _ended(job)
    if ended is not None:
        return _after_end(job, ended, now=now)
    verdict = _verdict(job, tally, now=now)
    if verdict is not None:
        return _end(job, tally, verdict, now=now)
    return _run(job, tally, now=now)


def _ended(job: Object) -> Condition | None:
    conditions = Conditions.of(job)
    for kind in ("Complete", "Failed"):
        if conditions.is_true(kind):
            return conditions.get(kind)
    return None


def _after_end(job: Object, ended: dict[str, Any], *, now: float) -> Plan:
    keep = job["spec"].get("ttlSecondsAfterFinished")
    if keep is None:
        return Plan()
    left = parse_rfc3339(ended["lastTransitionTime"]) + keep - now
    if left > 0:
        return Plan(requeue_after=left)
    return Plan((Delete(JOBS, meta.namespace(job), meta.name(job), uid=meta.uid(job)),))


# -- has it ended? -----------------------------------------------------------------------------


def _verdict(job: Object, tally: _Tally, *, now: float) -> tuple[str, str, str] | None:
    """Condition type, reason and message that end the Job, or None while it goes on."""
    spec = job["spec"]
    if len(tally.failed) > spec.get("backoffLimit", 6):
        return "Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit"
    started = View(job).status.get("startTime")
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and started and now - parse_rfc3339(started) >= deadline:
        return "Failed", "DeadlineExceeded", "Job was active longer than specified deadline"
    completions = spec.get("completions")
    done = _done(job, tally)
    enough = done >= completions if completions is not None else bool(done) and not tally.active
    if enough:
        return "Complete", "CompletionsReached", "Reached expected number of succeeded pods"
    return None


def _done(job: Object, tally: _Tally) -> int:
    if _is_indexed(job):
        return len({_index(pod) for pod in tally.succeeded})
    return len(tally.succeeded)


def _end(job: Object, tally: _Tally, verdict: tuple[str, str, str], *, now: float) -> Plan:
    kind, reason, message = verdict
    before = "SuccessCriteriaMet" if kind == "Complete" else "FailureTarget"
    status = _counts(job, tally)
    status["startTime"] = View(job).status.get("startTime", rfc3339(now))
    status.pop("active", None)
    status.pop("ready", None)
    if kind == "Complete":
        status["completionTime"] = rfc3339(now)
    status["conditions"] = [_condition(k, reason, message, now=now) for k in (before, kind)]
    stopped = tuple(
        Delete(PODS, meta.namespace(pod), meta.name(pod), uid=meta.uid(pod)) for pod in tally.active
    )
    event = Event(
        job,
        "Normal" if kind == "Complete" else "Warning",
        "Completed" if kind == "Complete" else reason,
        "Job completed" if kind == "Complete" else message,
    )
    update = UpdateStatus(JOBS, {**job, "status": status})
    return Plan((*stopped, update, event))


def _condition(kind: str, reason: str, message: str, *, now: float) -> dict[str, Any]:
    moment = rfc3339(now)
    return {
        "type": kind,
        "status": "True",
        "lastProbeTime": moment,
        "lastTransitionTime": moment,
        "reason": reason,
        "message": message,
    }


# -- while it runs -----------------------------------------------------------------------------


def _run(job: Object, tally: _Tally, *, now: float) -> Plan:
    spec, old = job["spec"], View(job).status
    status = _counts(job, tally)
    actions: list[Action] = []
    wake: float | None = None
    if spec.get("suspend"):
        actions += [Delete(PODS, meta.namespace(p), meta.name(p)) for p in tally.active]
    else:
        status["startTime"] = old.get("startTime") or rfc3339(now)
        wake = _wait_after_failure(tally, now=now)
        if wake is None:
            actions += _resize(job, tally)
    if old.get("conditions"):
        status["conditions"] = old["conditions"]
    if status != old:
        actions.append(UpdateStatus(JOBS, {**job, "status": status}))
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and not spec.get("suspend"):
        left = parse_rfc3339(status["startTime"]) + deadline - now
        wake = left if wake is None else min(wake, left)
    return Plan(tuple(actions), requeue_after=wake)


def _wait_after_failure(tally: _Tally, *, now: float) -> float | None:
    """Back-off after failed pods: 10 s, doubling to 10 min, counted from the last failure."""
    ends = [_finished_at(pod, default=now) for pod in tally.failed]
    if not ends:
        return None
    delay = min(_FIRST_BACKOFF * 2.0 ** min(len(ends) - 1, 60), _LONGEST_BACKOFF)
    left = max(ends) + delay - now
    return left if left > 0 else None


def _finished_at(pod: Object, *, default: float) -> float:
    ends = [
        parse_rfc3339(ended["finishedAt"])
        for container in Pod(pod).container_statuses
        if (ended := container.terminated) is not None and ended.get("finishedAt")
    ]
    return max(ends, default=default)


def _resize(job: Object, tally: _Tally) -> list[Action]:
    spec = job["spec"]
    parallel = spec.get("parallelism", 1)
    completions = spec.get("completions")
    if completions is None:
        desired = len(tally.active) if tally.succeeded else parallel
    else:
        desired = min(parallel, completions - _done(job, tally))
    missing = desired - len(tally.active)
    if missing < 0:
        surplus = sorted(tally.active, key=pods.deletion_rank)[:-missing]
        return [Delete(PODS, meta.namespace(p), meta.name(p)) for p in surplus]
    if not _is_indexed(job):
        return [Create(PODS, _pod(job, None)) for _ in range(missing)]
    taken = {_index(pod) for pod in (*tally.active, *tally.succeeded)}
    free = [i for i in range(completions or 0) if i not in taken][:missing]
    return [Create(PODS, _pod(job, index)) for index in free]


def _pod(job: Object, index: int | None) -> Object:
    stem = meta.name(job) if index is None else f"{meta.name(job)}-{index}"
    pod = from_template(job, job["spec"]["template"], generate_name=f"{stem}-")
    if index is not None:
        metadata = pod["metadata"]
        metadata.setdefault("annotations", {})[INDEX] = str(index)
        metadata.setdefault("labels", {})[INDEX] = str(index)
        for container in pod["spec"].get("containers") or ():
            env = container.setdefault("env", [])
            env.append({"name": "JOB_COMPLETION_INDEX", "value": str(index)})
    return pod


def _is_indexed(job: Object) -> bool:
    return bool(job["spec"].get("completionMode") == "Indexed")


def _index(pod: Object) -> int:
    return int(meta.annotations(pod).get(INDEX, "-1"))


def _counts(job: Object, tally: _Tally) -> dict[str, Any]:
    status: dict[str, Any] = {
        "active": len(tally.active),
        "ready": sum(Pod(pod).is_ready for pod in tally.active),
        "succeeded": _done(job, tally),
        "failed": len(tally.failed),
        "terminating": 0,
        "uncountedTerminatedPods": {},
    }
    kept = ("terminating", "uncountedTerminatedPods", "ready")
    return {name: value for name, value in status.items() if value or name in kept}


def _short_of_pods(lister: Lister, quota: Object) -> Iterator[Key]:
    """Map a ResourceQuota that has changed to the Jobs of its namespace that have no pod."""
    for job in lister.list(sources.JOBS, meta.namespace(quota)):
        status = job.get("status") or {}
        if not status.get("active") and _ended(job) is None:
            yield meta.key(job)


CONTROLLER: ControllerSpec[Observed, object] = ControllerSpec(
    "job",
    sources.JOBS,
    observe,
    without_settings(reconcile),
    watches=(
        Watch(sources.PODS, owner_key(JOBS)),
        Watch(sources.QUOTAS, _short_of_pods),
    ),
    indexes=(sources.PODS_BY_CONTROLLER,),
    field_manager="job-controller",
)
