"""The components and what each is told: the one place where the packages meet.

Started by the supervisor of one machine and by ``hearth run`` in a cluster, with other settings.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from hearth.cli.settings import Settings
from hearth.process import LEAVING, Main, Ready, let_go, say

if TYPE_CHECKING:
    from activator.dataplane import Limits
    from activator.main import ActivatorConfig
    from activator.policies import AddonSettings
    from hearth.cli.interceptor import Interceptor
    from hearth.knative.leaderelection import Candidacy
    from hearth.kube.registration import Guest
    from hearth.kube.resources import Resource
    from hearth.kube.sharedtokens import TokenSource

SERVING, EVENTING = "knative-serving", "knative-eventing"
_WEBHOOK_SERVICE, _WEBHOOK_SECRET = "hearth-webhook", "hearth-webhook-certs"
BROKER_HOST = "broker-ingress.knative-eventing.svc"
PIPELINES_HOST = "hearth-pipelines.knative-eventing.svc"
STATS_SECRET = "hearth-stats"
ROUTE_SERVICES = (("keda", "hearth-keda"), ("keda", "hearth-external-scaler"))
"""Whose endpoints are told of requests by routes of KEDA's HTTP add-on: the operator of ours, and
what answers a real KEDA."""
ADMIN_SECRET = "hearth-event-admin"
"""In the namespace of eventing: the token of those who ask the broker about events."""
CONTROL_USER = f"system:serviceaccount:{SERVING}:hearth-control"
"""By which name API servers know the component that makes objects of our own kinds."""
CONTROL_USER_HERE = "system:hearth:control"
"""By which name the API server of one machine knows it."""


def control(settings: Settings, serving_ready: Ready = lambda: None) -> Main:
    """Controllers of serving and eventing, autoscaler and webhooks."""
    from eventing import main as eventing
    from eventing.kinds.adapters import Adapters
    from eventing.kinds.bindinghook import SelectionMode
    from hearth.knative.leaderelection import Candidacy
    from hearth.kube.webhooks import Endpoint, Service
    from hearth.servicebinding.hook import ServiceBindings
    from serving import main as serving

    replica = settings.replica

    def endpoint(port: int, service_port: int, title: str) -> Endpoint:
        service = Service(SERVING, _WEBHOOK_SERVICE, _WEBHOOK_SECRET, service_port)
        return Endpoint(
            host=settings.control_host,
            port=port,
            service=None if replica is None else service,
            kept=settings.data_dir / "certificates" / f"{title}-webhooks.json",
            drain_delay_seconds=settings.drain_delay_seconds,
            trusted_user=CONTROL_USER_HERE if replica is None else CONTROL_USER,
        )

    election = None if replica is None else Candidacy(replica.pod_name, replica.pod_ip, SERVING)
    eventing_config = eventing.EventingConfig(
        kubeconfig=settings.kubeconfig,
        broker_url=settings.broker_url or f"http://{BROKER_HOST}.{settings.cluster_domain}",
        receiver_url=(
            f"http://{settings.host}:{settings.webhooks_port}" if replica is None else ""
        ),
        cluster_domain=settings.cluster_domain,
        webhooks=endpoint(settings.eventing_webhook_port, 444, "eventing"),
        installs=replica is None,
        adapters=Adapters(settings.image, settings.host, in_cluster=replica is not None),
        binding_selection=SelectionMode(settings.sink_binding_selection_mode),
        election=election,
        guests=[] if replica else [keda_guest(), pipelines_guest(settings.pipelines_url)],
        tenants=[ServiceBindings()] if settings.service_bindings == "true" else [],
    )

    async def run_serving(ready: Ready) -> None:
        config = serving.ServingConfig(
            kubeconfig=settings.kubeconfig,
            webhooks=endpoint(settings.webhook_port, 443, "serving"),
            stats_host=settings.control_host,
            stats_port=settings.stats_port,
            stats_token=_stats_token(settings),
            external_port=settings.external_port,
            external_tls_port=settings.external_tls_port,
            authority=settings.authority,
            cluster_domain=settings.cluster_domain,
            installs=replica is None,
            pre_stop_seconds=settings.pre_stop_seconds,
            views=written_views() if settings.serverless_services == "true" else {},
            election=election,
        )
        await serving.run(config, _both(serving_ready, ready))

    return together(run_serving, lambda ready: eventing.run(eventing_config, ready))


def written_views() -> dict[Resource, Callable[[dict[str, Any]], dict[str, Any]]]:
    """What clients read of PodAutoscalers, for an API server that cannot show it by itself."""
    from hearth.cluster.crd.views import view_of
    from hearth.kube.crdgen import crd_object
    from hearth.kube.resources import Resource
    from serving.api.serverless import VIEWS

    found = {}
    for crd in VIEWS:
        shown = view_of(crd_object(crd), crd.kind)
        assert shown is not None
        found[Resource(crd.group, crd.versions[0].name, crd.plural, crd.kind)] = shown[1]
    return found


def keda_guest() -> Guest:
    """KEDA's kinds and webhooks on one machine; in a cluster its own component has them.

    They are asked about what eventing makes of these kinds, too.
    """
    from hearth.keda.admission.webhooks import WEBHOOKS, handlers
    from hearth.keda.install import install
    from hearth.kube.registration import Guest

    webhooks = [replace(webhook, asked_about_own=True) for webhook in WEBHOOKS]
    return Guest(webhooks, handlers, install)


def pipelines_guest(url: str) -> Guest:
    """The kinds of pipelines on one machine; the definitions check all there is to refuse."""
    from hearth.kube.registration import Guest
    from hearth.pipelines.install import install

    return Guest((), lambda _client: {}, partial(install, url=url))


@dataclass(frozen=True, slots=True)
class Worker:
    """One of the activators of one machine, and what it has from the supervisor."""

    name: str
    held: Mapping[str, socket.socket]
    """Listening sockets, by purpose."""
    peers_port: int
    all_ports: frozenset[int]
    """Those of all of them; one, where it is the only one."""


def activator(settings: Settings, worker: Worker | None = None) -> Main:
    """The gateway: router, cold-start buffer, limiter and meter."""
    from activator.main import ActivatorConfig, run
    from activator.peers import PeersConfig

    replica = settings.replica

    async def main(ready: Ready) -> None:
        config = ActivatorConfig(
            kubeconfig=settings.kubeconfig,
            host=settings.host,
            port=settings.gateway_port,
            internal_host=settings.host,
            internal_port=settings.internal_port,
            tls_port=settings.gateway_tls_port,
            internal_tls_port=settings.internal_tls_port,
            secure_port=settings.external_tls_port,
            has_tls=settings.authority is not None,
            tunnels=replica is None,
            stats_address="" if replica else f"{settings.control_host}:{settings.stats_port}",
            finds_autoscalers=replica is not None,
            stats_token=_stats_token(settings),
            routes_address="" if replica else f"{settings.control_host}:{settings.keda_stats_port}",
            routes_services=ROUTE_SERVICES if replica else (),
            addon=_addon(settings.interceptor),
            addon_admin_port=settings.interceptor.admin_port,
            limits=_limits(settings.interceptor),
            peers=PeersConfig(replica.pod_ip, settings.peers_port) if replica else None,
            name=replica.pod_name if replica else "activator",
            cluster_domain=settings.cluster_domain,
            drain_delay_seconds=settings.drain_delay_seconds,
            drain_seconds=settings.drain_seconds,
        )
        if worker is not None:
            config = _as_worker(config, settings.control_host, worker)
        await run(config, ready)

    return main


def _addon(said: Interceptor) -> AddonSettings:
    from activator.policies import AddonSettings

    return AddonSettings(
        said.request_timeout,
        said.response_header_timeout,
        said.readiness_timeout,
        said.enable_cold_start_header,
        said.cold_start_max_pending_requests,
        said.watch_namespace,
    )


def _limits(said: Interceptor) -> Limits:
    from activator.dataplane import Limits

    connect = said.connect_timeout
    return Limits(connect_seconds=connect) if connect else Limits()


def _as_worker(config: ActivatorConfig, host: str, worker: Worker) -> ActivatorConfig:
    from activator.peers import PeersConfig

    config = replace(config, name=worker.name, held=worker.held, leaving=partial(say, LEAVING))
    if len(worker.all_ports) == 1:
        return replace(config, let_go=let_go)
    # Others are there until this one has ended, and its successor is to have its port for peers.
    return replace(
        config,
        peers=PeersConfig(host, worker.peers_port),
        workers=frozenset(f"{host}:{port}" for port in worker.all_ports),
    )


def broker(settings: Settings, held: socket.socket | None = None, *, name: str = "broker") -> Main:
    """Takes events in and delivers them; ``held`` is a listening socket from the supervisor."""
    from eventing.engines.classes import EnginesConfig
    from eventing.runtime import main

    runs = {
        "broker": main.run,
        "broker-ingress": main.run_ingress,
        "broker-dispatcher": main.run_dispatcher,
    }

    token: TokenSource = settings.broker_admin_token
    if settings.replica is not None and not token:
        token = EVENTING, ADMIN_SECRET
    config = main.BrokerConfig(
        kubeconfig=settings.kubeconfig,
        engines=EnginesConfig(
            settings.data_dir / "broker",
            nats=_nats_source(settings),
            kafka=_kafka_source(settings),
        ),
        host=settings.host,
        port=settings.broker_port,
        tls=_tls(settings),
        admin=main.AdminConfig(
            settings.control_host,
            settings.broker_admin_port,
            token,
            reviews=settings.replica is not None,
        ),
        # Pods resolve in-cluster names by DNS; a machine has none, and asks the gateway itself.
        gateway_address=None if settings.replica else (settings.host, settings.internal_port),
        held=held,
        drain_delay_seconds=settings.drain_delay_seconds,
    )

    async def run(ready: Ready) -> None:
        await runs[name](config, ready)

    return run


def _kafka_source(settings: Settings) -> Any:
    """Where Kafka is: as the cluster's ConfigMap says when it is needed."""
    from eventing.engines.kafka.settings import of_cluster

    return partial(of_cluster, settings.kubeconfig)


