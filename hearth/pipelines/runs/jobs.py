"""How one job goes on: what is noted of it, given its pods. Pure.

An attempt is noted once its pod was made, and no pod goes before it is noted: so an attempt that is
noted and has no pod is lost, and nobody knows what it did. It counts as failed and is begun again
only where the job has retries, under the next number, which its program is told. What has ended is
never begun again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hearth.functions.deploying.progress import waiting
from hearth.kube import meta
from hearth.kube.clock import parse_rfc3339, rfc3339_micro
from hearth.kube.meta import Object
from hearth.kube.views import Pod
from hearth.pipelines.api import keys

Fields = dict[str, Any]
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
PATIENCE_SECONDS = 10.0
"""How long is waited for a pod that cannot begin as things are: an image, a Secret may come."""
_STUCK = frozenset(
    {
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
        "ErrImagePull",
        "ErrImageNeverPull",
        "ImagePullBackOff",
        "InvalidImageName",
    }
)


@dataclass(frozen=True, slots=True)
class Step:
    """What follows for a job."""

    status: Fields
    """What is to be noted of it."""
    begins: int = 0
    """The attempt whose pod is to be made; 0 for none."""
    again: float | None = None
    """Seconds after which to look again."""


def is_over(job: Mapping[str, Any]) -> bool:
    """Whether a job has ended for good."""
    return bool(job.get("finishedAt"))


def needs_claim(job: Mapping[str, Any]) -> bool:
    """Whether a job has a part of the folder that belongs to its run."""
    return bool(job["spec"].get("workspace") or job["spec"].get("artifacts"))


def step(job: Fields, pods: Mapping[int, Object], now: float) -> Step:
    """Return what follows, given the pods of a job by attempt."""
    if is_over(job):
        return Step(job)
    attempt = int(job.get("attempt") or 0)
    if attempt + 1 in pods:  # made, and not noted yet
        return step(_begun(job, attempt + 1, pods[attempt + 1], now), pods, now)
    wait = parse_rfc3339(job["retryAt"]) - now if job.get("retryAt") else 0.0
    if attempt == 0 or job.get("retryAt"):
        return Step(job, again=wait) if wait > 0 else _beginning(job, attempt + 1, now)
    pod = pods.get(attempt)
    if pod is None:
        return _failed(job, _LOST, now)
    return _of_pod(job, Pod(pod), now)


_LOST = {
    "reason": "PodLost",
    "message": "its pod is gone before it ended (deleted, or its node went): nobody knows what it "
    "did; a job with retries= is begun again",
}


def _beginning(job: Fields, attempt: int, now: float) -> Step:
    return Step(_begun(job, attempt, None, now), begins=attempt)


def _begun(job: Fields, attempt: int, pod: Object | None, now: float) -> Fields:
    kept = {key: value for key, value in job.items() if key not in ("retryAt", "reason", "message")}
    started = job.get("startedAt") or (pod or {}).get("metadata", {}).get("creationTimestamp")
    return {
        **kept,
        "attempt": attempt,
        "phase": keys.STARTING,
        "startedAt": started or rfc3339_micro(now),
    }


def _of_pod(job: Fields, pod: Pod, now: float) -> Step:
    if pod.is_finished:
        return _ended(job, pod, now)
    stuck = stuck_because(pod)
    if stuck:
        left = parse_rfc3339(meta.creation_timestamp(pod.object)) + PATIENCE_SECONDS - now
        if left <= 0:
            return _failed(job, stuck, now, is_final=True)
        return Step({**job, **stuck}, again=left)
    kept = {key: value for key, value in job.items() if key not in ("reason", "message")}
    if pod.phase == "Running":
        return Step({**kept, "phase": keys.RUNNING})
    return Step({**kept, **waits_because(pod), "phase": keys.STARTING})


def waits_because(pod: Pod) -> Fields:
    """Return why a pod is not placed or its containers wait, as reason and message, if they do."""
    why = waiting([pod.object])
    return {"reason": "Waiting", "message": why} if why else {}


def stuck_because(pod: Pod) -> Fields:
    """Return why a pod cannot begin, as reason and message; nothing where it may."""
    for each in pod.all_container_statuses:
        waiting = each.waiting or {}
        if waiting.get("reason") in _STUCK:
            return {"reason": waiting["reason"], "message": str(waiting.get("message", ""))}
    return {}


def _ended(job: Fields, pod: Pod, now: float) -> Step:
    """A function that has left its value has returned, though nobody saw its process end."""
    end = _end(pod)
    value, has_returned = _value(end.pop("said"), of_function=bool(job["spec"].get("function")))
    is_unseen = end.get("reason") == "ContainerStatusUnknown"
    if pod.phase != "Succeeded" and not (has_returned and is_unseen):
        return _failed(job, end, now)
    found = {} if is_unseen else {"exitCode": end["exitCode"]}
    found |= {} if value is None else {"result": value}
    ended = {"phase": keys.SUCCEEDED, "finishedAt": rfc3339_micro(now)}
    return Step({**job, **found, **ended})


def _value(said: str, *, of_function: bool) -> tuple[Any, bool]:
    """Return what a pod's last words mean, and whether a function left them as its value."""
    try:
        value = json.loads(said)
    except ValueError:
        return said or None, False
    if of_function and isinstance(value, dict) and value.keys() == {"value"}:
        return value["value"], True
    return value, False


def _end(pod: Pod) -> Fields:
    """What the end of a pod tells: exit code, reason, message; ``said`` are its own words."""
    ended = (
        next((each.terminated for each in pod.container_statuses if each.terminated), None) or {}
    )
    said = str(ended.get("message") or "").strip()
    found: Fields = {"exitCode": ended.get("exitCode"), "said": said}
    if pod.phase == "Succeeded":
        return found
    reason = str(pod.status.get("reason") or ended.get("reason") or "Error")
    words = said or str(pod.status.get("message") or "")
    return found | {"reason": reason, "message": words or f"exit code {ended.get('exitCode')}"}


def _failed(job: Fields, end: Fields, now: float, *, is_final: bool = False) -> Step:
    attempt, retries = int(job.get("attempt") or 0), int(job["spec"].get("retries") or 0)
    timed_out = end.get("reason") == "DeadlineExceeded"
    if timed_out:
        end = {
            **end,
            "message": f"it took longer than its timeout of {job['spec'].get('timeout')} s",
        }
    if attempt > retries or is_final:
        phase = keys.TIMED_OUT if timed_out else keys.FAILED
        return Step({**job, **end, "phase": phase, "finishedAt": rfc3339_micro(now)})
    pause = min(_FIRST_PAUSE * 2 ** (attempt - 1), _LONGEST_PAUSE)
    noted = {**job, **end, "phase": keys.PENDING, "retryAt": rfc3339_micro(now + pause)}
    return Step(noted, again=pause)
