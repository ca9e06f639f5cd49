"""Pipelines: listed, described, deleted."""

from __future__ import annotations

from hearth.cli.pipelines.place import Place, found_pipeline
from hearth.cli.pipelines.words import (
    PIPELINE_COLUMNS,
    RUN_COLUMNS,
    check_output,
    pipeline_row,
    print_objects,
    print_table,
    run_row,
)
from hearth.kube import meta
from hearth.kube.client import KubeClient
from hearth.kube.clock import wall_clock
from hearth.kube.conditions import Conditions
from hearth.kube.meta import Object
from hearth.pipelines.api import keys
from hearth.pipelines.views import PipelineSettings, order


def list_pipelines(place: Place, output: str, *, everywhere: bool) -> None:
    """Print the pipelines of a namespace, or of all."""
    check_output(output)
    where = None if everywhere else place.namespace
    found = place.run(lambda client: client.list(keys.PIPELINES, where))[0]
    if output != "table":
        print_objects(found, output)
        return
    if not found:
        print("No pipelines: `hearth pipeline create SCRIPT` makes one.")
        return
    now = wall_clock()
    rows = [
        [*([meta.namespace(each)] if everywhere else []), *pipeline_row(each, now)]
        for each in sorted(found, key=meta.key)
    ]
    print_table((*(["NAMESPACE"] if everywhere else []), *PIPELINE_COLUMNS), rows)


def describe(place: Place, name: str, output: str) -> None:
    """Print a pipeline: what starts it, its limits, whether it is ready, its runs."""
    check_output(output)

    async def look(client: KubeClient) -> tuple[Object, list[Object]]:
        pipeline = await found_pipeline(client, place, name)
        selector = f"{keys.PIPELINE_LABEL}={name}"
        runs, _ = await client.list(keys.RUNS, place.namespace, label_selector=selector)
        return pipeline, runs

    pipeline, runs = place.run(look)
    if output != "table":
        print_objects([pipeline], output, single=True)
        return
    settings, status = PipelineSettings(pipeline["spec"]), pipeline.get("status") or {}
    ready = Conditions.of(pipeline)
    facts = {
        "Pipeline": f"{place.namespace}/{name}",
        "Ready": f"{ready.status('Ready')} {ready.message('Ready')}".strip(),
        "Broker": settings.broker,
        "Events": ", ".join(status.get("events") or ()) or "none",
        "Secrets": ", ".join(settings.secrets) or "none",
        "Limits": f"{settings.concurrency} runs at once, {settings.timeout} s each, "
        f"{settings.history} kept",
    }
    for title, value in facts.items():
        print(f"{title + ':':<10} {value}")
    if runs:
        print()
        rows = [run_row(each, wall_clock()) for each in sorted(runs, key=order, reverse=True)]
        print_table(RUN_COLUMNS, rows)


def delete(place: Place, name: str) -> None:
    """Delete a pipeline with its Triggers and runs."""

    async def work(client: KubeClient) -> None:
        await found_pipeline(client, place, name)
        await client.delete(keys.PIPELINES, name, place.namespace, propagation="Background")

    place.run(work)
    print(f"Pipeline {name} deleted, with its Triggers and runs.")
