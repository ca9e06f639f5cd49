"""The activator's data plane as its own process, without Kubernetes, for benchmarks.

Usage: python -m tests.bench.gateway_process APPLICATION_PORT [ROUTES [http2]]

With ``http2`` the application speaks HTTP/2. One revision behind ``hello.default.example.com``
among many other hosts; prints the port.
"""

from __future__ import annotations

import asyncio
import gc
import sys

import uvloop

from activator.dataplane import DataPlane
from activator.endpoints import Endpoint, State
from activator.routes import BackendRef, RouteTableBuilder
from activator.targets import TargetSpec

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


async def main(application_port: int, routes: int, *, http2: bool) -> None:
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
    await asyncio.Event().wait()


if __name__ == "__main__":
    routes = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    uvloop.run(main(int(sys.argv[1]), routes, http2="http2" in sys.argv[3:]))
