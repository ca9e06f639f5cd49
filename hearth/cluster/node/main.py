"""The node of a one-machine Kubernetes. Started by ``hearth.process``; runs until cancelled."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from hearth.cluster.node.agent import Agent
from hearth.cluster.node.images.store import ImageStore
from hearth.cluster.node.registration.heartbeat import Heartbeat
from hearth.cluster.node.registration.nodeobject import capacity
from hearth.cluster.node.runtime.processes.kernel import read_machine
from hearth.cluster.node.runtime.processes.ports import PortAllocator
from hearth.cluster.node.usagemetrics import UsageCollector
from hearth.cluster.node.volumes.sources import ClusterSources
from hearth.cluster.node.volumes.volumes import Mounter
from hearth.cluster.node.worker.context import NodeContext, make_base_env
from hearth.cluster.node.worker.events import EventRecorder
from hearth.kube.client import Access, KubeClient
from hearth.kube.clock import wall_clock
from hearth.observability.metrics import REGISTRY


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """``http_proxy``: URL of the activator's internal listener, through which pods reach
    in-cluster names. ``path`` and ``home`` of the pods' processes; None: those of this process."""

    kubeconfig: Path
    data_dir: Path
    node_name: str = "hearth"
    http_proxy: str | None = None
    path: str | None = None
    home: str | None = None
    allow_host_path: bool = False
    stop_grace_seconds: float = 5.0
    termination_delay: float = 0.2
    """Seconds between a pod's deletion and SIGTERM, in which traffic turns away from it."""


async def run(config: NodeConfig, ready: Callable[[], None]) -> None:
    """Registers the node and runs its pods; when cancelled, ends their processes."""
    access = Access.from_kubeconfig(config.kubeconfig)
    async with KubeClient(access, user_agent="hearth-node") as client:
        context, agent = _assemble(config, access, client)
        collector = UsageCollector(context.pods_dir)
        REGISTRY.register(collector)
        try:
            await _serve(context, agent, client, ready=ready)
        finally:
            REGISTRY.unregister(collector)
            await agent.stop(config.stop_grace_seconds)
            await context.sources.close()


def _assemble(config: NodeConfig, access: Access, client: KubeClient) -> tuple[NodeContext, Agent]:
    machine = read_machine(config.data_dir)
    server = urlsplit(access.server)
    holder: list[Agent] = []
    context = NodeContext(
        client=client,
        clock=wall_clock,
        data_dir=config.data_dir,
        node_name=config.node_name,
        images=ImageStore(config.data_dir),
        events=EventRecorder(client, wall_clock, config.node_name),
        ports=PortAllocator(random.Random()),
        sources=ClusterSources(client, wall_clock, lambda ns: holder[0].source_changed(ns)),
        mounter=Mounter(config.data_dir / "mounts"),
        base_env=make_base_env(
            path=config.path or os.environ.get("PATH", os.defpath),
            home=config.home or str(Path.home()),
            api_host=server.hostname or "127.0.0.1",
            api_port=server.port or 443,
            http_proxy=config.http_proxy or "",
        ),
        http_proxy=config.http_proxy or "",
        allow_host_path=config.allow_host_path,
        termination_delay=config.termination_delay,
        allocatable=capacity(machine),
    )
    holder.append(Agent(context))
    return context, holder[0]


async def _serve(
    context: NodeContext, agent: Agent, client: KubeClient, *, ready: Callable[[], None]
) -> None:
    context.pods_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    heartbeat = Heartbeat(client, context.node_name, read_machine(context.data_dir), context.clock)
    await heartbeat.register()
    following = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(agent.run(node_is_there=following), name="node-agent")
        group.create_task(heartbeat.run(), name="node-heartbeat")
        await following.wait()
        ready()
