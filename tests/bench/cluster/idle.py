"""What an installation uses while nobody asks anything of it."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from hearth.kube.client import KubeClient
from hearth.kube.resources import PODS
from tests.bench.cluster.installation import Installation
from tests.bench.cluster.served import NAMESPACE
from tests.bench.rows import Row, row

SECONDS = 60.0


async def measured(client: KubeClient, installation: Installation) -> list[Row]:
    """Rows for memory and CPU of all pods, of each component, and of what users' pods get."""
    before = await installation.used()
    await asyncio.sleep(SECONDS)
    after = await installation.used()
    cpu, memory = defaultdict[str, float](float), defaultdict[str, float](float)
    for title, (seconds, resident) in after.items():
        component = title.partition("/")[0]
        cpu[component] += (seconds - before[title][0]) / SECONDS * 100
        memory[component] += resident / 1e6
    pods, _ = await client.list(PODS, NAMESPACE)
    extra = [float(len(pod["spec"]["containers"]) - 1) for pod in pods] or [0.0]
    return [
        row(
            "memory of all pods, idle",
            [sum(memory.values())],
            "MB",
            at_most=200,
            peers=dict(memory),
        ),
        row(
            "CPU of all pods, idle", [sum(cpu.values())], "% of a core", at_most=2, peers=dict(cpu)
        ),
        row("containers of Hearth's in a user's pod", extra, "", at_most=0),
    ]
