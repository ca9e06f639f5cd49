"""The node of a one-machine Kubernetes. Started by ``hearth.process``; runs until cancelled."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network
from pathlib import Path
from urllib.parse import urlsplit

from hearth.cluster.node.agent import Agent
from hearth.cluster.node.images.store import ImageStore
from hearth.cluster.node.names.apart import NamesApart
from hearth.cluster.node.names.service import NamesConfig
from hearth.cluster.node.registration.heartbeat import Heartbeat
from hearth.cluster.node.registration.hostinfo import read_machine
from hearth.cluster.node.registration.nodeobject import Machine, capacity
from hearth.cluster.node.runtime.api import Runtime
from hearth.cluster.node.runtime.choice import ChosenRuntime, OpenError
from hearth.cluster.node.runtime.engine.sockets import Found
from hearth.cluster.node.runtime.leftovers import remove_leftovers
from hearth.cluster.node.runtime.podnets.addresses import POD_RANGE
from hearth.cluster.node.runtime.ports import PortAllocator
from hearth.cluster.node.runtime.processes.environment import make_base_environment
from hearth.cluster.node.runtime.processes.isolation.isolation import (
    Isolation,
    find_isolation,
)
from hearth.cluster.node.runtime.processes.runtime import ProcessRuntime, ProcessSettings
from hearth.cluster.node.streaming.server import StreamServer
from hearth.cluster.node.streaming.server import socket_path as streams_path
from hearth.cluster.node.usagemetrics import UsageCollector
from hearth.cluster.node.usageserver import UsageServer, socket_path
from hearth.cluster.node.volumes.sources import ClusterSources
from hearth.cluster.node.worker.context import NodeContext
from hearth.cluster.node.worker.events import PodEvents
from hearth.cluster.node.worker.reach import Reach
from hearth.kube.access import Access
from hearth.kube.client import KubeClient
from hearth.kube.clock import wall_clock
from hearth.kube.kubeconfig import access_of
from hearth.observability.metrics import REGISTRY
from hearth.oci.helpers import docker_config


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """Where the API server is, and how this node differs from others."""

    kubeconfig: Path
    data_dir: Path
    node_name: str = "hearth"
    http_proxy: str | None = None
    """URL of the activator's internal listener, through which pods reach in-cluster names."""
    inside: Mapping[str, str] = field(default_factory=dict)
    """URLs of this machine, and what they are called in the cluster: for pods in containers."""
    path: str | None = None
    """PATH of the pods' processes; None is that of this process."""
    home: str | None = None
    """HOME of the pods' processes; None is that of this process."""
    engine: Found | None = None
    """The container engine for images that are no known commands; None: pods are processes."""
    must_use_engine: bool = False
    """The user has named it: well-known samples run as what they are, too."""
    pod_range: IPv4Network = POD_RANGE
    """What the network of containers is taken of, where they have one of this node."""
    allow_host_path: bool = False
    stop_grace_seconds: float = 5.0
    is_isolated: bool = False
    """Whether processes get a view of the machine of their own; ``run`` may raise CannotIsolate."""
    termination_delay: float = 0.2
    """Seconds between a pod's deletion and SIGTERM, in which traffic turns away from it."""
    calm_seconds: float = 5.0
    """How long nothing is started before what has slept since the last run is made ready."""
    check_seconds: float = 60.0
    """How often what was made ready is looked at."""
    measure_seconds: float = 10.0
    """How often volumes are measured that may take so much and no more."""


async def run(
    config: NodeConfig, ready: Callable[[], None], *, runtime: Runtime | None = None
) -> None:
    """Registers the node and runs its pods; when cancelled, ends their containers.

    Which runtime pods get is the configuration's, unless one is given.
    """
    access = access_of(config.kubeconfig)
    if config.engine is not None and config.engine.is_root:
        await remove_leftovers()
    async with KubeClient(access, user_agent="hearth-node") as client:
        runtime = runtime or make_runtime(config, access, client)
        machine = replace(read_machine(config.data_dir), runtime=runtime.version)
        names = NamesApart(
            _names_config(config, access), lambda: KubeClient(access, user_agent="hearth-node")
        )
        context, agent = _assemble(config, client, runtime, machine=machine, names=names)
        collector = UsageCollector(runtime)
        REGISTRY.register(collector)
        usage = UsageServer(config.node_name, runtime.usage, wall_clock)
        streams = StreamServer(agent, runtime.dial)
        try:
            async with (
                usage.listening(socket_path(config.data_dir)),
                streams.listening(streams_path(config.data_dir)),
            ):
                await _serve(context, agent, machine, ready=ready)
        finally:
            REGISTRY.unregister(collector)
            async with AsyncExitStack() as ending:  # all of it, whatever fails; the last one first
                for close in (runtime.close, names.close, context.sources.close):
                    ending.push_async_callback(close)
                await agent.stop(config.stop_grace_seconds)


