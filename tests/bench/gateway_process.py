"""The activator's data plane as its own process, without Kubernetes, for benchmarks.

Usage: python -m tests.bench.gateway_process APPLICATION_PORT [ROUTES [http2] [observing]]

With ``http2`` the application speaks HTTP/2. With ``observing`` each line of standard input is a
``config-observability`` as JSON, to go on by, answered by an empty line. One
revision behind ``hello.default.example.com``
among many other hosts; prints the port.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys

import uvloop

from activator.dataplane import DataPlane
from activator.endpoints import Endpoint, State
from activator.observing.observer import Observation
from activator.routes import BackendRef, RouteTableBuilder
from activator.targets import TargetSpec
from hearth.observability.traces.tracer import Tracer
from serving.api.config.observability import ObservabilityConfig

REVISION = "hello-00001"
HOST = "hello.default.example.com"


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


async def main(application_port: int, routes: int, *, http2: bool, observing: bool) -> None:
    plane = DataPlane()
    builder = RouteTableBuilder(plane.backends.resolve)
    builder.put(an_ingress(0, HOST))
    for number in range(1, routes):
        builder.put(an_ingress(number, f"h{number}.default.example.com"))
    plane.gateway.publish(builder.snapshot())
    backend = plane.backends.resolve(BackendRef("default", REVISION, 80, REVISION))
    backend.configure(TargetSpec("default", REVISION))
    address = ("127.0.0.1", application_port)
    backend.update_endpoints({address: Endpoint(address, State.READY, "pod", http2)})
    _, port = await plane.listen("127.0.0.1", 0, internal=False)
    # As every Hearth process does once it serves.
    gc.collect()
    gc.freeze()
    print(port, flush=True)
    if observing:
        await observe(plane)
    await asyncio.Event().wait()


async def observe(plane: DataPlane) -> None:
    observation = Observation(Tracer("activator", "knative-serving"), plane.gateway)
    while line := await asyncio.to_thread(sys.stdin.readline):
        observation.configure(ObservabilityConfig.from_data(json.loads(line)))
        print(file=sys.stderr, flush=True)


if __name__ == "__main__":
    routes = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    modes = sys.argv[3:]
    uvloop.run(
        main(int(sys.argv[1]), routes, http2="http2" in modes, observing="observing" in modes)
    )
