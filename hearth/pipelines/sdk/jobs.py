"""Jobs of a script: what is asked for, and waiting for its end."""

from __future__ import annotations

import json
import os

from hearth.pipelines.sdk import graph
from hearth.pipelines.sdk.problems import DuplicateJob, JobFailed, PipelineError

TYPE_CHECKING = False
if TYPE_CHECKING:  # ``typing`` and ``pathlib`` take as long to import as all else here
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path
    from typing import Any, Protocol

    class Runs(Protocol):
        """Where jobs are asked for; the worker's connection to Hearth."""

        def ask(self, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
            """Have a job run, or find the one of that name; return how it is. Raises Refused."""
            ...

        def wait(self, names: Sequence[str], seconds: float) -> Mapping[str, Mapping[str, Any]]:
            """Return those of some jobs that are over, as soon as one is; none when time is up."""
            ...


SUCCEEDED, SKIPPED = "Succeeded", "Skipped"
WORKSPACE, ARTIFACTS = "/workspace", "/artifacts"
_WAIT_SECONDS = 20.0


class _Session:
    """The run that this process is for."""

    def __init__(self) -> None:
        self.runs: Runs | None = None
        self.names: set[str] = set()
        self.ended: dict[str, Result] = {}


_session = _Session()


def begin(runs: Runs | None) -> None:
    """Have jobs run there from now on; None where no jobs can be started."""
    _session.runs, _session.names, _session.ended = runs, set(), {}


class Result:
    """How a job ended."""

    def __init__(self, name: str, status: Mapping[str, Any]) -> None:
        self.name = name
        self.phase: str = status.get("phase", "")
        """Succeeded, Failed, TimedOut, Skipped."""
        self.value: Any = status.get("result")
        """What its function returned, or what its program wrote to the termination log."""
        self.exit_code: int | None = status.get("exitCode")
        self.attempt: int = status.get("attempt") or 0
        """How often it was begun."""
        self.message: str = status.get("message") or ""
        """Why it failed."""

    @property
    def succeeded(self) -> bool:
        """Whether it ended well."""
        return self.phase == SUCCEEDED

    def __repr__(self) -> str:
        return f"<{self.name}: {self.phase}>"


class Job:
    """A job: an image with a command, or a function of the script, in a pod of its own."""

    def __init__(self, wanted: dict[str, Any], needs: Sequence[str]) -> None:
        self.name: str = wanted["name"]
        self.wanted = wanted
        self.needs = tuple(needs)

    def run(self) -> Result:
        """Run it and return how it ended; raise JobFailed where it did not succeed."""
        return parallel(self)[0]

    def __repr__(self) -> str:
        return f"<job {self.name}>"


def job(
    name: str,
    function: Callable[..., Any] | None = None,
    *arguments: Any,
    image: str = "",
    command: Sequence[str] = (),
    args: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    secrets: Mapping[str, str] | None = None,
    workspace: bool = False,
    artifacts: bool = False,
    sidecars: Sequence[Mapping[str, Any]] = (),
    timeout: int = 0,
    retries: int = 0,
    needs: Sequence[Job | str] = (),
    resources: Mapping[str, Any] | None = None,
) -> Job:
    """Describe a job; nothing runs until ``run()`` or ``parallel()``.

    ``function`` is one of the script, called with ``arguments`` (JSON) in a pod of its own; else
    ``image`` with ``command`` and ``args``; a command alone runs in the image of the script.
    ``secrets`` are variables, each ``SECRET/KEY`` of a Secret that the pipeline lists.
    ``workspace`` gives it the folder that jobs share, ``artifacts`` one whose files are kept.
    ``sidecars`` are containers (name, image, command, ...) that run beside it. ``timeout`` is in
    seconds, ``retries`` how often it is begun again after a failure.
    """
    if (function is None) == (not image and not command):
        raise PipelineError(
            f"job {name!r} takes either a function of the script, or an image= or command="
        )
    wanted: dict[str, Any] = {
        "name": name,
        "image": image,
        "command": list(command),
        "args": list(args),
        "env": dict(env or {}),
        "secrets": dict(secrets or {}),
        "workspace": workspace,
        "artifacts": artifacts,
        "sidecars": [dict(each) for each in sidecars],
        "timeout": timeout,
        "retries": retries,
        "resources": dict(resources or {}),
    }
    if function is not None:
        wanted |= {"function": _named(name, function), "arguments": _as_json(name, arguments)}
    names = [each if isinstance(each, str) else each.name for each in needs]
    return Job({key: value for key, value in wanted.items() if value}, names)


def _named(name: str, function: Callable[..., Any]) -> str:
    found = getattr(function, "__qualname__", "")
    if not found.isidentifier():
        raise PipelineError(
            f"job {name!r}: its function has to be one that the script defines at its top level "
            f"(def ...), since another process runs it; {found or function!r} is none"
        )
    return str(found)


def _as_json(name: str, arguments: Sequence[Any]) -> str:
    try:
        return json.dumps(arguments)
    except (TypeError, ValueError) as error:
        raise PipelineError(f"job {name!r}: its arguments have to be JSON: {error}") from error


def parallel(*jobs: Job, check: bool = True) -> list[Result]:
    """Run jobs side by side, each once what it ``needs`` has succeeded; return their results.

    All are waited for. With ``check`` JobFailed is raised where one did not succeed.
    """
    runs = _session.runs
    if runs is None:
        raise PipelineError("jobs are started by the functions that have @on, not by jobs")
    needs = {each.name: each.needs for each in jobs}
    _claim([each.name for each in jobs])
    graph.check(needs, _session.ended)
    _all(runs, {each.name: each for each in jobs}, needs)
    results = [_session.ended[each.name] for each in jobs]
    failed = [each for each in results if not each.succeeded and each.phase != SKIPPED]
    if check and failed:
        raise JobFailed("; ".join(map(_in_words, failed)))
    return results


def _in_words(result: Result) -> str:
    return f"job {result.name!r} {result.phase}: {result.message or 'no message'}"


def _claim(names: Sequence[str]) -> None:
    for index, name in enumerate(names):
        if name in _session.names or name in names[:index]:
            raise DuplicateJob(
                f"job {name!r} was run already: what a job did is remembered by its name, "
                "so each run of one needs a name of its own"
            )
    _session.names.update(names)


def _all(runs: Runs, jobs: Mapping[str, Job], needs: graph.Needs) -> None:
    ended, waiting = _session.ended, dict[str, None]()
    while True:
        succeeded = [name for name, each in ended.items() if each.succeeded]
        for name in graph.ready(needs, {*waiting, *ended}, succeeded):
            _take(name, runs.ask(jobs[name].wanted), waiting)
        failed = [name for name, each in ended.items() if not each.succeeded]
        for name in graph.skipped(needs, failed):
            ended.setdefault(name, Result(name, {"phase": SKIPPED}))
        if waiting:
            for name, status in runs.wait(list(waiting), _WAIT_SECONDS).items():
                _take(name, status, waiting)
        elif _is_over(jobs, ended):
            return


def _is_over(jobs: Collection[str], ended: Collection[str]) -> bool:
    return all(name in ended for name in jobs)


def _take(name: str, status: Mapping[str, Any], waiting: dict[str, None]) -> None:
    if status.get("finishedAt"):
        waiting.pop(name, None)
        _session.ended[name] = Result(name, status)
    else:
        waiting[name] = None


def workspace() -> Path:
    """Return the folder that the jobs of this run share which ask for it."""
    from pathlib import Path

    return Path(os.environ.get("HEARTH_VOLUME_WORKSPACE") or WORKSPACE)


def artifacts() -> Path:
    """Return the folder of this job whose files are kept; ``hearth run artifacts`` fetches them."""
    from pathlib import Path

    shared = os.environ.get("HEARTH_VOLUME_WORKSPACE")
    if not shared:
        return Path(ARTIFACTS)
    folder = Path(shared, artifacts_folder(os.environ["HEARTH_JOB"], os.environ["HEARTH_ATTEMPT"]))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def artifacts_folder(job: str, attempt: int | str) -> str:
    """Return where in the workspace an attempt of a job has the files that are kept."""
    return f".artifacts/{job}/{attempt}"
