"""What runs on one machine: the components, their configuration, and what they import.

The one place where the packages meet. Children are forked from a process that has imported what
they need, and share its memory: no module is imported twice.
"""

from __future__ import annotations

import asyncio
import importlib

from hearth.cli.layout import Layout
from hearth.cli.supervisor import Component
from hearth.process import Main, Ready

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
    "hearth.cli.gateways",
    "activator.main",
    "eventing.runtime.main",
    "eventing.engines.local.engine",
)
"""What the others run."""

NODE_NAME = "hearth"


def preload() -> None:
    """Import what the API server shares with others, in the supervisor, before the first fork."""
    for module in _SHARED_WITH_API:
        importlib.import_module(module)


def preload_rest() -> None:
    """Import all that the other components run, in the supervisor, while the API server starts."""
    for module in _AFTER_API:
        importlib.import_module(module)


def components(layout: Layout) -> list[Component]:
    """Lists what runs, in order of start; everything talks to the API server, the first."""

    def metrics(name: str) -> int:
        return layout.ports[f"metrics-{name}"]

    return [
        Component("api", lambda: _api(layout), metrics_port=metrics("api")),
        Component("cluster", lambda: _cluster(layout), ("api",), metrics("cluster")),
        Component("control", lambda: _control(layout), ("api",), metrics("control")),
        Component("activator", lambda: _activator(layout), ("api",), metrics("activator")),
        Component("broker", lambda: _broker(layout), ("api",), metrics("broker")),
    ]


def _api(layout: Layout) -> Main:
    from hearth.cluster.apiserver.main import ApiServerConfig, run

    config = ApiServerConfig(data_dir=layout.data_dir, host=layout.host, port=layout.api_port)
    return lambda ready: run(config, ready)


def _cluster(layout: Layout) -> Main:
    from hearth.cluster.controllers import main as controllers
    from hearth.cluster.node import main as node

    controllers_config = controllers.ControllersConfig(kubeconfig=layout.kubeconfig)
    node_config = node.NodeConfig(
        kubeconfig=layout.kubeconfig,
        data_dir=layout.data_dir,
        node_name=NODE_NAME,
        http_proxy=f"http://{layout.host}:{layout.ports['internal']}",
    )
    return together(
        lambda ready: controllers.run(controllers_config, ready),
        lambda ready: node.run(node_config, ready),
    )


def _control(layout: Layout) -> Main:
    from eventing import main as eventing
    from hearth.cli import gateways
    from serving import main as serving

    serving_config = serving.ServingConfig(
        kubeconfig=layout.kubeconfig,
        data_dir=layout.data_dir,
        webhook_port=layout.ports["webhook"],
        stats_port=layout.ports["stats"],
        stats_token=layout.stats_token,
        external_port=layout.port,
        domain="localhost",
    )
    eventing_config = eventing.EventingConfig(
        kubeconfig=layout.kubeconfig,
        data_dir=layout.data_dir,
        broker_url=f"http://{layout.host}:{layout.ports['broker']}",
    )
    gateways_config = gateways.GatewaysConfig(
        kubeconfig=layout.kubeconfig,
        host=layout.host,
        ports={
            "hearth-gateway": layout.port,
            "hearth-internal-gateway": layout.ports["internal"],
        },
    )
    installed = asyncio.Event()
    return together(
        lambda ready: serving.run(serving_config, _both(installed.set, ready)),
        lambda ready: eventing.run(eventing_config, ready),
        lambda ready: gateways.run(gateways_config, ready, installed=installed),
    )


def _activator(layout: Layout) -> Main:
    from activator.main import ActivatorConfig, run

    config = ActivatorConfig(
        kubeconfig=layout.kubeconfig,
        host=layout.host,
        port=layout.port,
        internal_host=layout.host,
        internal_port=layout.ports["internal"],
        stats_address=f"{layout.host}:{layout.ports['stats']}",
        stats_token=layout.stats_token,
        name="activator",
    )
    return lambda ready: run(config, ready)


def _broker(layout: Layout) -> Main:
    from eventing.engines.classes import EnginesConfig
    from eventing.runtime.main import BrokerConfig, run

    config = BrokerConfig(
        kubeconfig=layout.kubeconfig,
        engines=EnginesConfig(layout.data_dir / "broker"),
        host=layout.host,
        port=layout.ports["broker"],
        gateway_address=(layout.host, layout.ports["internal"]),
    )
    return lambda ready: run(config, ready)


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
                group.create_task(_awaited(main, one_is_ready))

    return run_all


def _both(first: Ready, second: Ready) -> Ready:
    def call() -> None:
        first()
        second()

    return call


async def _awaited(main: Main, ready: Ready) -> None:
    await main(ready)


def prepare_credentials(layout: Layout) -> None:
    """Makes the certificate authority, tokens and kubeconfig before anything is forked."""
    from hearth.cluster.apiserver.credentials import ensure_credentials

    ensure_credentials(layout.data_dir, layout.host, layout.api_port)
