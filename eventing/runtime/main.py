"""The processes of the data plane: ingress and dispatcher, each alone or both in one.

``run`` is the process ``broker`` of one machine. Where all engines in use can be reached from
several processes (``Capabilities.processes``), ``run_ingress`` and ``run_dispatcher`` may be
processes of their own. The local log cannot: it has one writer, and its readers learn of new
events in that writer's memory.
"""

from __future__ import annotations

import asyncio
import enum
import logging
import socket
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from prometheus_client import REGISTRY, CollectorRegistry

from eventing.api import keys
from eventing.engines.classes import ENGINES, UNSHARED, EngineFactory, Engines, EnginesConfig
from eventing.runtime.access.bearers import Bearers
from eventing.runtime.access.gate import Gate
from eventing.runtime.accounting import MemoryBudget
from eventing.runtime.admin.askers import Askers
from eventing.runtime.admin.questions import Questions
from eventing.runtime.admin.server import Admin
from eventing.runtime.client import DeliveryClient
from eventing.runtime.config import RuntimeLimits
from eventing.runtime.dataplane import DataPlane
from eventing.runtime.diskwatch import DiskWatch
from eventing.runtime.encryption import Encryption, TlsConfig
from eventing.runtime.ingress import Ingress
from eventing.runtime.journeys.keeper import Journeys
from eventing.runtime.metrics import BrokerMetrics
from eventing.runtime.openlogs import OpenLogs
from eventing.runtime.podcertificates import PodCertificates
from eventing.runtime.services import Services
from eventing.runtime.settings import RuntimeSettings
from eventing.runtime.target import Address
from eventing.runtime.trust import TrustBundles
from eventing.runtime.tuning import tune_interpreter
from hearth.knative.settings import LiveSettings
from hearth.kube.client import KubeClient
from hearth.kube.controllerspec import Source
from hearth.kube.leadership import ALONE
from hearth.kube.manager import Manager
from hearth.kube.resources import CONFIGMAPS
from hearth.kube.sharedtokens import TokenSource, kept_tokens
from hearth.observability.push import MetricsPush
from hearth.observability.traces.tracer import Tracer

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AdminConfig:
    """Where questions about events are answered, and who may ask."""

    host: str
    port: int
    token: TokenSource
    """What those show who may ask all."""
    reviews: bool = False
    """Whether others may show a token of the API server, and ask about what they may see there."""


@dataclass(frozen=True, slots=True)
class BrokerConfig:
    """How a process of the data plane is set up."""

    kubeconfig: Path
    engines: EnginesConfig
    host: str = "127.0.0.1"
    port: int = 8082
    tls: TlsConfig = field(default_factory=TlsConfig)
    gateway_address: Address | None = None
    """The activator's internal listener, which in-cluster hosts are reached through."""
    limits: RuntimeLimits = field(default_factory=RuntimeLimits)
    admin: AdminConfig | None = None
    """Where questions about events are answered; nowhere where it is None."""
    drain_delay_seconds: float = 0.0
    """How long events are taken in at the end, till no producer is sent here any more."""
    held: socket.socket | None = None
    """A listening socket that others have open, too, instead of host and port."""


class Role(enum.Flag):
    """What a process does."""

    INGRESS = enum.auto()
    DISPATCHER = enum.auto()


class NeedsOneProcess(Exception):
    """An engine that cannot be shared between processes was asked to be."""


Ready = Callable[[], None]


async def run(
    config: BrokerConfig, ready: Ready, *, factories: Mapping[str, EngineFactory] = ENGINES
) -> None:
    """Take events in and deliver them, until cancelled."""
    await _run(config, ready, Role.INGRESS | Role.DISPATCHER, factories, REGISTRY)


async def run_ingress(
    config: BrokerConfig,
    ready: Ready,
    *,
    factories: Mapping[str, EngineFactory] = ENGINES,
    registry: CollectorRegistry = REGISTRY,
) -> None:
    """Take events in, until cancelled; raise NeedsOneProcess where an engine forbids it."""
    await _run(config, ready, Role.INGRESS, factories, registry)


async def run_dispatcher(
    config: BrokerConfig,
    ready: Ready,
    *,
    factories: Mapping[str, EngineFactory] = ENGINES,
    registry: CollectorRegistry = REGISTRY,
) -> None:
    """Deliver events, until cancelled; raise NeedsOneProcess where an engine forbids it."""
    await _run(config, ready, Role.DISPATCHER, factories, registry)


