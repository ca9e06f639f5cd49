"""What commands about pipelines print: tables, phases, times. Colours on terminals only."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from hearth.cli.errors import UserError
from hearth.kube import meta
from hearth.kube.clock import parse_rfc3339
from hearth.kube.conditions import Conditions
from hearth.kube.meta import Object
from hearth.pipelines.api import keys
from hearth.pipelines.views import Run

_COLOURS = {
    keys.SUCCEEDED: "32",
    keys.FAILED: "31",
    keys.TIMED_OUT: "31",
    keys.ABORTED: "33",
    keys.CANCELED: "33",
    keys.RUNNING: "36",
    keys.STARTING: "36",
}
_OUTPUTS = ("table", "json", "yaml")


def check_output(output: str) -> None:
    """Raise UserError for a form that nothing is printed in."""
    if output not in _OUTPUTS:
        raise UserError(f"--output {output}: give one of {', '.join(_OUTPUTS)}")


def coloured(phase: str, text: str = "") -> str:
    """Return a phase, in its colour where somebody looks."""
    text = text or phase
    colour = _COLOURS.get(phase)
    if colour is None or not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return text
    return f"\033[{colour}m{text}\033[0m"


def print_objects(objects: Sequence[Object], output: str, *, single: bool = False) -> None:
    """Print objects as JSON or YAML: one as itself, others as a list."""
    told: Any = objects[0] if single else {"apiVersion": "v1", "kind": "List", "items": objects}
    if output == "yaml":
        print(yaml.safe_dump(told, sort_keys=False), end="")
    else:
        print(json.dumps(told, indent=2))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; a cell that is a phase has its colour."""
    widths = [max(map(len, each)) for each in zip(columns, *rows, strict=True)]
    for row in (columns, *rows):
        cells = (coloured(c, c.ljust(w)) for c, w in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())


def age(stamp: str, now: float) -> str:
    """Return how long ago something was, as kubectl writes it."""
    return elapsed(now - parse_rfc3339(stamp)) if stamp else ""


def took(status: Mapping[str, Any], now: float) -> str:
    """Return how long a run or job took, or takes so far."""
    begun, ended = status.get("startedAt"), status.get("finishedAt")
    if not begun:
        return ""
    seconds = max((parse_rfc3339(ended) if ended else now) - parse_rfc3339(begun), 0.0)
    if seconds >= 120:
        return elapsed(seconds)
    return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.0f} s"


def elapsed(seconds: float) -> str:
    """Return a time as kubectl does: 3s, 2m10s, 12m, 3h5m, 9h, 2d3h, 9d."""
    whole = max(int(seconds), 0)
    for below, size, unit, rest, of_rest in (
        (120, 1, "s", 0, ""),
        (600, 60, "m", 1, "s"),
        (10_800, 60, "m", 0, ""),
        (28_800, 3600, "h", 60, "m"),
        (172_800, 3600, "h", 0, ""),
        (691_200, 86_400, "d", 3600, "h"),
    ):
        if whole < below:
            left = whole % size // rest if rest else 0
            return f"{whole // size}{unit}" + (f"{left}{of_rest}" if left else "")
    return f"{whole // 86_400}d"


def run_row(run: Object, now: float) -> list[str]:
    """Return the row of a run."""
    view = Run(run)
    event = f"{view.event.get('source', '')}:{view.event.get('type', '')}"
    over = sum(1 for job in view.jobs.values() if job.get("finishedAt"))
    jobs = f"{over}/{len(view.jobs)}"
    made = age(meta.creation_timestamp(run), now)
    return [meta.name(run), view.pipeline, view.phase, jobs, event, took(view.status, now), made]


RUN_COLUMNS = ("RUN", "PIPELINE", "PHASE", "JOBS", "EVENT", "TOOK", "AGE")
JOB_COLUMNS = ("JOB", "PHASE", "ATTEMPT", "TOOK", "EXIT", "RESULT")


def job_rows(run: Object, now: float) -> list[list[str]]:
    """Return the rows of a run's jobs, in the order in which they were asked for."""
    jobs = sorted(Run(run).jobs.items(), key=lambda each: each[1].get("number") or 0)
    return [_job_row(name, job, now) for name, job in jobs]


def _job_row(name: str, job: Mapping[str, Any], now: float) -> list[str]:
    said = "" if job.get("result") is None else json.dumps(job["result"])
    phase, again = str(job.get("phase", "")), "from before" if job.get("remembered") else ""
    code = job.get("exitCode")
    told = job.get("message") or said
    words = str(told).splitlines()[0] if told else again
    exit_code = "" if code is None else str(code)
    return [name, phase, str(job.get("attempt") or 0), took(job, now), exit_code, words[:80]]


def summary_words(summary: Any) -> str:
    """Return a summary as people read it."""
    return summary if isinstance(summary, str) else json.dumps(summary, indent=2)


def pipeline_row(pipeline: Object, now: float) -> list[str]:
    """Return the row of a pipeline."""
    status = pipeline.get("status") or {}
    conditions = Conditions.of(pipeline)
    return [
        meta.name(pipeline),
        ", ".join(status.get("events") or ()),
        str(status.get("active") or 0),
        str(status.get("lastPhase") or ""),
        conditions.status("Ready"),
        conditions.reason("Ready"),
        age(meta.creation_timestamp(pipeline), now),
    ]


PIPELINE_COLUMNS = ("PIPELINE", "EVENTS", "ACTIVE", "LAST", "READY", "REASON", "AGE")
