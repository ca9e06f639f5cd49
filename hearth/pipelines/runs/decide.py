"""What is to be done for a run, given what is noted of it and its pods. Pure.

All there is to know is in the API: who is killed in the middle of anything looks again and goes on.
Pods are made before they are noted, and have the same names whenever they are made. Those of jobs
have a finalizer until they are noted, as Kubernetes' Jobs have it: one that somebody deletes in
between is still there to be found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hearth.knative.conditions import ConditionSet
from hearth.kube import meta
from hearth.kube.clock import parse_rfc3339, rfc3339_micro
from hearth.kube.meta import Object
from hearth.kube.patch import STRATEGIC_PATCH, create_merge_patch
from hearth.kube.plan import Action, Create, Delete, Event, Patch, Plan
from hearth.kube.resources import PODS
from hearth.kube.views import Pod
from hearth.pipelines.api import keys
from hearth.pipelines.runs import jobs
from hearth.pipelines.runs.jobs import Fields
from hearth.pipelines.runs.pods import make_claim, make_job, make_secret, make_worker, worker_name
from hearth.pipelines.settings import Settings
from hearth.pipelines.views import Run, order

CONDITIONS = ConditionSet("Succeeded")
_CUT_SHORT = {"phase": keys.ABORTED, "reason": keys.ABORTED, "message": "its run ended first"}
"""What is noted of jobs that are not over when their run is."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A run and what concerns it."""

    run: Object
    pods: Sequence[Object]
    """Those of this run."""
    others: Sequence[Object]
    """All runs of its pipeline, itself too."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be there, whoever made it; then a plan."""

    plan: Plan = field(default_factory=Plan)
    ensured: tuple[Object, ...] = ()


def decide(
    seen: Seen, *, settings: Settings, token: Callable[[Object], str], now: float
) -> Decision:
    """Return what follows; nothing where all is as it should be."""
    run = Run(seen.run)
    if meta.is_deleting(seen.run):
        return Decision(releases(seen.pods))
    if run.is_final:
        return Decision(Plan((*_stops(seen), *releases(seen.pods).actions)))
    status = {"phase": run.phase, **run.status}
    end = _end(seen, now)
    if end is not None:
        return _over(seen, status, end, now)
    if run.phase == keys.PENDING:
        return _waiting(seen, status, settings=settings, token=token, now=now)
    return _under_way(seen, status, settings=settings, token=token, now=now)


# -- its end -------------------------------------------------------------------------------------


def _end(seen: Seen, now: float) -> Fields | None:
    run = Run(seen.run)
    if run.spec.get("canceled"):
        phase = keys.CANCELED if run.phase == keys.PENDING else keys.ABORTED
        return {"phase": phase, "reason": phase, "message": "it was cancelled"}
    if outcome := run.status.get("outcome"):
        fields = ("phase", "reason", "message", "summary")
        return {name: outcome[name] for name in fields if name in outcome}
    if _deadline(run) <= now:
        words = f"it took longer than the pipeline's timeoutSeconds, {run.settings.timeout} s"
        return {"phase": keys.TIMED_OUT, "reason": keys.TIMED_OUT, "message": words}
    if run.phase != keys.PENDING:
        return _worker_gave_up(seen, now)
    return None


def _deadline(run: Run) -> float:
    started = run.status.get("startedAt")
    return parse_rfc3339(started) + run.settings.timeout if started else float("inf")


def _worker_gave_up(seen: Seen, now: float) -> Fields | None:
    attempt = int(Run(seen.run).status.get("attempt") or 0)
    pod = _workers(seen.pods).get(attempt)
    if pod is not None and (stuck := jobs.stuck_because(Pod(pod))):
        since = parse_rfc3339(meta.creation_timestamp(pod))
        if now - since >= jobs.PATIENCE_SECONDS:
            return {"phase": keys.FAILED, **stuck}
    if attempt >= keys.WORKER_ATTEMPTS and not _is_alive(pod):
        last = _last_words(pod)
        words = f"the pod of the script ended {attempt} times before the script did{last}"
        return {"phase": keys.FAILED, "reason": "WorkerDied", "message": words}
    return None


