"""Something that is no Revision, woken from zero by the same path.

All that it takes is here: a view of the cluster that gives its backend a ``TargetSpec``, and a
waker that makes pods when requests wait. Nothing in the data plane knows of it.
"""

from __future__ import annotations

import asyncio
from typing import Any

from activator.backends import Backend
from activator.dataplane import Limits
from activator.targets import TargetSpec
from serving.api.config.gateway import BacklogLimits

NAME = "worker"


class ScaledDeployments:
    """A plain Deployment behind a Service, scaled by somebody else (KEDA, say)."""

    def __init__(self) -> None:
        self.woken: list[Backend] = []
        self.changed = asyncio.Event()

    def has_service(self, namespace: str, name: str) -> bool:
        return name == NAME

    def fill(self, backend: Backend) -> None:
        if backend.ref.service == NAME:
            backend.configure(TargetSpec(backend.ref.namespace, NAME, container_concurrency=1))

    def wake(self, backend: Backend) -> None:
        self.woken.append(backend)
        self.changed.set()


def a_route(lab: Any) -> None:
    split = {
        "serviceNamespace": "default",
        "serviceName": NAME,
        "servicePort": 80,
        "percent": 100,
    }
    lab.ingress(NAME, {"hosts": ["worker.test"], "http": {"paths": [{"splits": [split]}]}})


async def test_a_request_wakes_it_waits_and_is_answered(running_lab: Any) -> None:
    scaled = ScaledDeployments()
    async with running_lab(cluster=scaled, wakers=[scaled]) as lab:
        a_route(lab)
        client = await lab.connect()
        await client.send(lab.get_bytes("worker.test"))
        await asyncio.wait_for(scaled.changed.wait(), 60)
        [backend] = scaled.woken
        assert backend.can_wake and not backend.ref.revision
        assert backend.throttler.waiting == 1
        app = await lab.app(lambda request: lab.text("awake"))
        lab.endpoints(backend, {app.port: lab.State.NOT_READY})
        response = await client.response()
        assert (response.status, response.body) == (200, b"awake")
        assert "scale;dur=" in (response.header("server-timing") or "")
        assert app.requests[0].header("host") == "worker.test"


async def test_its_limits_are_those_of_its_spec(running_lab: Any) -> None:
    scaled = ScaledDeployments()
    limits = Limits(backlog=BacklogLimits(requests=1))
    async with running_lab(limits, cluster=scaled, wakers=[scaled]) as lab:
        a_route(lab)
        first = await lab.connect()
        await first.send(lab.get_bytes("worker.test"))
        await asyncio.wait_for(scaled.changed.wait(), 60)
        assert (await lab.get("worker.test")).error == "queue-full"
        assert scaled.woken[0].throttler.container_concurrency == 1