async def _run(
    config: BrokerConfig,
    ready: Ready,
    role: Role,
    factories: Mapping[str, EngineFactory],
    registry: CollectorRegistry,
) -> None:
    tune_interpreter()
    limits = config.limits
    async with AsyncExitStack() as stack:
        is_split = role is not Role.INGRESS | Role.DISPATCHER
        engines = Engines(config.engines, _shared(factories) if is_split else factories)
        stack.push_async_callback(engines.close)
        if is_split:
            _check_processes(engines)
        client = await stack.enter_async_context(
            KubeClient.from_kubeconfig(config.kubeconfig, user_agent="hearth-broker")
        )
        manager = Manager(client, name="hearth-broker")
        metrics = BrokerMetrics()
        registry.register(metrics)
        stack.callback(registry.unregister, metrics)
        tracer = Tracer("broker", keys.SYSTEM_NAMESPACE)
        stack.push_async_callback(asyncio.to_thread, tracer.close)
        push = stack.enter_context(MetricsPush("broker", keys.SYSTEM_NAMESPACE))
        bearers = Bearers(client)
        stack.push_async_callback(bearers.close)
        deliveries = DeliveryClient(limits.client, bearers=bearers)
        stack.push_async_callback(deliveries.close)
        dispatches = Role.DISPATCHER in role
        journeys = Journeys(config.engines.data_dir / "journeys", limits.journeys)
        stack.push_async_callback(journeys.close)
        services = Services(deliveries, MemoryBudget(limits.subscriptions), tracer=tracer)
        services.begin.clear()
        logs = OpenLogs(
            engines,
            journeys=journeys,
            services=services,
            metrics=metrics,
            dispatches=dispatches,
            checkpoint_seconds=limits.checkpoint_seconds,
            alone=not is_split,
            grace_seconds=limits.grace_seconds,
        )
        stack.push_async_callback(logs.close, grace_seconds=limits.grace_seconds)
        trust = TrustBundles(manager, deliveries.trust)
        gate = Gate(manager, trusted=lambda: trust.pem)
        encryption = Encryption(config.tls, config.engines.data_dir / "tls", manager)
        plane = DataPlane(
            manager,
            logs,
            gateway=config.gateway_address,
            client=deliveries,
            folder=config.engines.data_dir,
            listener=_own_listener(config) if Role.INGRESS in role else None,
            authorities=lambda: encryption.authorities,
        )
        if not is_split:  # there is one authority
            PodCertificates(manager, encryption.vouch)
        _follow_settings(manager, logs, plane.disk, gate, encryption, tracer, push)
        stack.push_async_callback(plane.close)
        async with asyncio.TaskGroup() as group:
            group.create_task(deliveries.run(), name="delivery-timeouts")
            group.create_task(manager.run(plane.synced), name=manager.name)
            await plane.opened()
            if config.admin is not None and dispatches:
                questions = Questions(logs, address=f"{config.host}:{config.port}")
                group.create_task(_answer(config.admin, questions, client), name="admin")
            if Role.INGRESS in role:
                ingress = await _listen(config, plane, gate, encryption, tracer, metrics, stack)
                if not is_split:
                    encryption.serve(partial(ingress.start_tls, config.host, config.tls.port))
            services.begin.set()
            ready()


async def _answer(config: AdminConfig, questions: Questions, client: KubeClient) -> None:
    """Answer questions, until cancelled. Deliveries wait for nothing of this."""
    askers = Askers(client) if config.reviews else None
    async with kept_tokens(client, config.token, leadership=ALONE) as tokens:
        admin = Admin(questions, tokens=tokens, askers=askers)
        try:
            await admin.start(config.host, config.port)
            await asyncio.Event().wait()
        except OSError as error:
            log.error("questions about events are not answered", extra={"error": str(error)})
        finally:
            await admin.stop()


def _follow_settings(
    manager: Manager,
    logs: OpenLogs,
    disk: DiskWatch,
    gate: Gate,
    encryption: Encryption,
    tracer: Tracer,
    push: MetricsPush,
) -> None:
    settings = LiveSettings(RuntimeSettings())
    config_maps = manager.cache(Source(CONFIGMAPS, namespace=keys.SYSTEM_NAMESPACE))
    settings.follow(config_maps, system_namespace=keys.SYSTEM_NAMESPACE)
    settings.on_change(lambda value: logs.observe(observed=value.journeys))
    settings.on_change(lambda value: logs.limit(value.flags.event_rate))
    settings.on_change(lambda value: disk.limit(value.flags.event_disk))
    settings.on_change(lambda value: gate.configure(value.flags))
    settings.on_change(lambda value: encryption.configure(value.flags))
    settings.on_change(lambda value: tracer.configure(value.observability.tracing))
    settings.on_change(lambda value: push.configure(value.observability.metrics))


async def _listen(
    config: BrokerConfig,
    plane: DataPlane,
    gate: Gate,
    encryption: Encryption,
    tracer: Tracer,
    metrics: BrokerMetrics,
    stack: AsyncExitStack,
) -> Ingress:
    limits = config.limits.ingress
    ingress = Ingress(
        plane.find,
        limits=limits,
        guard=gate,
        tracer=tracer,
        turned_away=metrics.turned_away,
        exchanges=plane.exchanges(limits),
        questions=plane.job_sinks,
        takes_plain=lambda: not encryption.is_strict,
        asyncs=plane.asyncs,
    )
    # Last in, first out: producers are answered before deliveries and logs come to their end.
    stack.push_async_callback(ingress.stop, grace_seconds=config.limits.grace_seconds)
    await ingress.start(config.host, config.port, held=config.held)
    stack.push_async_callback(asyncio.sleep, config.drain_delay_seconds)
    return ingress


def _own_listener(config: BrokerConfig) -> Address:
    host = "127.0.0.1" if config.host in ("0.0.0.0", "::", "") else config.host
    return host, config.port


def _shared(factories: Mapping[str, EngineFactory]) -> Mapping[str, EngineFactory]:
    """Of several processes each has the engines alone that they may share."""
    return {of: make for of, make in factories.items() if of not in UNSHARED}


def _check_processes(engines: Engines) -> None:
    if not engines.all():
        raise NeedsOneProcess(
            f"brokers of class {keys.BROKER_CLASS} need ingress and dispatcher in one process, "
            "and there is no other engine"
        )