def _nats_source(settings: Settings) -> Any:
    """Where NATS is: as we are told, else as the cluster's ConfigMaps say when it is needed."""
    from eventing.engines.nats.config import NatsServer
    from eventing.engines.nats.settings import of_cluster

    async def told() -> NatsServer:
        urls = tuple(settings.nats_url.split(","))
        return NatsServer(urls, settings.nats_token, owner="hearth")

    return told if settings.nats_url else partial(of_cluster, settings.kubeconfig)


def _tls(settings: Settings) -> Any:
    """In a cluster by the names of the Service in front, on one machine by the address."""
    from eventing.runtime.encryption import TlsConfig

    if settings.replica is None:
        return TlsConfig(settings.broker_tls_port, (settings.host, "localhost"))
    names = (f"{BROKER_HOST}.{settings.cluster_domain}", BROKER_HOST)
    return TlsConfig(settings.broker_tls_port, names, shown_port=443)


def _pingsource(settings: Settings) -> Main:
    """The adapter of all PingSources."""
    from eventing.sources.ping.main import PingConfig, run
    from hearth.knative.leaderelection import Candidacy

    replica = settings.replica
    election = None if replica is None else Candidacy(replica.pod_name, replica.pod_ip)
    return lambda ready: run(PingConfig(settings.kubeconfig, election), ready)


