"""Looks at starting pods for as long as somebody waits for them. Thin: ``probing`` decides.

A pod that answers is ready at once for this activator, before any kubelet has said so. A pod whose
connection was refused is looked at in the same way until it answers again, whether or not anybody
waits: nobody would wait for the second pod while the first takes everything, and nobody may wait
for pods that nobody makes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from activator.backends import NOBODY, Backend
from activator.pods import Pod
from activator.pools import Pools
from activator.probing import TCP_PROBE, ProbeKind, ProbeSpec, is_success, next_delay, probe_request
from activator.tasks import TaskSet
from hearth.timeouts import time_limit


class Prober:
    """One task per pod that is looked at."""

    def __init__(self, pools: Pools, tasks: TaskSet, clock: Callable[[], float]) -> None:
        self._pools = pools
        self._tasks = tasks
        self._clock = clock

    def wake(self, backend: Backend) -> None:
        """Requests wait, or were refused: look at every pod that might take them."""
        for pod in backend.throttler.unreached():
            if not _is_looked_for(backend, pod):
                continue
            spec = _spec_for(backend, pod)
            if spec is not None and pod.address not in backend.probing:
                backend.probing |= {pod.address}
                self._tasks.spawn(self._probe(backend, pod, spec), name=f"probe-{pod.name}")

    async def _probe(self, backend: Backend, pod: Pod, spec: ProbeSpec) -> None:
        started = self._clock()
        successes = 0
        try:
            while _is_looked_for(backend, pod) and not (pod.ready or pod.gone):
                successes = successes + 1 if await self._answers(pod, spec) else 0
                if successes >= spec.successes:
                    backend.mark_reached(pod)
                    break
                await asyncio.sleep(next_delay(self._clock() - started))
        finally:
            backend.probing = backend.probing - {pod.address} or NOBODY
        backend.admit()

    async def _answers(self, pod: Pod, spec: ProbeSpec) -> bool:
        try:
            if spec.kind is ProbeKind.TCP:
                # The connection is good for the first request: nothing of it is wasted.
                await self._pools.warm(pod, spec.timeout_seconds)
                return True
            async with time_limit(spec.timeout_seconds):
                return await _ask(pod, spec)
        except (OSError, TimeoutError, EOFError, ValueError):
            return False


def _is_looked_for(backend: Backend, pod: Pod) -> bool:
    return bool(backend.throttler.demand) or pod.is_left_out


def _spec_for(backend: Backend, pod: Pod) -> ProbeSpec | None:
    # Ready by the kubelet's word, but a connection failed: see whether anybody listens again.
    return backend.probe_of(pod) or (TCP_PROBE if pod.is_left_out else None)


async def _ask(pod: Pod, spec: ProbeSpec) -> bool:
    """One HTTP probe on a connection of its own."""
    reader, writer = await asyncio.open_connection(*pod.address)
    try:
        writer.write(probe_request(spec, *pod.address))
        return is_success(await reader.readline())
    finally:
        writer.close()
