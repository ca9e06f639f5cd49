"""gRPC by a route of KEDA's HTTP add-on, with TLS to the gateway (upstream's ``test/e2e/tls``)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import grpc
import grpc.aio

from hearth.kube.resources import SERVICES
from tests.component.activator.secured import AUTHORITY
from tests.component.activator.test_addon import Worlds, route, show_certificate, world
from tests.component.activator.test_grpc import SERVICE, Echo, a_server
from tests.component.activator.test_whole import a_service

__all__ = ["world"]


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """grpc.aio polls by a thread of its own, and wants the loop that Python comes with."""
    return {"asyncio": asyncio.new_event_loop}


async def test_grpc_over_tls_from_zero(world: Worlds) -> None:
    async with world() as running:
        await running.app("web")
        await running.routed(
            route("web", "web", {"hosts": ["app.test"], "paths": [{"value": "/web"}]})
        )
        await show_certificate(running)
        server, running.apps["calls"] = await a_server(Echo())
        service = a_service("calls")
        service["spec"]["ports"][0]["appProtocol"] = "kubernetes.io/h2c"
        await running.client.create(SERVICES, service)
        await running.routed(route("calls", "calls", {"hosts": ["app.test"]}))
        credentials = grpc.ssl_channel_credentials(AUTHORITY.chain)
        options = [
            ("grpc.ssl_target_name_override", "app.test"),
            ("grpc.default_authority", "app.test"),
        ]
        address = f"127.0.0.1:{running.whole.tls_port}"
        async with grpc.aio.secure_channel(address, credentials, options=options) as channel:
            calling = asyncio.ensure_future(
                channel.unary_unary(f"/{SERVICE}/Unary")(b"hello", timeout=60)
            )
            await running.started("calls")
            assert await calling == b"hello"
        await server.stop(None)
