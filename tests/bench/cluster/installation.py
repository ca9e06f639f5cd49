"""Hearth's own pods on the cluster: which there are, what they run, how to end one at once."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
from collections.abc import Sequence

import aiohttp

from hearth.kube.client import KubeClient
from hearth.kube.errors import NotFound
from hearth.kube.meta import Object, is_deleting, labels, name, namespace
from hearth.kube.resources import DEPLOYMENTS, PODS
from hearth.kube.views import Pod

NAMESPACES = ("knative-serving", "knative-eventing")
_COMPONENT = "app.kubernetes.io/component"
_COMPONENTS = "(control,activator,broker)"
_METRICS_PORT = 9090
Used = dict[str, tuple[float, float]]
"""CPU seconds and resident bytes, by component and pod."""
_SAMPLE = re.compile(r"^(process_cpu_seconds_total|process_resident_memory_bytes) (\S+)$", re.M)


class Installation:
    """What ``hearth install`` put there."""

    def __init__(self, client: KubeClient, kill_command: str | None = None) -> None:
        self._client = client
        self._kill_command = kill_command

    async def image(self) -> str:
        """The image of Hearth's pods, whose Python runs the benchmark's own programs."""
        activator = await self._client.get(DEPLOYMENTS, "hearth-activator", NAMESPACES[0])
        return str(activator["spec"]["template"]["spec"]["containers"][0]["image"])

    async def pods(self, component: str | None = None) -> list[Object]:
        """Pods that are not ending, of one component or of all."""
        selector = f"{_COMPONENT}={component}" if component else f"{_COMPONENT} in {_COMPONENTS}"
        found = list[Object]()
        for where in NAMESPACES:
            items, _ = await self._client.list(PODS, where, label_selector=selector)
            found += [pod for pod in items if not is_deleting(pod)]
        return found

    async def kill_one_of(self, pods: Sequence[Object]) -> bool:
        """End one that is ready without a word, whichever chance names; False if none is."""
        ready = [pod for pod in pods if Pod(pod).is_ready]
        if ready:
            await self.kill(random.choice(ready))
        return bool(ready)

    async def kill(self, pod: Object) -> None:
        """End a pod without a word: by the command, where there is one, then by a deletion at once.

        A deletion alone still sends SIGTERM, and waits a little. After the command alone the pod
        would come back by itself, later each time (``CrashLoopBackOff``).
        """
        if self._kill_command is not None:
            [status] = pod["status"]["containerStatuses"]
            container = str(status["containerID"]).rpartition("/")[2]
            process = await asyncio.create_subprocess_shell(
                self._kill_command.format(container=container)
            )
            await process.wait()
        with contextlib.suppress(NotFound):
            where = namespace(pod)
            await self._client.delete(PODS, name(pod), where, grace_period_seconds=0)

    async def used(self) -> Used:
        """CPU seconds and resident bytes so far, by ``component/pod``, as the pods tell."""
        found = {}
        async with aiohttp.ClientSession() as session:
            for pod in await self.pods():
                url = f"http://{Pod(pod).ip}:{_METRICS_PORT}/metrics"
                async with session.get(url) as answer:
                    samples = dict(_SAMPLE.findall(await answer.text()))
                title = f"{labels(pod)[_COMPONENT]}/{name(pod)}"
                found[title] = (
                    float(samples["process_cpu_seconds_total"]),
                    float(samples["process_resident_memory_bytes"]),
                )
        return found
