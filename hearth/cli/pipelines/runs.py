"""Runs: listed, shown, read, cancelled, begun again, deleted."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hearth.cli.errors import UserError
from hearth.cli.pipelines.place import Place, found_pipeline, found_run
from hearth.cli.pipelines.words import (
    JOB_COLUMNS,
    RUN_COLUMNS,
    check_output,
    coloured,
    job_rows,
    print_objects,
    print_table,
    run_row,
    summary_words,
    took,
)
from hearth.kube import meta
from hearth.kube.client import KubeClient
from hearth.kube.clock import wall_clock
from hearth.kube.errors import ApiError, NotFound
from hearth.kube.meta import Object
from hearth.kube.resources import CONFIGMAPS, PODS
from hearth.pipelines.api import keys
from hearth.pipelines.runs.jobs import needs_claim
from hearth.pipelines.views import Run, new_run, order


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which runs are meant: by name, or all of a pipeline, in some phases."""

    names: Sequence[str] = ()
    pipeline: str = ""
    phases: Sequence[str] = ()

    def check(self, allowed: Sequence[str] = keys.PHASES) -> None:
        """Raise UserError where nothing or what cannot be is chosen."""
        for phase in self.phases:
            if phase not in allowed:
                raise UserError(f"--phase {phase}: give one of {', '.join(allowed)}")

    async def runs(self, client: KubeClient, place: Place) -> list[Object]:
        """Return the runs; raise UserError where one that is named is not there."""
        if self.names:
            return [await found_run(client, place, name) for name in self.names]
        selector = f"{keys.PIPELINE_LABEL}={self.pipeline}" if self.pipeline else None
        found, _ = await client.list(keys.RUNS, place.namespace, label_selector=selector)
        return [run for run in found if not self.phases or Run(run).phase in self.phases]


def list_runs(place: Place, chosen: Chosen, output: str) -> None:
    """Print runs, the newest first."""
    chosen.check()
    check_output(output)
    found = sorted(place.run(lambda c: chosen.runs(c, place)), key=order, reverse=True)
    if output != "table":
        print_objects(found, output)
    elif not found:
        print("No runs: an event of a pipeline begins one (`hearth pipeline list` has them).")
    else:
        print_table(RUN_COLUMNS, [run_row(each, wall_clock()) for each in found])


def show_run(place: Place, name: str, output: str) -> None:
    """Print a run with its jobs."""
    check_output(output)
    run = place.run(lambda client: found_run(client, place, name))
    if output != "table":
        print_objects([run], output, single=True)
        return
    view, now = Run(run), wall_clock()
    facts = {
        "Run": f"{place.namespace}/{name}",
        "Pipeline": view.pipeline,
        "Event": f"{view.event.get('source')}:{view.event.get('type')} {view.event.get('id')}",
        "Phase": coloured(view.phase),
        "Took": took(view.status, now),
        "Retry of": view.spec.get("retryOf"),
        "Clone of": view.spec.get("cloneOf"),
        "Why": view.status.get("message"),
    }
    for title, value in facts.items():
        if value:
            print(f"{title + ':':<10} {_indented(str(value))}")
    if view.status.get("summary") is not None:
        print(f"{'Summary:':<10} {_indented(summary_words(view.status['summary']))}")
    if view.jobs:
        print()
        print_table(JOB_COLUMNS, job_rows(run, now))
    if any(job["spec"].get("artifacts") and job.get("finishedAt") for job in view.jobs.values()):
        print(f"\nIts jobs have kept files: hearth run artifacts {name}")


def _indented(text: str) -> str:
    return text.replace("\n", "\n" + " " * 11)


def logs(place: Place, name: str, job: str, tail: int | None) -> int:
    """Print what the script of a run and its jobs have said, each line with who said it."""
    return place.run(lambda client: _logs(client, place, name, job, tail))


async def _logs(client: KubeClient, place: Place, name: str, job: str, tail: int | None) -> int:
    run = await found_run(client, place, name)
    if job and job not in (*Run(run).jobs, "script"):
        known = ", ".join(Run(run).jobs) or "none"
        raise UserError(f"run {name} has no job {job!r}: it has {known}, and the script")
    selector = f"{keys.RUN_LABEL}={name}"
    pods, _ = await client.list(PODS, place.namespace, label_selector=selector)
    found = [pod for pod in pods if not job or _said_by(pod) == job]
    for pod in sorted(found, key=lambda each: (meta.creation_timestamp(each), meta.name(each))):
        query = {"container": pod["spec"]["containers"][0]["name"]}
        query |= {} if tail is None else {"tailLines": str(tail)}
        head = b"" if job else f"[{_said_by(pod)}] ".encode()
        try:
            async for line in client.logs(meta.name(pod), place.namespace, query=query):
                sys.stdout.buffer.write(head + line + b"\n")
        except ApiError as error:
            print(f"{meta.name(pod)}: {error.message}", file=sys.stderr)
    sys.stdout.buffer.flush()
    if not found:
        print(f"No pod of {name} is there: it waits, or its pods were deleted.", file=sys.stderr)
    return 0


