"""metrics.k8s.io: what nodes and pods use, asked of the node whenever somebody wants to know.

Clients: ``kubectl top``, and HorizontalPodAutoscalers with Resource metrics.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import orjson

from hearth.cluster.model import status
from hearth.cluster.model.objects import Key, Object
from hearth.cluster.operations.options import list_options
from hearth.cluster.rest import shapes
from hearth.cluster.rest.handlers.common import Call, object_response, value_response
from hearth.cluster.rest.handlers.reading import selection_of
from hearth.cluster.rest.requests import Response
from hearth.cluster.rest.usage import NodeUsage, node_metrics, pod_metrics, read_usage
from hearth.timeouts import time_limit

_SECONDS = 10.0


async def answer(call: Call, verb: str) -> Response:
    """Handles get and list."""
    if verb not in call.kind.verbs:
        raise status.method_not_allowed()
    told = await _ask(call)
    if verb == "list":
        return _list(call, told)
    found = _metrics(call, Key(call.kind.plural, call.key.namespace, call.target.name), told)
    if found is None:
        name = "/".join(filter(None, (call.key.namespace, call.target.name)))
        raise status.not_found(call.kind.group, call.kind.kind.lower(), name)
    return object_response(call, found)


async def _ask(call: Call) -> NodeUsage:
    """What the node tells; 503 where there is none."""
    path = call.api.data_dir / "run" / "node.sock"
    try:
        async with time_limit(_SECONDS):
            reader, writer = await asyncio.open_unix_connection(path)
            try:
                return read_usage(orjson.loads(await reader.read()))
            finally:
                writer.close()
    except (OSError, ValueError, TimeoutError):
        verb = "list" if not call.target.name else "get"
        raise status.unavailable(verb, call.kind.group_resource) from None


def _metrics(call: Call, key: Key, told: NodeUsage) -> Object | None:
    entry = call.api.store.get(key)
    if entry is None:
        return None
    if call.kind.namespaced:
        return pod_metrics(key.namespace, key.name, entry.labels, told)
    return node_metrics(key.name, entry.labels, told)


def _list(call: Call, told: NodeUsage) -> Response:
    items = list(_selected(call, told))
    output, metadata = call.request.output, {"resourceVersion": ""}
    if output.shape == shapes.TABLE:
        now, version = call.api.clock(), output.shape_api_version
        rows = [
            shapes.row(call.kind, item, now, include=call.include, api_version=version)
            for item in items
        ]
        table = shapes.table(shapes.columns(call.kind), rows, metadata, output=output)
        return value_response(call.request, table)
    kind = f"{call.kind.kind}List"
    head = {"kind": kind, "apiVersion": call.kind.api_version, "metadata": {}}
    return value_response(call.request, head | {"items": items})


def _selected(call: Call, told: NodeUsage) -> Iterator[Object]:
    selection = selection_of(call, list_options(call.request.query))
    for entry in call.api.store.state.entries(call.kind.plural, call.key.namespace):
        if selection.matches(entry):
            found = _metrics(call, entry.key, told)
            if found is not None:
                yield found