def _apiserversource(settings: Settings) -> Main:
    """The adapter of one ApiServerSource."""
    from eventing.sources.apiserver.main import run

    return partial(run, settings.kubeconfig)


def _integrationsource(settings: Settings) -> Main:
    """The adapter of one IntegrationSource."""
    from eventing.sources.integration.main import run

    return partial(run, kubeconfig=settings.kubeconfig)


def _kafkasource(settings: Settings) -> Main:
    """The adapter of one KafkaSource."""
    from eventing.sources.kafka.main import run

    return run


def webhooks(settings: Settings, held: socket.socket | None = None) -> Main:
    """The receiver of all WebhookSources; ``held`` is a listening socket from the supervisor."""
    from eventing.sources.webhook.main import ReceiverConfig, run

    config = ReceiverConfig(
        settings.kubeconfig,
        settings.data_dir / "webhooks",
        settings.host,
        settings.webhooks_port,
        held,
        gateway=None if settings.replica else (settings.host, settings.internal_port),
        drain_delay_seconds=settings.drain_delay_seconds,
    )
    return lambda ready: run(config, ready)


def _integrationsink(settings: Settings) -> Main:
    """The adapter of one IntegrationSink."""
    from eventing.sinks.main import SinkConfig, run

    config = SinkConfig(
        settings.kubeconfig,
        settings.host,
        settings.sink_port,
        drain_delay_seconds=settings.drain_delay_seconds,
    )
    return lambda ready: run(config, ready)


