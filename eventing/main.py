"""Eventing's control plane: reconcilers and webhooks. Runs in the process ``control``."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from eventing.api import keys
from eventing.api.admission import ADMISSION
from eventing.api.settings import Settings
from eventing.engines.classes import ENGINES
from eventing.install import MANAGER, install
from eventing.kinds import asyncservice, bindinghook
from eventing.kinds.adapters import Adapters
from eventing.kinds.bindinghook import BindingHook, SelectionMode
from eventing.kinds.controllers import CONTROLLERS
from eventing.kinds.placement import Placement, placement_of
from eventing.kinds.references import References
from eventing.kinds.settings import ControlSettings
from hearth.knative.leaderelection import Candidacy, stand
from hearth.knative.resources import KINGRESSES
from hearth.knative.settings import LiveSettings
from hearth.kube.client import KubeClient
from hearth.kube.clusterdomain import CLUSTER_DOMAIN
from hearth.kube.controllerspec import Source
from hearth.kube.errors import ApiError
from hearth.kube.guards import keep_running
from hearth.kube.kubeconfig import access_of
from hearth.kube.manager import Manager
from hearth.kube.registration import Guest, Registration
from hearth.kube.resources import CONFIGMAPS, PODS, Resource, resources_of
from hearth.kube.tenant import Tenant
from hearth.kube.webhooks import Endpoint

log = logging.getLogger(__name__)

_LOOK_SECONDS, _LONGEST_LOOK_SECONDS = 1.0, 60.0
"""How often is asked whether serving is there, the first time and later."""


@dataclass(frozen=True, slots=True)
class EventingConfig:
    """How the control plane of eventing is set up."""

    kubeconfig: Path
    broker_url: str
    """Where the broker process takes events, as producers reach it."""
    receiver_url: str = ""
    """Where WebhookSources are received on this machine; empty in a cluster."""
    cluster_domain: str = CLUSTER_DOMAIN
    """What names of the cluster's Services end in."""
    broker_classes: Set[str] = frozenset(ENGINES)
    """The classes of Brokers that the broker process has engines for."""
    webhooks: Endpoint = field(default_factory=Endpoint)
    installs: bool = True
    """Whether kinds, ConfigMaps and the broker's Service are put in here, at each start."""
    adapters: Adapters = field(default_factory=Adapters)
    """How pods of adapters are made."""
    binding_selection: SelectionMode = SelectionMode.EXCLUSION
    """Which workloads SinkBindings may change as they are written."""
    election: Candidacy | None = None
    """Who this replica is where there are several; None where it is the only one."""
    guests: Sequence[Guest] = ()
    """Other projects whose webhooks are served along."""
    tenants: Sequence[Tenant] = ()
    """Other projects whose kinds are kept along."""


async def run(config: EventingConfig, ready: Callable[[], None]) -> None:
    """Serve until cancelled; ready once Brokers and Triggers can be created."""
    settings = LiveSettings(Settings())
    async with KubeClient.from_kubeconfig(config.kubeconfig, user_agent=MANAGER) as client:
        leadership = await stand(
            client, config.election, component=MANAGER, namespace=keys.SYSTEM_NAMESPACE
        )
        hook = BindingHook(config.binding_selection)
        handlers = ADMISSION.handlers(lambda: settings.value, client)
        handlers[bindinghook.PATH] = hook.admit
        for guest in config.guests:
            handlers |= guest.handlers(client)
        for tenant in config.tenants:
            handlers |= tenant.handlers
        registration = Registration(client, handlers, config.webhooks, leadership=leadership)
        async with registration.serving():
            # Before the first write of a ConfigMap; see ``Admission.config_webhook``.
            await registration.register([ADMISSION.config_webhook()])
            if config.installs:
                await install(
                    client, ingress_url=config.broker_url, receiver_url=config.receiver_url
                )
                for tenant in config.tenants:
                    await tenant.install(client)
            for guest in config.guests:
                await guest.install(client)
                await registration.register(guest.webhooks)
            manager = Manager(client, name=MANAGER, leadership=leadership)
            hook.follow(manager)
            for tenant in config.tenants:
                tenant.follow(manager)
            placed = await _placed(config, client)
            await _control(
                placed, manager, settings, hook=hook, registration=registration, ready=ready
            )


async def _placed(config: EventingConfig, client: KubeClient) -> EventingConfig:
    """Have adapters run where this pod does, if it is one."""
    me = config.election
    if me is None or not me.namespace:
        return config
    try:
        found, _ = await client.list(PODS, me.namespace, field_selector=f"metadata.name={me.pod}")
    except ApiError as error:
        log.warning("where adapters are to run is not known", extra=error.facts)
        return config
    placement = placement_of(found[0]) if found else Placement()
    return replace(config, adapters=replace(config.adapters, placement=placement))


async def _follow_services(manager: Manager, control: Callable[[], ControlSettings]) -> None:
    """Look after requests that are answered later, once serving is installed."""
    pause = _LOOK_SECONDS
    while not await _is_served(manager.client, KINGRESSES):
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_LOOK_SECONDS)
    await manager.cache(asyncservice.SOURCE).synced()
    await manager.add(asyncservice.CONTROLLER, control).run()


async def _is_served(client: KubeClient, resource: Resource) -> bool:
    try:
        served = await client.request("GET", f"/apis/{resource.api_version}")
    except ApiError:
        return False
    return resource in resources_of(served)


async def _control(
    config: EventingConfig,
    manager: Manager,
    settings: LiveSettings[Settings],
    *,
    hook: BindingHook,
    registration: Registration,
    ready: Callable[[], None],
) -> None:
    config_maps = manager.cache(Source(CONFIGMAPS, namespace=keys.SYSTEM_NAMESPACE))
    settings.follow(
        config_maps,
        system_namespace=keys.SYSTEM_NAMESPACE,
        record=partial(manager.events.record, component=MANAGER),
    )
    references = References(manager, config.cluster_domain)
    fixed = ControlSettings(
        config.broker_url,
        config.broker_classes,
        config.cluster_domain,
        api_server=access_of(config.kubeconfig).server,
        adapters=config.adapters,
    )

    def control() -> ControlSettings:
        now = settings.value
        tracing = now.observability.tracing
        return replace(
            fixed,
            features=now.features,
            tls=now.tls,
            tracing=tracing,
            kafka_scaling=now.kafka_scaling,
            shared_ingress=now.shared_ingress.service,
        )

    settings.on_change(lambda _: manager.resync())
    for make in CONTROLLERS:
        manager.add(make(references), control)
    manager.add_runnable("async-services", partial(_follow_services, manager, control))
    async with asyncio.TaskGroup() as group:
        synced = asyncio.Event()
        group.create_task(manager.run(synced.set), name=manager.name)
        await synced.wait()
        await registration.register(ADMISSION.kind_webhooks())
        for webhook in (hook.webhook, *(tenant.webhook for tenant in config.tenants)):
            await webhook.register(registration)
            kept = keep_running("followed-webhook", partial(webhook.run, registration))
            group.create_task(kept, name="followed-webhook")
        ready()