def _names_config(config: NodeConfig, access: Access) -> NamesConfig:
    return NamesConfig(
        api=_address_of(access.server),
        proxy=_address_of(config.http_proxy) if config.http_proxy else None,
        inside=config.inside,
    )


def _address_of(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "127.0.0.1", parts.port or (443 if parts.scheme == "https" else 80)


def make_runtime(config: NodeConfig, access: Access, client: KubeClient) -> Runtime:
    """Processes; and containers, where an engine is wanted and there."""
    processes = _process_runtime(config, access)
    engine = config.engine
    if engine is None:
        return processes

    async def open_containers() -> Runtime:
        if engine.kind in ("runc", "crun"):
            return _direct_runtime(config, engine, client)
        from hearth.cluster.node.runtime.engine.client import EngineError
        from hearth.cluster.node.runtime.engine.opening import EngineSettings, open_runtime
        from hearth.cluster.node.runtime.engine.used import USED_IMAGES

        settings = EngineSettings(
            node_id_of(config.data_dir),
            run=config.data_dir / "run",
            docker_config=docker_config(os.environ, Path.home()),
            used=config.data_dir / USED_IMAGES,
            pod_range=config.pod_range,
        )
        try:
            return await open_runtime(engine, settings, wall_clock)
        except EngineError as error:
            raise OpenError(str(error)) from error

    return ChosenRuntime(
        processes,
        open_containers,
        ImageStore(config.data_dir),
        mark=config.data_dir / "run" / "containers",
        runs_originals=bool(engine.socket) or config.must_use_engine,
    )


def _direct_runtime(config: NodeConfig, engine: Found, client: KubeClient) -> Runtime:
    from hearth.cluster.node.runtime.bundles.making import make_runtime as make_direct

    return make_direct(
        node_id_of(config.data_dir),
        config.data_dir,
        program=engine.command,
        docker_config=docker_config(os.environ, Path.home()),
        clock=wall_clock,
        pod_range=config.pod_range,
    )


def node_id_of(data_dir: Path) -> str:
    """What tells the processes and groups of one Hearth's node from those of others."""
    return hashlib.sha256(str(data_dir.resolve()).encode()).hexdigest()[:16]


def isolation_of(data_dir: Path, home: str | None = None) -> Isolation:
    """How processes of this node are isolated; raises CannotIsolate."""
    return find_isolation(node_id_of(data_dir), Path(home or Path.home()), data_dir)


def _process_runtime(config: NodeConfig, access: Access) -> ProcessRuntime:
    server = urlsplit(access.server)
    isolation = None
    if config.is_isolated:
        isolation = isolation_of(config.data_dir, config.home)
    settings = ProcessSettings(
        node_id=node_id_of(config.data_dir),
        scratch=config.data_dir / "mounts",
        base_environment=make_base_environment(
            path=config.path or os.environ.get("PATH", os.defpath),
            home=config.home or str(Path.home()),
            api_host=server.hostname or "127.0.0.1",
            api_port=server.port or 443,
            http_proxy=config.http_proxy or "",
        ),
        http_proxy=config.http_proxy or "",
        isolation=isolation,
    )
    images, ports = ImageStore(config.data_dir), PortAllocator(random.Random())
    return ProcessRuntime(settings, images, ports, wall_clock)


def _assemble(
    config: NodeConfig, client: KubeClient, runtime: Runtime, *, machine: Machine, names: NamesApart
) -> tuple[NodeContext, Agent]:
    holder: list[Agent] = []
    context = NodeContext(
        client=client,
        clock=wall_clock,
        data_dir=config.data_dir,
        node_name=config.node_name,
        runtime=runtime,
        events=PodEvents(client, host=config.node_name),
        sources=ClusterSources(client, wall_clock, lambda *key: holder[0].source_changed(*key)),
        reach=Reach(runtime.bridge, names),
        allow_host_path=config.allow_host_path,
        termination_delay=config.termination_delay,
        calm_seconds=config.calm_seconds,
        check_seconds=config.check_seconds,
        measure_seconds=config.measure_seconds,
        allocatable=capacity(machine),
    )
    holder.append(Agent(context))
    return context, holder[0]


async def _serve(
    context: NodeContext, agent: Agent, machine: Machine, *, ready: Callable[[], None]
) -> None:
    context.pods_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    heartbeat = Heartbeat(context.client, context.node_name, machine, context.clock)
    await heartbeat.register()
    following = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(agent.run(node_is_there=following), name="node-agent")
        group.create_task(heartbeat.run(), name="node-heartbeat")
        await following.wait()
        ready()
