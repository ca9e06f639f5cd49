"""Looks at starting pods for as long as somebody waits for them. Thin: ``probing`` decides.

A pod that answers is ready at once for this activator, before any kubelet has said so. A pod whose
connection was refused is looked at in the same way until it answers again.
"""

from __future__ import annotations

import asyncio

from activator.backends import Backend
from activator.gateway import Gateway
from activator.pods import Pod
from activator.probing import TCP_PROBE, ProbeKind, ProbeSpec, is_success, next_delay, probe_request


class Prober:
    """One task per pod that is looked at."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def wanted(self, backend: Backend) -> None:
        """Requests wait: look at every pod that might take them."""
        if not backend.throttler.waiting:
            return
        for pod in backend.throttler.unreached():
            spec = _spec_for(backend, pod)
            if spec is not None and pod.address not in backend.probing:
                backend.probing.add(pod.address)
                self._gateway.spawn(self._probe(backend, pod, spec), name=f"probe-{pod.name}")

    async def _probe(self, backend: Backend, pod: Pod, spec: ProbeSpec) -> None:
        gateway = self._gateway
        started = gateway.clock()
        successes = 0
        try:
            while self._is_wanted(backend, pod):
                if await self._answers(pod, spec):
                    successes += 1
                    if successes >= spec.successes:
                        backend.throttler.mark_reached(pod, gateway.clock())
                        note_ready(backend, gateway.clock())
                        break
                else:
                    successes = 0
                await asyncio.sleep(next_delay(gateway.clock() - started))
        finally:
            backend.probing.discard(pod.address)
        gateway.admit(backend)

    @staticmethod
    def _is_wanted(backend: Backend, pod: Pod) -> bool:
        return bool(backend.throttler.waiting) and not (pod.ready or pod.gone)

    async def _answers(self, pod: Pod, spec: ProbeSpec) -> bool:
        try:
            if spec.kind is ProbeKind.TCP:
                # The connection is good for the first request: nothing of it is wasted.
                connection = await self._gateway.connect(pod, spec.timeout_seconds)
                self._gateway.put_back(pod, connection)
                return True
            async with asyncio.timeout(spec.timeout_seconds):
                return await _ask(pod, spec)
        except (OSError, TimeoutError, EOFError, ValueError):
            return False


def note_ready(backend: Backend, now: float) -> None:
    """The first ready pod ends the start phase of a cold start."""
    if backend.ready_at < backend.pod_seen_at:
        backend.ready_at = now


def _spec_for(backend: Backend, pod: Pod) -> ProbeSpec | None:
    if backend.can_probe:
        return backend.spec.probe
    # Ready by the kubelet's word, but a connection failed: see whether anybody listens again.
    return TCP_PROBE if pod.suspect else None


async def _ask(pod: Pod, spec: ProbeSpec) -> bool:
    """One HTTP probe on a connection of its own."""
    reader, writer = await asyncio.open_connection(*pod.address)
    try:
        writer.write(probe_request(spec, *pod.address))
        return is_success(await reader.readline())
    finally:
        writer.close()
