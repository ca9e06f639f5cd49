"""The broker process: ingress, log and dispatcher. Started by the supervisor or in a pod."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import REGISTRY

from eventing.broker.client import DeliveryClient
from eventing.broker.ingress import IngressServer
from eventing.broker.locallog import Limits, LocalEngine
from eventing.broker.metrics import BrokerMetrics
from eventing.broker.registry import Registry
from eventing.broker.subscription import Services
from eventing.broker.target import Address
from hearth.kube.client import KubeClient

_GRACE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class BrokerConfig:
    """``gateway_address`` is the activator's internal listener, for in-cluster hosts."""

    kubeconfig: Path
    data_dir: Path
    host: str = "127.0.0.1"
    port: int = 8082
    gateway_address: Address | None = None
    max_event_bytes: int = 8 * 1024 * 1024
    segment_bytes: int = Limits().segment_bytes
    log_bytes: int = Limits().log_bytes


async def run(config: BrokerConfig, ready: Callable[[], None]) -> None:
    """Serves until cancelled. Every acknowledged event is on disk at any moment."""
    limits = Limits(segment_bytes=config.segment_bytes, log_bytes=config.log_bytes)
    engine = LocalEngine(config.data_dir / "events", limits)
    metrics = BrokerMetrics()
    deliveries = DeliveryClient(max_body_bytes=config.max_event_bytes)
    async with KubeClient.from_kubeconfig(config.kubeconfig, user_agent="hearth-broker") as client:
        registry = Registry(
            client,
            engine,
            services=Services(deliveries),
            metrics=metrics,
            gateway=config.gateway_address,
        )
        ingress = IngressServer(registry.find, max_event_bytes=config.max_event_bytes)
        REGISTRY.register(metrics)
        try:
            await _serve(config, registry, ingress, deliveries=deliveries, ready=ready)
        finally:
            REGISTRY.unregister(metrics)
            await ingress.stop(grace_seconds=_GRACE_SECONDS)
            await registry.close(grace_seconds=_GRACE_SECONDS)
            await deliveries.close()
            await engine.close()


async def _serve(
    config: BrokerConfig,
    registry: Registry,
    ingress: IngressServer,
    *,
    deliveries: DeliveryClient,
    ready: Callable[[], None],
) -> None:
    in_step = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(deliveries.run(), name="delivery-timeouts")
        group.create_task(registry.run(in_step.set), name="registry")
        await in_step.wait()
        await ingress.start(config.host, config.port)
        group.create_task(ingress.run(), name="ingress-timeouts")
        ready()