def _last_words(pod: Object | None) -> str:
    for each in Pod(pod).container_statuses:
        if each.terminated:
            said = each.terminated.get("message") or f"exit code {each.terminated.get('exitCode')}"
            return f": {said}".strip()
    return ""


def _over(seen: Seen, status: Fields, end: Fields, now: float) -> Decision:
    ended = {"finishedAt": rfc3339_micro(now)}
    noted = {
        name: job if jobs.is_over(job) else {**job, **_CUT_SHORT, **ended}
        for name, job in Run(seen.run).jobs.items()
    }
    status = {**status, **end, **ended, "jobs": noted}
    kind = "Normal" if end["phase"] == keys.SUCCEEDED else "Warning"
    event = Event(seen.run, kind, end["phase"], str(end.get("message") or "the script is done"))
    return Decision(Plan((*_noted(seen.run, status, now), event), then=tuple(_stops(seen))))


def _stops(seen: Seen) -> list[Action]:
    """Have pods end that are not over: by a time limit, so that their logs stay.

    One that no node has is deleted: a time limit counts from its beginning, which may be to come.
    """
    told = {"spec": {"activeDeadlineSeconds": 1}}
    run = Run(seen.run)
    return [
        Patch(PODS, meta.name(pod), meta.namespace(pod), told)
        if Pod(pod).node_name or Pod(pod).phase != "Pending"
        else Delete(PODS, meta.namespace(pod), meta.name(pod), uid=meta.uid(pod))
        for pod in seen.pods
        if not Pod(pod).is_finished
        and not meta.is_deleting(pod)
        and pod["spec"].get("activeDeadlineSeconds") != 1
        # A worker that has told its end is on its way out.
        and (keys.JOB_LABEL in meta.labels(pod) or not run.status.get("outcome"))
    ]


def releases(pods: Sequence[Object], noted: Mapping[str, Fields] | None = None) -> Plan:
    """Return the plan that lets pods go whose attempts are noted; all, without ``noted``."""
    names = [
        (meta.name(pod), meta.namespace(pod))
        for pod in pods
        if keys.UNNOTED_FINALIZER in (pod["metadata"].get("finalizers") or ())
        and (noted is None or _attempt(pod) <= _noted_attempt(pod, noted))
    ]
    gone = {"metadata": {"$deleteFromPrimitiveList/finalizers": [keys.UNNOTED_FINALIZER]}}
    return Plan(tuple(Patch(PODS, *name, gone, content_type=STRATEGIC_PATCH) for name in names))


def _noted_attempt(pod: Object, noted: Mapping[str, Fields]) -> int:
    return int(noted.get(meta.labels(pod).get(keys.JOB_LABEL, ""), {}).get("attempt") or 0)


# -- its beginning -------------------------------------------------------------------------------


def _waiting(
    seen: Seen, status: Fields, *, settings: Settings, token: Callable[[Object], str], now: float
) -> Decision:
    others = [each for each in seen.others if not Run(each).is_final]
    begun = [each for each in others if Run(each).phase != keys.PENDING]
    free = max(Run(seen.run).settings.concurrency - len(begun), 0)
    waiting = sorted((each for each in others if Run(each).phase == keys.PENDING), key=order)
    if all(meta.uid(each) != meta.uid(seen.run) for each in waiting[:free]):
        status |= {
            "reason": "Waiting",
            "message": "its pipeline's concurrency is used up",
        }
        return Decision(Plan(tuple(_noted(seen.run, status, now))))
    status = {**status, "reason": None, "message": None}
    status["jobs"] = {**_remembered(seen.run), **Run(seen.run).jobs}
    return _with_worker(seen, status, 1, settings=settings, token=token, now=now)


def _remembered(run: Object) -> dict[str, Fields]:
    given: dict[str, Fields] = Run(run).spec.get("remembered") or {}
    return {name: {**job, "remembered": True} for name, job in given.items()}


