"""Subresources of pods: log, binding, eviction."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from hearth.cluster.codec import decode
from hearth.cluster.model import status
from hearth.cluster.model.objects import Entry, Key, Object
from hearth.cluster.operations import deletes, options
from hearth.cluster.operations.api import Api
from hearth.cluster.operations.options import WriteOptions
from hearth.cluster.operations.writes import update
from hearth.cluster.rest import podlogs
from hearth.cluster.rest.handlers.common import Call, value_response
from hearth.cluster.rest.podlogs import LogOptions, Selector
from hearth.cluster.rest.requests import Response
from hearth.kube.selectors import selector_from_object

_TEXT = "text/plain"
_BLOCK = 64 * 1024
_POLL_SECONDS = 0.1


def _pod(call: Call) -> Object:
    entry = call.api.store.get(call.key)
    if entry is None:
        raise status.not_found("", "pods", call.target.name)
    return entry.parse()


async def log(call: Call) -> Response:
    """The log of one container, whole or as it grows."""
    log_options = podlogs.log_options(call.request.query, call.target.name, call.api.clock())
    pod = _pod(call)
    container = podlogs.container_of(pod, log_options.container)
    if not (pod.get("spec") or {}).get("nodeName"):
        return Response(204, b"", _TEXT)
    folder = podlogs.log_folder(call.api.data_dir, pod, container)
    path = _log_file(folder, pod, container, previous=log_options.previous)
    reader = LogReader(call.api, call.key, path, log_options)
    return Response(200, reader.pieces(pod["metadata"]["uid"], container), _TEXT)


def _log_file(folder: Path, pod: Object, container: str, *, previous: bool) -> Path:
    name = pod["metadata"]["name"]
    runs = podlogs.runs(file.name for file in folder.glob("*.log"))
    if previous:
        if len(runs) < 2:
            problem = f'previous terminated container "{container}" in pod "{name}" not found'
            raise status.bad_request(problem)
        return folder / f"{runs[-2]}.log"
    begun = podlogs.begun_run(pod, container)
    if begun is not None:
        runs.append(max([begun, *runs[-1:]]))
    if not runs:
        state = podlogs.container_status(pod, container).get("state") or {}
        reason = (state.get("waiting") or {}).get("reason", "ContainerCreating")
        if reason in ("ErrImagePull", "ImagePullBackOff"):
            problem = "trying and failing to pull image"
        else:
            problem = reason
        raise status.bad_request(
            f'container "{container}" in pod "{name}" is waiting to start: {problem}'
        )
    return folder / f"{runs[-1]}.log"


class LogReader:
    """Reads one log file for one client."""

    def __init__(self, api: Api, key: Key, path: Path, log_options: LogOptions) -> None:
        self._api = api
        self._key = key
        self._path = path
        self._options = log_options
        self._selector = Selector(log_options)
        self._at = 0
        self._rest = b""

    async def pieces(self, uid: str, container: str) -> AsyncIterator[bytes]:
        """The lines as they are read; with ``follow`` until the run has ended."""
        yield b""
        if self._options.tail_lines is not None:
            lines = await asyncio.to_thread(self._tail, self._options.tail_lines)
            yield b"".join(self._selector.shown(lines))
        while not self._selector.is_done:
            # Asked before reading: what was written before the end is then read for sure.
            has_ended = not self._options.follow or self._has_ended(uid, container)
            block = await asyncio.to_thread(self._read)
            if block:
                yield b"".join(self._selector.shown(self._lines(block)))
            elif has_ended or self._api.stopping:
                return
            else:
                await asyncio.sleep(_POLL_SECONDS)

    def _read(self) -> bytes:
        try:
            with self._path.open("rb") as file:
                if file.seek(0, 2) < self._at:
                    self._at = 0  # the node has begun a new file: the old one was full
                file.seek(self._at)
                block = file.read(_BLOCK)
        except FileNotFoundError:
            return b""
        self._at += len(block)
        return block

    def _lines(self, block: bytes) -> list[bytes]:
        """The whole lines read so far; the rest waits for its end."""
        *lines, self._rest = (self._rest + block).split(b"\n")
        return lines

    def _tail(self, count: int) -> list[bytes]:
        """The last lines, read from the end of the file; the reader goes on behind them."""
        try:
            with self._path.open("rb") as file:
                end = file.seek(0, 2)
                start, data = end, b""
                while start > 0 and data.count(b"\n") <= count + 1:
                    size = min(_BLOCK, start)
                    start -= size
                    file.seek(start)
                    data = file.read(size) + data
        except FileNotFoundError:
            return []
        self._at = end
        *lines, self._rest = data.split(b"\n")
        if start > 0:
            lines = lines[1:]  # it begins in the middle
        return podlogs.last_lines(lines, count)

    def _has_ended(self, uid: str, container: str) -> bool:
        """Whether nothing will be written to this file any more."""
        entry = self._api.store.get(self._key)
        if entry is None or entry.uid != uid:
            return True
        pod = entry.parse()
        if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
            return True
        state = podlogs.container_status(pod, container)
        run = int(self._path.stem)
        if (self._path.parent / f"{run + 1}.log").exists():
            return True
        ended = (state.get("state") or {}).get("terminated")
        return bool(ended) and int(state.get("restartCount") or 0) <= run


async def bind(call: Call) -> Response:
    """Puts a pod on a node, once; annotations of the binding go onto the pod."""
    body = _body(call, "Binding")
    node = ((body.get("target") or {}).get("name")) or ""
    given = (body.get("metadata") or {}).get("annotations")
    write = call.write(WriteOptions())
    write.subresource = "binding"

    def change(pod: Object) -> Object:
        taken = (pod.get("spec") or {}).get("nodeName")
        if taken:
            why = f'pod {call.target.name} is already assigned to node "{taken}"'
            raise status.conflict("", "pods/binding", call.target.name, why=why)
        pod.setdefault("spec", {})["nodeName"] = node
        if given:
            pod["metadata"]["annotations"] = {**(pod["metadata"].get("annotations") or {}), **given}
        conditions = pod.setdefault("status", {}).setdefault("conditions", [])
        kept = [c for c in conditions if c.get("type") != "PodScheduled"]
        scheduled = {"type": "PodScheduled", "status": "True", "lastProbeTime": None}
        scheduled["lastTransitionTime"] = call.api.now()
        pod["status"]["conditions"] = [*kept, scheduled]
        return pod

    await update(write, change)
    return value_response(call.request, _success(), 201)


def _success() -> dict[str, Any]:
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


def _body(call: Call, kind: str) -> Object:
    request = call.request
    body, _ = decode.decode_body(request.body, request.headers.get("content-type", ""), kind)
    if not isinstance(body, dict):
        raise status.bad_request(f"the body is not a {kind}")
    return body


_BUDGETS = "poddisruptionbudgets.policy"


async def evict(call: Call) -> Response:
    """Deletes a pod unless a disruption budget needs it."""
    body = _body(call, "Eviction")
    pod = _pod(call)
    chosen = options.delete_options({}, "", body.get("deleteOptions") or {})
    if (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed", "Pending"):
        _check_budgets(call.api, pod)
    write = call.write(WriteOptions(dry_run=chosen.dry_run))
    write.subresource = ""
    await deletes.delete(write, chosen)
    return value_response(call.request, _success(), 201)


def _check_budgets(api: Api, pod: Object) -> None:
    """429 where a budget that covers the pod allows no disruption now."""
    metadata = pod["metadata"]
    for entry in api.store.state.entries(_BUDGETS, metadata["namespace"]):
        budget = entry.parse()
        budget_status = budget.get("status") or {}
        if not budget_status.get("observedGeneration") or not _covers(budget, metadata):
            continue
        if budget_status.get("disruptionsAllowed", 0) <= 0:
            raise _would_violate(entry, budget_status)


def _covers(budget: Object, metadata: Object) -> bool:
    selector = (budget.get("spec") or {}).get("selector")
    return selector is not None and selector_from_object(selector).matches(
        metadata.get("labels") or {}
    )


def _would_violate(entry: Entry, budget_status: Object) -> status.ApiStatus:
    needed, healthy = (budget_status.get(k, 0) for k in ("desiredHealthy", "currentHealthy"))
    message = (
        f"The disruption budget {entry.key.name} needs {needed} healthy pods and has {healthy} "
        "currently"
    )
    cause = {"reason": "DisruptionBudget", "message": message}
    return status.too_many_requests(
        "Cannot evict pod as it would violate the pod's disruption budget.",
        details={"causes": [cause]},
    )
