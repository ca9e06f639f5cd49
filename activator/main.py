"""The activator's process: listeners, watches, reporter, and an orderly end.

Called by ``hearth.process`` with a configuration; runs until cancelled, then stops accepting, lets
requests in flight finish within ``drain_seconds`` and closes.

Of one machine, the supervisor holds the listening sockets, and there may be several activators
(``workers``), which share pods with a limit as replicas in a cluster do (``activator.sharing``).
One that is told to end says so: new connections are dealt to the others. Where it is the only one,
its successor is started beside it, as soon as requests of this one count against no limit any more.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from activator.addonadmin import AddonAdmin
from activator.backends import Waker
from activator.dataplane import DataPlane, Limits
from activator.endpoints import addresses_of
from activator.http.server import Door
from activator.ingress_status import LoadBalancers
from activator.metrics import ActivatorCollector
from activator.observing.observer import Observation
from activator.peers import Peers, PeersConfig
from activator.pods import Address
from activator.policies import USUAL, AddonSettings
from activator.reporter import Reporter
from activator.tunnels import Tunnels, way_to
from activator.view import SYSTEM_NAMESPACE, KubernetesView, service_of
from activator.watches import INGRESS_CLASS, Watches
from hearth.allocator import map_large_blocks
from hearth.knative.autoscalers import (
    Autoscalers,
    ElectedAutoscalers,
    EveryAutoscaler,
    OneAutoscaler,
)
from hearth.knative.leaderelection import read_config
from hearth.kube.cache import WatchCache
from hearth.kube.client import KubeClient
from hearth.kube.clusterdomain import CLUSTER_DOMAIN
from hearth.kube.meta import Key, Object, key_text
from hearth.kube.resources import LEASES
from hearth.kube.sharedtokens import TokenSource, kept_tokens
from hearth.kube.tokens import Tokens
from hearth.listening import bind
from hearth.observability.health import serve_health
from hearth.observability.logs import set_levels
from hearth.observability.metrics import REGISTRY
from hearth.observability.push import MetricsPush
from hearth.observability.traces.tracer import Tracer
from serving.api import keys

log = logging.getLogger(__name__)

_TRIM_SECONDS = 30.0
_HANDOVER_SECONDS = 1.0
"""How long one that is followed goes on: so that clients hear in a response that they are to come
anew, instead of meeting a connection that ends."""
_LOOK_SECONDS = 0.02


def _followed_by_nobody() -> bool:
    return False


async def _let_go_of_nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class ActivatorConfig:
    """``port`` is the gateway's, ``internal_port`` the in-cluster listener's; 0: a free one."""

    kubeconfig: Path
    host: str = "127.0.0.1"
    port: int = 8080
    internal_host: str = "127.0.0.1"
    internal_port: int = 8081
    # host:port of the autoscaler's statistics listener.
    stats_address: str = ""
    # Where there are several autoscalers: each one's address is in the Lease that it holds.
    finds_autoscalers: bool = False
    # What lets it in to autoscalers, and activators to each other.
    stats_token: TokenSource = ""
    name: str = "activator"
    # None where this activator is the only one: all pods are its own, and nobody is asked.
    peers: PeersConfig | None = None
    # host:port of all of them, where they are workers of one machine; else the cluster lists them.
    workers: frozenset[str] = frozenset()
    # Listening sockets of the supervisor, by purpose (``gateway``, ``internal``, the same with
    # ``-tls``); else it opens its own.
    held: Mapping[str, socket.socket] = field(default_factory=dict)
    # Says that this one takes nothing new; whether somebody does.
    leaving: Callable[[], bool] = _followed_by_nobody
    # Says that its successor may start; where others are there, it waits for the end of this one.
    let_go: Callable[[], Awaitable[None]] = _let_go_of_nothing
    # Where TLS is listened for once it is asked for; and the gateway's as clients reach it.
    tls_port: int = 0
    internal_tls_port: int = 0
    secure_port: int = 443
    # Whether that is so before anybody asks.
    has_tls: bool = False
    ingress_class: str = INGRESS_CLASS
    # Whether the in-cluster listener is the https_proxy of pods that have no resolver.
    tunnels: bool = False
    # Time for load balancers to see that /healthz fails before connections are refused.
    drain_delay_seconds: float = 0.0
    drain_seconds: float = 30.0
    limits: Limits = field(default_factory=Limits)
    # What names of the cluster's Services end in.
    cluster_domain: str = CLUSTER_DOMAIN
    # What holds for all routes of KEDA's HTTP add-on.
    addon: AddonSettings = USUAL
    # Where its interceptor would be asked for counts of requests; 0: nowhere.
    addon_admin_port: int = 0
    # host:port of who scales by its routes; or Services, all endpoints of which are told.
    routes_address: str = ""
    routes_services: tuple[Key, ...] = ()


async def run(config: ActivatorConfig, ready: Callable[[], None]) -> None:
    """Serve until cancelled."""
    map_large_blocks()
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(
            KubeClient.from_kubeconfig(config.kubeconfig, user_agent="hearth-activator")
        )
        tokens = await stack.enter_async_context(kept_tokens(client, config.stats_token))
        view = KubernetesView(client)
        leases = WatchCache(client, LEASES, namespace=SYSTEM_NAMESPACE)
        autoscalers = await _autoscalers(config, client, leases)
        reporter = _make_reporter(config, tokens, autoscalers, judged=view.is_judged)
        peers = None if config.peers is None else Peers(config.peers, tokens, time.monotonic)
        of_routes = _make_reporter(config, tokens, _of_routes(config, view), of_routes=True)
        wakers: list[Waker] = [each for each in (peers, reporter, of_routes) if each is not None]
        plane = DataPlane(
            limits=config.limits,
            cluster=view,
            wakers=wakers,
            sharing=peers,
            cluster_domain=config.cluster_domain,
            secure_port=config.secure_port,
        )
        observation = Observation(Tracer("activator", SYSTEM_NAMESPACE), plane.gateway)
        view.settings.on_change(lambda settings: observation.configure(settings.observability))
        view.settings.on_change(lambda settings: set_levels(settings.logging.by_package))
        push = stack.enter_context(MetricsPush("activator", SYSTEM_NAMESPACE))
        view.settings.on_change(lambda settings: push.configure(settings.observability.metrics))
        stack.push_async_callback(asyncio.to_thread, observation.close)
        watches = Watches(
            plane,
            view,
            client,
            ingress_class=config.ingress_class,
            addresses=LoadBalancers.within(config.cluster_domain),
            addon=config.addon,
        )
        if config.has_tls:
            watches.encryption.want()
        collector = ActivatorCollector(
            plane, reporter, peers, watches.encryption, watches.addon.followed
        )
        REGISTRY.register(collector)
        stack.callback(REGISTRY.unregister, collector)
        group = await stack.enter_async_context(asyncio.TaskGroup())
        tasks = [
            group.create_task(watches.run(), name="watches"),
            group.create_task(_trim_regularly(plane), name="trim"),
            group.create_task(
                watches.encryption.run(partial(_listen_for_tls, plane, config)), name="encryption"
            ),
        ]
        if config.finds_autoscalers:
            tasks.append(group.create_task(leases.run(), name="watch-leases"))
        if reporter is not None:
            tasks.append(group.create_task(reporter.run(plane.backends.all), name="reporter"))
        tasks.append(group.create_task(_follow_routes(config, plane, watches, of_routes)))
        if peers is not None and config.peers is not None:
            stack.push_async_callback(peers.close)
            await peers.start()
            if config.workers:
                peers.listed(config.workers)
            else:
                like = (config.peers.host, config.peers.port)
                own = (SYSTEM_NAMESPACE, config.peers.service)
                _follow_service(view, own, like, peers.listed)
        domain = config.cluster_domain.encode()
        tunnels = Tunnels(
            lambda authority, asking: way_to(
                authority, view.address_of, cluster_domain=domain, namespace=asking
            ),
            refused=plane.gateway.refuse,
        )
        stack.push_async_callback(tunnels.close)
        await _serve(plane, config, watches, peers, tunnels, ready=ready, background=tasks)


async def _serve(
    plane: DataPlane,
    config: ActivatorConfig,
    watches: Watches,
    peers: Peers | None,
    tunnels: Tunnels,
    *,
    ready: Callable[[], None],
    background: list[asyncio.Task[None]],
) -> None:
    try:
        # Connections are accepted once the routes are known: nobody gets a 404 by a race.
        await watches.synced()
        if peers is not None:
            await peers.settled()
        outside = await plane.listen(
            config.host, config.port, internal=False, held=config.held.get("gateway")
        )
        inside = await plane.listen(
            config.internal_host,
            config.internal_port,
            internal=True,
            door=tunnels.door if config.tunnels else None,
            held=config.held.get("internal"),
        )
        await watches.encryption.settled()
        plane.gateway.is_ready = True
        ready()
        log.info("activator serves", extra={"gateway": _text(outside), "internal": _text(inside)})
        await asyncio.Event().wait()
    finally:
        if peers is not None:
            peers.leave()
        await _end(plane, config)
        for task in background:
            task.cancel()


async def _end(plane: DataPlane, config: ActivatorConfig) -> None:
    """Take nothing new and finish what there is; a successor may be there before that is over."""
    is_followed = config.leaving()
    delay = config.drain_delay_seconds or (_HANDOVER_SECONDS if is_followed else 0.0)
    letting_go = asyncio.create_task(_let_go(plane, config), name="let-go") if is_followed else None
    cut = await plane.drain(delay_seconds=delay, drain_seconds=config.drain_seconds)
    if cut:
        log.warning("connections cut at shutdown", extra={"connections": cut})
    if letting_go is not None:
        letting_go.cancel()


async def _let_go(plane: DataPlane, config: ActivatorConfig) -> None:
    """The successor counts slots of pods from none on: there must be nothing in them of ours."""
    while plane.uses_slots():  # noqa: ASYNC110
        await asyncio.sleep(_LOOK_SECONDS)
    await config.let_go()


async def _listen_for_tls(plane: DataPlane, config: ActivatorConfig, door: Door) -> None:
    for purpose, host, port, internal in (
        ("gateway-tls", config.host, config.tls_port, False),
        ("internal-tls", config.internal_host, config.internal_tls_port, True),
    ):
        held = config.held.get(purpose)
        if held is None and config.workers:
            held = bind(host, port, is_shared=True)
        address = await plane.listen(host, port, internal=internal, door=door, held=held)
        log.info("TLS is served", extra={"address": _text(address), "internal": internal})


def _text(address: tuple[str, int]) -> str:
    return f"{address[0]}:{address[1]}"


async def _trim_regularly(plane: DataPlane) -> None:
    while True:
        await asyncio.sleep(_TRIM_SECONDS)
        plane.pools.trim()


def _follow_service(
    view: KubernetesView, service: Key, like: Address, listed: Callable[[frozenset[str]], None]
) -> None:
    """Tell of the endpoints of one of our own Services, whenever they are others."""

    def changed(old: Object | None, new: Object | None) -> None:
        if service in {service_of(obj) for obj in (old, new) if obj is not None}:
            listed(addresses_of(view.slices.by_index("service", "/".join(service)), like))

    view.slices.on_change(changed)


async def _autoscalers(
    config: ActivatorConfig, client: KubeClient, leases: WatchCache
) -> Autoscalers | None:
    if config.finds_autoscalers:
        leading = await read_config(client, SYSTEM_NAMESPACE)
        found = ElectedAutoscalers(leading.leases(keys.CONTROL_COMPONENT))
        leases.on_change(found.lease_changed)
        return found
    return _one(config.stats_address)


def _of_routes(config: ActivatorConfig, view: KubernetesView) -> Autoscalers | None:
    if not config.routes_services:
        return _one(config.routes_address)
    every = EveryAutoscaler()
    for service in config.routes_services:
        _follow_service(view, service, (config.host, 0), partial(every.listed, key_text(service)))
    return every


def _one(text: str) -> Autoscalers | None:
    host, _, port = text.rpartition(":")
    return OneAutoscaler((host, int(port))) if port else None


def _make_reporter(
    config: ActivatorConfig,
    tokens: Tokens,
    autoscalers: Autoscalers | None,
    *,
    of_routes: bool = False,
    judged: Callable[[str, str], bool] = lambda namespace, service: False,
) -> Reporter | None:
    if autoscalers is None:
        return None
    return Reporter(
        autoscalers,
        tokens=tokens,
        name=config.name,
        clock=time.monotonic,
        of_routes=of_routes,
        judged=judged,
    )


async def _follow_routes(
    config: ActivatorConfig, plane: DataPlane, watches: Watches, reporter: Reporter | None
) -> None:
    """Report on routes and answer about them, once there are some."""
    addon = watches.addon
    await addon.is_used.wait()
    admin = None
    if config.addon_admin_port:
        answers = AddonAdmin(
            lambda: [each.target for each in addon.followed()], lambda: plane.gateway.is_ready
        )
        admin = await serve_health(answers, config.host, config.addon_admin_port)
    try:
        if reporter is not None:
            await reporter.run(plane.backends.all)
        await asyncio.Event().wait()
    finally:
        if admin is not None:
            admin.close()