def _with_worker(
    seen: Seen,
    status: Fields,
    attempt: int,
    *,
    settings: Settings,
    token: Callable[[Object], str],
    now: float,
) -> Decision:
    status = {
        **status,
        "phase": keys.STARTING,
        "attempt": attempt,
        "pod": worker_name(seen.run, attempt),
        "startedAt": status.get("startedAt") or rfc3339_micro(now),
    }
    made = [] if attempt in _workers(seen.pods) else [make_worker(seen.run, attempt, settings)]
    actions = tuple(Create(PODS, pod) for pod in made)
    plan = Plan(
        actions,
        requeue_after=Run(seen.run).settings.timeout,
        then=tuple(_noted(seen.run, status, now)),
    )
    return Decision(plan, (make_secret(seen.run, token(seen.run)),) if made else ())


# -- under way -----------------------------------------------------------------------------------


def _under_way(
    seen: Seen, status: Fields, *, settings: Settings, token: Callable[[Object], str], now: float
) -> Decision:
    workers, attempt = _workers(seen.pods), int(status.get("attempt") or 0)
    if not _is_alive(workers.get(attempt)):
        return _with_worker(seen, status, attempt + 1, settings=settings, token=token, now=now)
    status |= {"reason": None, "message": None}
    if Pod(workers[attempt]).phase == "Running":
        status["phase"] = keys.RUNNING
    else:
        status |= jobs.waits_because(Pod(workers[attempt]))
    by_job, known = _job_pods(seen.pods), Run(seen.run).jobs
    steps = {name: jobs.step(job, by_job.get(name, {}), now) for name, job in known.items()}
    begun = [
        make_job(seen.run, name, each.begins, settings)
        for name, each in steps.items()
        if each.begins
    ]
    status["jobs"] = {name: each.status for name, each in steps.items()}
    noted = tuple(_noted(seen.run, status, now))
    again = [each.again for each in steps.values() if each.again is not None]
    requeue = min([*again, _deadline(Run(seen.run)) - now])
    created = tuple(Create(PODS, pod) for pod in begun)
    free = releases(seen.pods, known).actions
    plan = Plan((*created, *free), requeue, noted) if created else Plan((*noted, *free), requeue)
    shares = any(jobs.needs_claim(known[name]) for name, s in steps.items() if s.begins)
    return Decision(plan, (make_claim(seen.run),) if shares else ())


def _is_alive(pod: Object | None) -> bool:
    return pod is not None and not Pod(pod).is_finished


def _attempt(pod: Object) -> int:
    return int(meta.labels(pod).get(keys.ATTEMPT_LABEL, "0"))


def _workers(pods: Sequence[Object]) -> dict[int, Object]:
    return {_attempt(pod): pod for pod in pods if keys.JOB_LABEL not in meta.labels(pod)}


def _job_pods(pods: Sequence[Object]) -> Mapping[str, dict[int, Object]]:
    found: dict[str, dict[int, Object]] = {}
    for pod in pods:
        if job := meta.labels(pod).get(keys.JOB_LABEL):
            found.setdefault(job, {})[_attempt(pod)] = pod
    return found


# -- what is noted -------------------------------------------------------------------------------


def _noted(run: Object, status: Fields, now: float) -> list[Patch]:
    """Only what changed is written, so that what the worker asks for meanwhile stays."""
    stored: Fields = Run(run).status
    conditions = CONDITIONS.manage(stored.get("conditions"), now=now)
    _mark(conditions, status)
    wanted = {**status, "conditions": conditions.list()}
    wanted = {name: value for name, value in wanted.items() if value is not None}
    patch = create_merge_patch(stored, wanted)
    if not patch:
        return []
    where = meta.name(run), meta.namespace(run)
    return [Patch(keys.RUNS, *where, {"status": patch}, subresource="status")]


def _mark(conditions: Any, status: Fields) -> None:
    phase, message = status["phase"], str(status.get("message") or "")
    if phase == keys.SUCCEEDED:
        conditions.mark_true("Succeeded", phase)
    elif phase in keys.FINAL:
        conditions.mark_false("Succeeded", str(status.get("reason") or phase), message)
    else:
        conditions.mark_unknown("Succeeded", phase, message)
