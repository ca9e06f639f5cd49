"""What a script may ask for: jobs, and to be told as over. Pure."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hearth.kube.clock import rfc3339_micro
from hearth.kube.meta import Object
from hearth.kube.names import dns1123_label_problems
from hearth.pipelines.api import keys
from hearth.pipelines.runs import jobs
from hearth.pipelines.views import Run

Fields = dict[str, Any]
Text = Annotated[str, Field(min_length=1)]


class Refusal(Exception):
    """A request that is not granted; ``reason`` is one word, the text says what to do."""

    def __init__(self, reason: str, text: str, status: int = 422) -> None:
        super().__init__(text)
        self.reason, self.status = reason, status


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Sidecar(_Strict):
    name: Text
    image: Text
    command: list[str] = []
    args: list[str] = []
    env: dict[str, str] = {}
    resources: dict[str, Any] = {}


class _Job(_Strict):
    name: Text
    image: str = ""
    command: list[str] = []
    args: list[str] = []
    function: str = ""
    arguments: str = "[]"
    env: dict[str, str] = {}
    secrets: dict[str, str] = {}
    workspace: bool = False
    artifacts: bool = False
    sidecars: list[_Sidecar] = []
    timeout: int = Field(0, ge=0, le=604800)
    retries: int = Field(0, ge=0, le=20)
    resources: dict[str, Any] = {}


class _Outcome(_Strict):
    phase: Annotated[str, Field(pattern="^(Succeeded|Failed)$")]
    reason: str = Field("", max_length=100)
    message: str = ""
    summary: Any = None


def asked_job(run: Object, body: Any, now: float) -> tuple[str, Fields, bool]:
    """Return the name of the job asked for, its status, and whether that is new.

    Raises Refusal. One that was asked for before is found again, whatever became of it.
    """
    wanted = _read(_Job, body, f"job {_named(body)!r}")
    name, view = wanted["name"], Run(run)
    _check_name(name)
    size, digest = _digest(wanted)
    known = view.jobs.get(name)
    if known is not None:
        if known.get("digest") != digest:
            raise Refusal(
                "NotDeterministic",
                f"job {name!r} was asked for before and was another then: jobs are remembered by "
                "their names, so a script that begins anew has to ask for the same",
            )
        return name, known, False
    if view.is_final or view.spec.get("canceled"):
        raise Refusal("RunIsOver", f"the run is {view.phase}: no job begins any more", 409)
    if size > keys.JOB_BYTES:
        raise Refusal(
            "JobTooLarge",
            f"job {name!r} takes {size} bytes to describe; {keys.JOB_BYTES} are the most: put what "
            "is large into the workspace or a Secret",
        )
    if len(view.jobs) >= keys.MOST_JOBS:
        raise Refusal(
            "TooManyJobs", f"a run has at most {keys.MOST_JOBS} jobs: {name!r} is one more"
        )
    _check_secrets(name, wanted.get("secrets", {}), view)
    status = {
        "spec": wanted,
        "digest": digest,
        "phase": keys.PENDING,
        "number": len(view.jobs) + 1,
        "askedAt": rfc3339_micro(now),
    }
    return name, status, True


def _named(body: Any) -> str:
    return str(body.get("name", "")) if isinstance(body, dict) else ""


def _read(model: type[BaseModel], body: Any, what: str) -> Fields:
    try:
        return model.model_validate(body).model_dump(exclude_unset=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "it"
        raise Refusal("Invalid", f"{what}: {where}: {first['msg']}") from error


def _digest(wanted: Fields) -> tuple[int, str]:
    text = json.dumps(wanted, sort_keys=True).encode()
    return len(text), hashlib.sha256(text).hexdigest()[:16]


def _check_name(name: str) -> None:
    if problems := dns1123_label_problems(name):
        raise Refusal("Invalid", f"job {name!r}: its name becomes that of a pod: {problems[0]}")
    if len(name) > keys.NAME_LENGTH:
        raise Refusal(
            "Invalid", f"job {name!r}: its name is longer than {keys.NAME_LENGTH} letters"
        )


def _check_secrets(name: str, wanted: dict[str, str], run: Run) -> None:
    for variable, place in wanted.items():
        secret, _, key = place.partition("/")
        if not key:
            raise Refusal("Invalid", f"job {name!r}: {variable}={place!r} is no SECRET/KEY")
        if secret not in run.settings.secrets:
            listed = ", ".join(run.settings.secrets) or "none"
            raise Refusal(
                "UnknownSecret",
                f"job {name!r} asks for Secret {secret!r}, which its pipeline does not list "
                f"(it lists {listed}): add it to spec.secrets, or --secret {secret}",
            )


def asked_jobs(run: Object, names: list[str]) -> dict[str, Fields]:
    """Return those of some jobs that are over; of a run that is over, all."""
    view = Run(run)
    return {name: job for name, job in view.jobs.items() if name in names and jobs.is_over(job)}


def told_end(body: Any) -> Fields:
    """Return how a script says that it ended; raises Refusal."""
    outcome = _read(_Outcome, body, "the end of the script")
    if len(json.dumps(outcome.get("summary")).encode()) > keys.SUMMARY_BYTES:
        raise Refusal("SummaryTooLarge", f"a summary is at most {keys.SUMMARY_BYTES} bytes")
    outcome["message"] = outcome.get("message", "")[-keys.SUMMARY_BYTES :]
    return outcome
