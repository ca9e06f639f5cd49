"""The activator's data plane as its own process, without Kubernetes, for benchmarks.

Usage: python -m tests.bench.gateway_process APPLICATION_PORT [ROUTES [KIND [FOLDER]]]

With the kind ``http2`` the application speaks HTTP/2. With ``addon`` the host has a route of KEDA's
HTTP add-on, with a static route. With ``observing`` each line of standard
input is a ``config-observability`` as JSON, to go on by, answered by an empty line. With ``tls``
the gateway speaks TLS, with ``tls-of-loop`` by the event loop's own wrapping of it; the folder
holds its certificate. One revision behind ``hello.default.example.com`` among many other hosts;
prints the port.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from collections.abc import Mapping
from pathlib import Path

import uvloop

from activator.addonroutes import AddonRoutes, RuledHost
from activator.backends import Backend
from activator.dataplane import DataPlane
from activator.dispatch import Dispatcher
from activator.endpoints import Endpoint, State
from activator.observing.observer import Observation
from activator.policies import USUAL, RouteCounts, policy_of, target_ref, target_spec
from activator.routes import BackendRef, RouteTableBuilder
from activator.targets import TargetSpec
from activator.tls.contexts import certified_context
from activator.tls.names import ANY, NameMap
from activator.tls.terminator import Terminator
from hearth.allocator import map_large_blocks
from hearth.keda.api.httproutes import (
    HttpRoute,
    Response,
    Rule,
    Scaling,
    ServiceRef,
    StaticRoute,
)
from hearth.observability.traces.tracer import Tracer
from serving.api.config.observability import ObservabilityConfig

REVISION = "hello-00001"
HOST = "hello.default.example.com"
ADDON_HOST = "addon.example.com"


def an_ingress(number: int, host: str) -> dict[str, object]:
    split = {
        "serviceNamespace": "default",
        "serviceName": REVISION,
        "servicePort": 80,
        "percent": 100,
        "appendHeaders": {
            "Knative-Serving-Namespace": "default",
            "Knative-Serving-Revision": REVISION,
        },
    }
    return {
        "metadata": {"namespace": "default", "name": f"i{number}", "generation": 1},
        "spec": {"rules": [{"hosts": [host], "http": {"paths": [{"splits": [split]}]}}]},
    }


async def main(application_port: int, routes: int, kind: str, folder: Path) -> None:
    map_large_blocks()
    plane = DataPlane()
    builder = RouteTableBuilder(plane.backends.resolve)
    builder.put(an_ingress(0, HOST))
    for number in range(1, routes):
        builder.put(an_ingress(number, f"h{number}.default.example.com"))
    table = builder.snapshot()
    backend = plane.backends.resolve(BackendRef("default", REVISION, 80, REVISION))
    backend.configure(TargetSpec("default", REVISION))
    if kind == "addon":
        backend, hosts = an_addon_route(plane)
        table = table.beside(hosts)
    plane.gateway.publish(table)
    address = ("127.0.0.1", application_port)
    backend.update_endpoints({address: Endpoint(address, State.READY, "pod", kind == "http2")})
    port = await _listen(plane, kind, folder)
    # As every Hearth process does once it serves.
    gc.collect()
    gc.freeze()
    print(port, flush=True)
    if kind == "observing":
        await observe(plane)
    await asyncio.Event().wait()


def an_addon_route(plane: DataPlane) -> tuple[Backend, Mapping[bytes, RuledHost[Backend]]]:
    """The backend of a route, as the watches would have it, and its host."""
    health = StaticRoute((Rule(paths=("/healthz",)),), Response(200, "ok"))
    route = HttpRoute(
        "default",
        "app",
        "2026-01-01T00:00:00Z",
        ServiceRef("app", 80),
        rules=(Rule((ADDON_HOST,)),),
        statics=(health,),
        scaling=Scaling(100.0),
    )
    backend = plane.backends.resolve(target_ref(route))
    backend.policy = policy_of(route, USUAL, lambda namespace, name: None, RouteCounts())
    backend.configure(target_spec(route, USUAL))
    routes: AddonRoutes[Backend] = AddonRoutes()
    routes.put(route, backend)
    return backend, routes.hosts


async def observe(plane: DataPlane) -> None:
    observation = Observation(Tracer("activator", "knative-serving"), plane.gateway)
    while line := await asyncio.to_thread(sys.stdin.readline):
        observation.configure(ObservabilityConfig.from_data(json.loads(line)))
        print(file=sys.stderr, flush=True)


async def _listen(plane: DataPlane, kind: str, folder: Path) -> int:
    if not kind.startswith("tls"):
        return (await plane.listen("127.0.0.1", 0, internal=False))[1]
    chain, key = ((folder / name).read_bytes() for name in ("chain.pem", "key.pem"))
    context = certified_context(chain, key)
    if kind == "tls-of-loop":
        gateway = plane.gateway
        listening = plane.server.listen(
            "127.0.0.1", 0, lambda peer: Dispatcher(gateway, peer, internal=False), tls=context
        )
        return (await listening)[1]
    terminator = Terminator(plane.timers)
    terminator.show(NameMap({ANY: context}))
    return (await plane.listen("127.0.0.1", 0, internal=False, door=terminator.wrap))[1]


if __name__ == "__main__":
    _, port, *more = sys.argv
    routes, kind, folder = (*more, *("10000", "", "")[len(more) :])
    uvloop.run(main(int(port), int(routes), kind, Path(folder)))