def _said_by(pod: Object) -> str:
    return meta.labels(pod).get(keys.JOB_LABEL, "script")


def cancel(place: Place, chosen: Chosen) -> None:
    """Have runs end: those that are named, or all of a pipeline that are not over."""
    if not chosen.names and not chosen.pipeline:
        raise UserError("name the runs to cancel, or all of a pipeline with --pipeline NAME")

    async def work(client: KubeClient) -> list[str]:
        done = []
        for run in await chosen.runs(client, place):
            if Run(run).is_final:
                if chosen.names:
                    print(f"Run {meta.name(run)} is {Run(run).phase} already.")
                continue
            patch = {"spec": {"canceled": True}}
            await client.patch(keys.RUNS, meta.name(run), place.namespace, patch)
            done.append(meta.name(run))
        return done

    for name in place.run(work):
        print(f"Run {name} is told to end.")


def delete(place: Place, chosen: Chosen) -> None:
    """Delete runs with their pods and logs."""
    chosen.check()
    if not chosen.names and not chosen.pipeline and not chosen.phases:
        raise UserError("name the runs to delete, or choose them by --pipeline or --phase")

    async def work(client: KubeClient) -> list[str]:
        found = await chosen.runs(client, place)
        for run in found:
            try:
                await client.delete(
                    keys.RUNS, meta.name(run), place.namespace, propagation="Background"
                )
            except NotFound:
                continue
        return [meta.name(run) for run in found]

    done = place.run(work)
    for name in done:
        print(f"Run {name} deleted.")
    if not done:
        print("No run is meant by that.")


def clone(place: Place, name: str) -> str:
    """Begin a run for the event of another one, with the pipeline as it is now."""

    async def work(client: KubeClient) -> Object:
        old = await found_run(client, place, name)
        pipeline = await found_pipeline(client, place, Run(old).pipeline)
        script = await _script(client, place, pipeline)
        fresh = f"{Run(old).pipeline}-{secrets.token_hex(5)}"
        run = new_run(pipeline, script, Run(old).event, name=fresh, cloneOf=name)
        return await client.create(keys.RUNS, run)

    made = meta.name(place.run(work))
    print(f"Run {made} begins: {name} once more, with its pipeline as it is now.")
    return made


async def _script(client: KubeClient, place: Place, pipeline: Object) -> str:
    script = pipeline["spec"]["script"]
    given = script.get("configMap")
    if not given:
        return str(script.get("inline", ""))
    found = await client.get(CONFIGMAPS, given["name"], place.namespace)
    return str((found.get("data") or {}).get(given.get("key") or "pipeline.py", ""))


def retry(place: Place, name: str) -> str:
    """Begin a run that failed once more: the same script; jobs that succeeded count as done.

    But for those with the workspace or artefacts: another run has another folder.
    """

    async def work(client: KubeClient) -> Object:
        old = await found_run(client, place, name)
        view = Run(old)
        if not view.is_final:
            raise UserError(f"run {name} is {view.phase}: `hearth run cancel {name}` ends it first")
        await found_pipeline(client, place, view.pipeline)
        fresh = f"{view.pipeline}-{secrets.token_hex(5)}"
        metadata = {
            "name": fresh,
            "namespace": place.namespace,
            "labels": meta.labels(old),
            "ownerReferences": old["metadata"].get("ownerReferences", []),
        }
        spec = {**view.spec, "retryOf": name, "canceled": False, "remembered": _kept(view)}
        return await client.create(
            keys.RUNS, {**old, "metadata": metadata, "spec": spec, "status": {}}
        )

    made = place.run(work)
    kept = ", ".join(made["spec"].get("remembered") or ()) or "none"
    print(f"Run {meta.name(made)} begins; jobs that count as done: {kept}.")
    return meta.name(made)


def _kept(view: Run) -> dict[str, Any]:
    return {
        name: job
        for name, job in view.jobs.items()
        if job.get("phase") == keys.SUCCEEDED and not needs_claim(job)
    }
