"""Scripts become Pipelines; events are sent to them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hearth.cli.deploy.wanted import pairs
from hearth.cli.errors import UserError
from hearth.cli.eventbroker import ensured_broker
from hearth.cli.pipelines import scripts
from hearth.cli.pipelines.following import follow_run
from hearth.cli.pipelines.place import Place, found_pipeline
from hearth.cli.pipelines.scripts import Script
from hearth.cli.pipelines.sending import Sending, check_event, event_of, payload_of, send
from hearth.kube import meta
from hearth.kube.client import KubeClient
from hearth.kube.conditions import Conditions
from hearth.kube.errors import NotFound
from hearth.kube.meta import Object
from hearth.kube.names import dns1123_label_problems
from hearth.pipelines.api import keys
from hearth.pipelines.views import PipelineSettings, run_name
from hearth.timeouts import time_limit

_READY_SECONDS = 20.0
_LOOK_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Wanted:
    """A pipeline as a command line says it; what is None stays as it is."""

    script: Path
    """A file, or a folder with one."""
    name: str = ""
    broker: str | None = None
    secrets: list[str] | None = None
    env: Mapping[str, str] | None = None
    image: str | None = None
    concurrency: int | None = None
    timeout: int | None = None
    history: int | None = None
    build: Mapping[str, Any] = field(default_factory=dict)
    """How an image is made where it takes one: registry, base, platforms."""

    def spec(self, before: Mapping[str, Any], script: str, image: str | None) -> dict[str, Any]:
        """Return the spec, given the one that is there, the script's text and its image."""
        said = {
            "broker": self.broker,
            "secrets": self.secrets,
            "env": None if self.env is None else dict(self.env),
            "image": image,
            "concurrency": self.concurrency,
            "timeoutSeconds": self.timeout,
            "historyLimit": self.history,
        }
        changed = {name: value for name, value in said.items() if value is not None}
        return {**before, **changed, "script": {"inline": script}}


def wanted(
    script: Path,
    name: str,
    broker: str | None,
    secrets: list[str] | None,
    env: list[str] | None,
    image: str | None,
    concurrency: int | None,
    timeout: int | None,
    history: int | None,
    **build: Any,
) -> Wanted:
    """Return a pipeline as options say it; raise UserError for what is no NAME=VALUE."""
    variables = None if env is None else pairs("--env", env)
    return Wanted(
        script, name, broker, secrets, variables, image, concurrency, timeout, history, build
    )


def name_of(wanted: Wanted, script: str) -> str:
    """Return a pipeline's name: the one given, else that of the file or folder."""
    name = wanted.name or script.lower().replace("_", "-")
    problems = dns1123_label_problems(name)
    if problems or len(name) > keys.NAME_LENGTH:
        why = problems[0] if problems else f"it is longer than {keys.NAME_LENGTH} letters"
        raise UserError(f"{name!r} can be no name of a pipeline ({why}): give one with --as NAME")
    return name


def create(place: Place, wanted: Wanted, *, update: bool) -> None:
    """Make a Pipeline of a script, or (``update``) bring the one of that name up to date."""
    script = scripts.read(wanted.script)
    place.run(lambda client: _applied(client, place, wanted, script, update=update))


async def _applied(
    client: KubeClient, place: Place, wanted: Wanted, script: Script, *, update: bool
) -> Object:
    name = name_of(wanted, script.name)
    there = await _there(client, place, name)
    if there and not update:
        raise UserError(f"there is a pipeline {name!r} already: `hearth pipeline apply` changes it")
    pipeline = there or _nothing(name, place.namespace)
    noted = meta.annotations(pipeline).get(keys.BUILT_ANNOTATION)
    image, made = wanted.image, ""
    if image is None:
        made = await scripts.built(script, name, place, wanted.build)
        # What was built for it before is no more, where nothing is to be built now.
        was_built = bool(noted) and noted == pipeline["spec"].get("image")
        image = made or ("" if was_built else None)
    spec = wanted.spec(pipeline["spec"], script.text, image)
    await _broker(client, place, PipelineSettings(spec).broker)
    if spec == pipeline["spec"]:
        return await _ready(client, place, pipeline, "unchanged")
    metadata = {**pipeline["metadata"], "annotations": _annotations(pipeline, made)}
    changed = {**pipeline, "metadata": metadata, "spec": spec}
    if there is None:
        return await _ready(client, place, await client.create(keys.PIPELINES, changed), "created")
    return await _ready(client, place, await client.update(keys.PIPELINES, changed), "changed")


async def _there(client: KubeClient, place: Place, name: str) -> Object | None:
    try:
        return await client.get(keys.PIPELINES, name, place.namespace)
    except NotFound:
        return None


def _nothing(name: str, namespace: str) -> Object:
    return {
        "apiVersion": keys.PIPELINES.api_version,
        "kind": keys.PIPELINES.kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {},
    }


def _annotations(pipeline: Object, built: str) -> dict[str, str]:
    kept = dict(meta.annotations(pipeline))
    kept.pop(keys.BUILT_ANNOTATION, None)
    return kept | ({keys.BUILT_ANNOTATION: built} if built else {})


async def _broker(client: KubeClient, place: Place, name: str) -> None:
    """The Broker is made where there is none: without one no event ever comes."""
    _, is_new = await ensured_broker(client, name, place.namespace)
    if is_new:
        print(f"Broker {name} created: its events start pipelines.")


async def _ready(client: KubeClient, place: Place, pipeline: Object, what: str) -> Object:
    name, generation = meta.name(pipeline), meta.generation(pipeline)
    try:
        async with time_limit(_READY_SECONDS):
            while not _is_settled(pipeline, generation):
                await asyncio.sleep(_LOOK_SECONDS)
                pipeline = await client.get(keys.PIPELINES, name, place.namespace)
    except TimeoutError:
        words = Conditions.of(pipeline).message("Ready") or "nobody has looked at it"
        raise UserError(
            f"pipeline {name} is {what}, but not ready after {_READY_SECONDS:.0f} s: {words}; "
            f"`hearth pipeline describe {name}` tells more"
        ) from None
    ready = Conditions.of(pipeline)
    if not ready.is_true("Ready"):
        raise UserError(f"pipeline {name} is {what}, but not ready: {ready.message('Ready')}")
    print(f"Pipeline {name} {what}; it is started by {', '.join(pipeline['status']['events'])}.")
    return pipeline


def _is_settled(pipeline: Object, generation: int) -> bool:
    status = pipeline.get("status") or {}
    conditions = Conditions.of(pipeline)
    if int(status.get("observedGeneration") or 0) < generation:
        return False
    return conditions.is_true("Ready") or conditions.is_false("ScriptValid")


def run(place: Place, what: str, wanted: Wanted, sending: Sending) -> int:
    """Send an event to a pipeline, made of a script where one is named; maybe follow its run."""
    # Before anything is made: is there such a payload, is the event one that the script is for?
    event, payload = event_of(sending), payload_of(sending.payload)
    if scripts.is_script(what):
        script = scripts.read(wanted.script)
        check_event(script.text, event, script.label)
        pipeline = place.run(lambda client: _applied(client, place, wanted, script, update=True))
    else:
        pipeline = place.run(lambda client: found_pipeline(client, place, what))
        if text := pipeline["spec"]["script"].get("inline"):
            check_event(text, event, f"pipeline {what}")
    send(place, PipelineSettings(pipeline["spec"]).broker, event, payload)
    name = run_name(meta.name(pipeline), event)
    print(f"Run {name} begins.")
    if not sending.follow:
        print(f"`hearth run follow {name}` follows it.")
        return 0
    return follow_run(place, name)
