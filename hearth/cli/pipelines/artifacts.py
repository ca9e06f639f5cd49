"""``hearth run artifacts``: files that jobs have kept, listed and fetched through the API.

They are in the run's folder, a PersistentVolumeClaim. A pod that has nothing but that folder is
made, a command in it (exec) tells them, and the pod is deleted: whoever may do that may read them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from hearth.cli.errors import UserError
from hearth.cli.pipelines.place import Place, found_run
from hearth.cli.pipelines.receiving import Receiver, printable, size_words
from hearth.cli.pipelines.words import print_table
from hearth.kube import meta
from hearth.kube.client import KubeClient
from hearth.kube.errors import NotFound
from hearth.kube.meta import Object
from hearth.kube.resources import PERSISTENTVOLUMECLAIMS, PODS
from hearth.kube.views import Pod
from hearth.pipelines.api import keys
from hearth.pipelines.runs.jobs import stuck_because
from hearth.pipelines.runs.pods import claim_name, make_reader, reading
from hearth.pipelines.sdk.jobs import artifacts_folder
from hearth.pipelines.views import Run
from hearth.timeouts import time_limit

_START_SECONDS, _LOOK_SECONDS = 60.0, 0.05


def list_artifacts(place: Place, name: str, output: str) -> None:
    """Print what jobs of a run have kept."""
    if output not in ("table", "json"):
        raise UserError(f"--output {output}: give table or json")
    receiver = Receiver(None)
    place.run(lambda client: _read(client, place, name, None, receiver))
    found = receiver.found
    if output == "json":
        print(json.dumps(found, indent=2))
    elif not found:
        print(f"No job of {name} has left a file in its folder of artefacts.")
    else:
        print_table(("FILE", "SIZE"), [[printable(each["path"]), size_words(each["size"])]
                                       for each in found])  # fmt: skip


def fetch(place: Place, name: str, patterns: Sequence[str], folder: Path) -> None:
    """Write files into a folder, as JOB/PATH; raise UserError where none is meant."""
    receiver = Receiver(folder)
    asked = list(patterns) or ["*"]
    try:
        place.run(lambda client: _read(client, place, name, asked, receiver))
    except OSError as error:
        raise UserError(f"{error.filename or folder}: {error.strerror or error}") from error
    finally:
        receiver.close()
    if not receiver.found:
        raise UserError(
            f"no job of {name} has kept a file like {', '.join(asked)}: "
            f"`hearth run artifacts {name}` lists them"
        )


async def _read(
    client: KubeClient,
    place: Place,
    name: str,
    patterns: Sequence[str] | None,
    receiver: Receiver,
) -> None:
    run = await found_run(client, place, name)
    folders = {
        job: artifacts_folder(job, status.get("attempt") or 1)
        for job, status in Run(run).jobs.items()
        if status["spec"].get("artifacts") and status.get("finishedAt")
    }
    if not folders:
        raise UserError(_nothing_yet(run))
    asked = {"folders": folders, **({} if patterns is None else {"send": list(patterns)})}
    async with _reader(client, run, asked) as pod:
        async for line in _lines(client.output(meta.name(pod), place.namespace, reading(pod))):
            receiver.feed(line)
    receiver.check_end()


async def _lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    rest = b""
    async for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line


def _nothing_yet(run: Object) -> str:
    name = meta.name(run)
    if any(job["spec"].get("artifacts") for job in Run(run).jobs.values()):
        return f"no job of {name} is over that keeps files: `hearth run follow {name}`"
    return f"no job of {name} keeps files: give one a folder for them, job(..., artifacts=True)"


@contextlib.asynccontextmanager
async def _reader(client: KubeClient, run: Object, asked: Any) -> AsyncIterator[Object]:
    """A pod that has the run's folder, once it has begun; deleted when the context ends."""
    name, namespace = f"{meta.name(run)}-artifacts-{secrets.token_hex(3)}", meta.namespace(run)
    pod = make_reader(run, await _script_pod(client, run), asked, name)
    await client.create(PODS, pod)
    try:
        await _begun(client, name, namespace)
        yield pod
    finally:
        with contextlib.suppress(NotFound):
            await client.delete(PODS, name, namespace, grace_period_seconds=0)


async def _script_pod(client: KubeClient, run: Object) -> Object:
    """The pod of the script: it says which image has what reads."""
    name, namespace = meta.name(run), meta.namespace(run)
    try:
        await client.get(PERSISTENTVOLUMECLAIMS, claim_name(run), namespace)
    except NotFound as error:
        raise UserError(f"the folder of run {name} is gone: its claim was deleted") from error
    selector = f"{keys.RUN_LABEL}={name},!{keys.JOB_LABEL}"
    pods, _ = await client.list(PODS, namespace, label_selector=selector)
    if not pods:
        raise UserError(
            f"the pods of run {name} are gone, and with them the name of an image that could read "
            f"its files: they are in the claim {claim_name(run)}"
        )
    return pods[0]


async def _begun(client: KubeClient, name: str, namespace: str) -> None:
    pod: Object = {}
    try:
        async with time_limit(_START_SECONDS):
            while Pod(pod).phase != "Running":
                pod = await client.get(PODS, name, namespace)
                await asyncio.sleep(_LOOK_SECONDS)
    except TimeoutError:
        conditions = (pod.get("status") or {}).get("conditions") or ()
        why = stuck_because(Pod(pod)).get("message") or next(
            (each["message"] for each in conditions if each.get("message")), "nobody says why"
        )
        raise UserError(
            f"the pod that reads the files has not begun after {_START_SECONDS:.0f} s: {why}"
        ) from None