def _external_scaler(settings: Settings) -> Main:
    """What a real KEDA asks about routes of its HTTP add-on."""
    from hearth.keda.external.main import ExternalScalerConfig, run

    config = ExternalScalerConfig(
        settings.kubeconfig,
        host=settings.host,
        port=settings.external_scaler_port,
        stats_host=settings.control_host,
        stats_port=settings.keda_stats_port,
        stats_token=_stats_token(settings),
    )
    return partial(run, config)


def keda(settings: Settings) -> Main:
    """Scales by what happens elsewhere; in a cluster it answers KEDA's webhooks, too."""
    from hearth.keda.api.keys import NAMESPACE
    from hearth.keda.operator.main import OperatorConfig, run
    from hearth.knative.leaderelection import Candidacy

    replica = settings.replica
    election = Candidacy(replica.pod_name, replica.pod_ip, NAMESPACE) if replica else None
    config = OperatorConfig(
        kubeconfig=settings.kubeconfig,
        host=settings.control_host,
        address=replica.pod_ip if replica else "",
        metrics_port=settings.keda_metrics_port,
        stats_port=settings.keda_stats_port,
        stats_token=_stats_token(settings),
        autoscaler=None if replica else (settings.control_host, settings.stats_port),
        election=election,
        timeout=settings.keda_timeout_seconds,
        proxy="" if replica else f"http://{settings.host}:{settings.internal_port}",
    )

    async def main(ready: Ready) -> None:
        await run(config, ready)

    return main if election is None else together(main, _keda_admission(settings, election))


def _keda_admission(settings: Settings, election: Candidacy) -> Main:
    from hearth.keda.admission.main import AdmissionConfig, run
    from hearth.kube.webhooks import Endpoint, Service

    webhooks = Endpoint(
        host=settings.control_host,
        port=settings.webhook_port,
        service=Service("keda", "keda-admission-webhooks", "kedaorg-certs"),
        drain_delay_seconds=settings.drain_delay_seconds,
    )
    config = AdmissionConfig(settings.kubeconfig, webhooks, election)
    return lambda ready: run(config, ready)


def pipelines(settings: Settings) -> Main:
    """Takes events, runs the scripts of pipelines and their jobs."""
    from hearth.pipelines.main import PipelinesConfig, run
    from hearth.pipelines.settings import Settings as PodSettings

    replica = settings.replica
    url = f"http://{PIPELINES_HOST}.{settings.cluster_domain}"
    pods = PodSettings(
        settings.pipelines_url or url,
        settings.image,
        "python3" if replica else sys.executable,
        in_cluster=replica is not None,
    )
    config = PipelinesConfig(
        settings.kubeconfig,
        pods,
        host=settings.host,
        port=settings.pipelines_port,
        gateway=None if replica else (settings.host, settings.internal_port),
    )
    return lambda ready: run(config, ready)


COMPONENTS: Mapping[str, Callable[[Settings], Main]] = {
    "control": control,
    "activator": activator,
    "broker": broker,
    "broker-ingress": partial(broker, name="broker-ingress"),
    "broker-dispatcher": partial(broker, name="broker-dispatcher"),
    "keda": keda,
    "pipelines": pipelines,
    "pingsource": _pingsource,
    "apiserversource": _apiserversource,
    "integrationsource": _integrationsource,
    "integrationsink": _integrationsink,
    "kafkasource": _kafkasource,
    "webhooksource": webhooks,
    "external-scaler": _external_scaler,
}
"""What runs on one machine and in clusters, by name."""


def _stats_token(settings: Settings) -> TokenSource:
    if settings.replica is None or settings.stats_token:
        return settings.stats_token
    return SERVING, STATS_SECRET


def together(*mains: Main) -> Main:
    """Runs several parts in one process: ready when all are, ended when one ends."""

    async def run_all(ready: Ready) -> None:
        waiting = len(mains)

        def one_is_ready() -> None:
            nonlocal waiting
            waiting -= 1
            if waiting == 0:
                ready()

        async with asyncio.TaskGroup() as group:
            for main in mains:
                group.create_task(_awaited(main(one_is_ready)))

    return run_all


def _both(first: Ready, second: Ready) -> Ready:
    def call() -> None:
        first()
        second()

    return call


async def _awaited(running: Awaitable[None]) -> None:
    await running
