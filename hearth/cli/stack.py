"""What runs on one machine: the components, their order, and what they import.

Children are forked from a process that has imported what
they need, and share its memory: no module is imported twice.
"""

from __future__ import annotations

import asyncio
import datetime
import importlib
import os
import socket
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from hearth.cli.components import (
    BROKER_HOST,
    PIPELINES_HOST,
    Worker,
    activator,
    broker,
    control,
    keda,
    pipelines,
    together,
    webhooks,
)
from hearth.cli.interceptor import read_interceptor
from hearth.cli.layout import HEARTH_IMAGE, Layout, activators
from hearth.cli.listeners import Listeners
from hearth.cli.nats import NatsConfig, run_nats
from hearth.cli.settings import Settings
from hearth.cli.supervisor import Component
from hearth.keda.api.keys import (
    CLOUDEVENTSOURCES,
    CLUSTERCLOUDEVENTSOURCES,
    HTTPSCALEDOBJECTS,
    SCALEDJOBS,
    SCALEDOBJECTS,
)
from hearth.knative.resources import (
    BROKERS,
    EVENTTRANSFORMS,
    INMEMORYCHANNELS,
    INTEGRATIONSINKS,
    JOBSINKS,
    KAFKACHANNELS,
    KAFKASINKS,
    NATSJETSTREAMCHANNELS,
    REQUESTREPLIES,
    WEBHOOKSOURCES,
)
from hearth.kube.clock import wall_clock
from hearth.kube.clusterdomain import CLUSTER_DOMAIN
from hearth.kube.resources import Resource
from hearth.pipelines.api.keys import PIPELINES, RUNS
from hearth.process import WANTED, Main, say

_SHARED_WITH_API = (
    "ssl",
    "uvloop",
    "httptools",
    "orjson",
    "yaml",
    "aiohttp",
    "uvicorn",
    "prometheus_client.core",
    "cryptography.x509",
)
"""What the API server and others need; all others wait for it, so it imports the rest itself."""

_AFTER_API = (
    "hearth.cluster.controllers.main",
    "hearth.cluster.node.main",
    "serving.main",
    "eventing.main",
    "hearth.keda.admission.webhooks",
    "hearth.keda.install",
    "hearth.servicebinding.hook",
    "hearth.cli.gateways",
    "hearth.pipelines.install",
    "activator.main",
)
"""What the others run, but for those that are started on demand."""

ON_DEMAND: Mapping[str, tuple[Resource, ...]] = {
    "broker": (
        BROKERS,
        EVENTTRANSFORMS,
        INMEMORYCHANNELS,
        INTEGRATIONSINKS,
        JOBSINKS,
        KAFKACHANNELS,
        KAFKASINKS,
        NATSJETSTREAMCHANNELS,
        REQUESTREPLIES,
    ),
    "keda": (
        CLOUDEVENTSOURCES,
        CLUSTERCLOUDEVENTSOURCES,
        HTTPSCALEDOBJECTS,
        SCALEDJOBS,
        SCALEDOBJECTS,
    ),
    "pipelines": (PIPELINES, RUNS),
    "webhooks": (WEBHOOKSOURCES,),
}
"""Components that are started when there is an object of one of these kinds."""

NODE_NAME = "hearth"
_LOOPBACK = "127.0.0.1"
_BROKER_IN_CLUSTER = f"http://{BROKER_HOST}.{CLUSTER_DOMAIN}"
_PIPELINES_IN_CLUSTER = f"http://{PIPELINES_HOST}.{CLUSTER_DOMAIN}"


def preload() -> None:
    """Import what the API server shares with others, in the supervisor, before the first fork."""
    for module in _SHARED_WITH_API:
        importlib.import_module(module)


def preload_rest() -> None:
    """Import all that the other components run, in the supervisor, while the API server starts."""
    for module in _AFTER_API:
        importlib.import_module(module)


def components(layout: Layout, listeners: Listeners) -> list[Component]:
    """Lists what runs, in order of start; everything talks to the API server, the first."""

    def metrics(name: str) -> int:
        return layout.ports[f"metrics-{name}"]

    held, hooks = listeners.held_for("broker"), listeners.held_for("webhooks")
    page = listeners.held_for("ui")
    return [
        Component("api", lambda: _api(layout), metrics_port=metrics("api")),
        Component("cluster", lambda: _cluster(layout), ("api",), metrics("cluster")),
        Component("control", lambda: _control(layout), ("api",), metrics("control")),
        *(
            Component(
                worker.name,
                partial(activator, settings_of(layout), worker),
                ("api",),
                metrics(worker.name),
                tuple(worker.held.values()),
            )
            for worker in _workers(layout, listeners)
        ),
        *_nats(layout),
        Component(
            "broker",
            partial(broker, settings_of(layout), held.get("broker")),
            ("api", "nats") if layout.nats_token else ("api",),
            metrics("broker"),
            tuple(held.values()),
            on_demand=True,
        ),
        Component(
            "keda",
            partial(keda, settings_of(layout)),
            ("api",),
            metrics("keda"),
            on_demand=True,
        ),
        Component(
            "ui",
            lambda: _ui(layout, page["ui"]),
            ("api",),
            metrics("ui"),
            tuple(page.values()),
            on_connection=True,
        ),
        Component(
            "pipelines",
            partial(pipelines, settings_of(layout)),
            ("api",),
            metrics("pipelines"),
            on_demand=True,
        ),
        Component(
            "webhooks",
            partial(webhooks, settings_of(layout), hooks.get("webhooks")),
            ("api",),
            metrics("webhooks"),
            tuple(hooks.values()),
            on_demand=True,
        ),
    ]


def _nats(layout: Layout) -> list[Component]:
    if not layout.nats_token:
        return []
    config = NatsConfig(
        layout.data_dir / "nats", _LOOPBACK, layout.ports["nats"], layout.nats_token
    )
    return [Component("nats", lambda: lambda ready: run_nats(config, ready))]


def _workers(layout: Layout, listeners: Listeners) -> list[Worker]:
    names = activators(layout.workers)
    ports = [layout.ports[f"peers-{name}"] for name in names] if len(names) > 1 else [0]
    return [
        Worker(name, listeners.held_for(name), port, frozenset(ports))
        for name, port in zip(names, ports, strict=True)
    ]


def _api(layout: Layout) -> Main:
    from hearth.cluster.apiserver.main import ApiServerConfig, run

    first = {
        f"{resource.plural}.{resource.group}": partial(_want, component)
        for component, resources in ON_DEMAND.items()
        for resource in resources
    }
    config = ApiServerConfig(
        data_dir=layout.data_dir, host=layout.host, port=layout.api_port, first=first
    )
    return lambda ready: run(config, ready)


def _want(component: str) -> None:
    say(f"{WANTED}{component}")


def _cluster(layout: Layout) -> Main:
    from hearth.cluster.controllers import main as controllers
    from hearth.cluster.node import main as node

    controllers_config = controllers.ControllersConfig(kubeconfig=layout.kubeconfig)
    node_config = node.NodeConfig(
        kubeconfig=layout.kubeconfig,
        data_dir=layout.data_dir,
        node_name=NODE_NAME,
        is_isolated=bool(layout.isolation),
        http_proxy=f"http://{layout.host}:{layout.ports['internal']}",
        engine=layout.pods.engine,
        must_use_engine=layout.pods.is_named,
        pod_range=layout.pods.range,
        inside={
            f"http://{layout.host}:{layout.ports['broker']}": _BROKER_IN_CLUSTER,
            f"http://{layout.host}:{layout.ports['pipelines']}": _PIPELINES_IN_CLUSTER,
        },
    )
    return together(
        lambda ready: controllers.run(controllers_config, ready),
        lambda ready: node.run(node_config, ready),
    )


def _control(layout: Layout) -> Main:
    from hearth.cli import gateways

    gateways_config = gateways.GatewaysConfig(
        kubeconfig=layout.kubeconfig,
        host=layout.host,
        page_port=layout.ports["ui"],
        ports={
            "hearth-gateway": (layout.port, layout.tls_port),
            "hearth-internal-gateway": (
                layout.ports["internal"],
                layout.ports["internal-tls"],
            ),
        },
        activator_port=layout.ports["internal"],
    )
    installed = asyncio.Event()
    # By a name of its own, which tells what it writes from what others do.
    own = replace(settings_of(layout), kubeconfig=layout.control_kubeconfig)
    return together(
        control(own, installed.set),
        lambda ready: gateways.run(gateways_config, ready, installed=installed),
    )


def _ui(layout: Layout, held: socket.socket) -> Main:
    from hearth.cli import pagehere

    names = activators(layout.workers)
    config = pagehere.HereConfig(
        layout.data_dir,
        kubeconfig=layout.kubeconfig,
        secret=layout.page_secret,
        gateway=layout.gateway,
        metrics={
            name: f"http://127.0.0.1:{layout.ports[f'metrics-{name}']}/metrics" for name in names
        },
    )
    return pagehere.page_of(config, held)


def settings_of(layout: Layout) -> Settings:
    """Tells the components where things are on this machine."""
    return Settings(
        kubeconfig=layout.kubeconfig,
        authority=layout.tls_folder if layout.has_tls else None,
        host=layout.host,
        control_host="127.0.0.1",
        gateway_port=layout.port,
        internal_port=layout.ports["internal"],
        gateway_tls_port=layout.tls_port,
        internal_tls_port=layout.ports["internal-tls"],
        webhook_port=layout.ports["webhook"],
        eventing_webhook_port=layout.ports["eventing-webhook"],
        stats_port=layout.ports["stats"],
        keda_stats_port=layout.ports["keda-stats"],
        keda_metrics_port=0,
        interceptor=read_interceptor(os.environ),
        broker_port=layout.ports["broker"],
        broker_tls_port=0,
        webhooks_port=layout.ports["webhooks"],
        broker_admin_port=layout.ports["broker-admin"],
        broker_admin_token=layout.broker_admin_token,
        external_port=layout.port,
        external_tls_port=layout.tls_port,
        stats_token=layout.stats_token,
        nats_url=f"nats://{_LOOPBACK}:{layout.ports['nats']}" if layout.nats_token else "",
        nats_token=layout.nats_token,
        image=HEARTH_IMAGE,
        service_bindings="true",
        broker_url=f"http://{layout.host}:{layout.ports['broker']}",
        pipelines_port=layout.ports["pipelines"],
        pipelines_url=f"http://{layout.host}:{layout.ports['pipelines']}",
        data_dir=layout.data_dir,
        pre_stop_seconds=0,  # the node waits by itself
        drain_delay_seconds=0.0,
        drain_seconds=30.0,
    )


def prepare_credentials(layout: Layout) -> None:
    """Makes the certificate authority, tokens and kubeconfig before anything is forked."""
    from hearth.cluster.apiserver.credentials import ensure_credentials

    ensure_credentials(layout.data_dir, layout.host, layout.api_port)
    if layout.has_tls:
        from serving.localauthority import ensure_authority

        now = datetime.datetime.fromtimestamp(wall_clock(), tz=datetime.UTC)
        ensure_authority(layout.tls_folder, now)
