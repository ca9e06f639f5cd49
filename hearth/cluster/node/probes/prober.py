"""Runs the probes of one running container and reports what they add up to."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol
from weakref import WeakSet

from hearth.cluster.node.pod.spec import Container, Probe
from hearth.cluster.node.probes.handlers import Target, run_handler
from hearth.cluster.node.probes.schedule import (
    Progress,
    answered,
    first_at,
    is_eager,
    next_at,
)
from hearth.kube.clock import Clock

_UNANSWERED_SECONDS = 3.0
_HOOK_SECONDS = 3600.0  # Kubernetes sets no limit for postStart


class Reports(Protocol):
    """Where the results go; all are called on the loop."""

    def started(self) -> None:
        """The container has started."""

    def ready(self, is_ready: bool) -> None:
        """It is ready, or not any more."""

    def unhealthy(self, reason: str, message: str) -> None:
        """For an event."""

    def failed(self, why: str, grace: int | None) -> None:
        """The container is to end, within ``grace`` seconds."""

    def unanswered(self, port: int | str) -> None:
        """Nobody has answered there for seconds."""


@dataclass(slots=True)
class Prober:
    """postStart and startup first; then liveness and readiness side by side."""

    container: Container
    target: Target
    started_at: float
    clock: Clock
    reports: Reports

    async def run(self, *, is_started: bool = False) -> None:
        """Probes until cancelled; returns at once where there is nothing to probe."""
        if not is_started and not await self._run_post_start():
            return
        startup = self.container.startup
        if startup is not None and not is_started and not await self._pass_startup(startup):
            return
        self.reports.started()
        if self.container.readiness is None:
            self.reports.ready(True)
        await self._watch(self.container.liveness, self.container.readiness)

    async def _watch(self, liveness: Probe | None, readiness: Probe | None) -> None:
        """Where there is only one, a task of its own would be a kilobyte for each pod."""
        if liveness is None or readiness is None:
            if liveness is not None:
                await self._watch_liveness(liveness)
            elif readiness is not None:
                await self._watch_readiness(readiness)
            return
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch_liveness(liveness))
            group.create_task(self._watch_readiness(readiness))

    async def _run_post_start(self) -> bool:
        hook = self.container.post_start
        if hook is None:
            return True
        outcome = await run_handler(hook, self.target, timeout=_HOOK_SECONDS)
        if not outcome.is_success:
            message = f"PostStartHook failed: {outcome.message}"
            self.reports.unhealthy("FailedPostStartHook", message)
            self.reports.failed("FailedPostStartHook", None)
        return outcome.is_success

    def _give_up(self, probe: str, grace: int | None) -> None:
        name = self.container.name
        self.reports.failed(f"Container {name} failed {probe} probe, will be restarted", grace)

    async def _pass_startup(self, probe: Probe) -> bool:
        """True once started; False when the container is given up."""
        async for progress in _ProbeLoop(self, probe, "Startup", eager=True):
            if progress.result is True:
                return True
            if progress.result is False:
                self._give_up("startup", probe.grace_seconds)
                return False
        return False

    async def _watch_liveness(self, probe: Probe) -> None:
        async for progress in _ProbeLoop(self, probe, "Liveness", eager=False):
            if progress.result is False:
                self._give_up("liveness", probe.grace_seconds)
                return

    async def _watch_readiness(self, probe: Probe) -> None:
        async for progress in _ProbeLoop(self, probe, "Readiness", eager=True):
            if progress.result is not None:
                self.reports.ready(progress.result)


_waited_for: WeakSet[_ProbeLoop] = WeakSet()
"""Whose first success is waited for eagerly; those that were given up leave by themselves."""


class _ProbeLoop:
    """Asks one probe again and again; yields the progress after each answer."""

    __slots__ = ("__weakref__", "_eager", "_name", "_next", "_probe", "_progress", "_watch")

    def __init__(self, watch: Prober, probe: Probe, name: str, *, eager: bool) -> None:
        self._watch = watch
        self._probe = probe
        self._name = name
        self._eager = eager and probe.initial_delay == 0
        started = watch.started_at if self._eager else float("-inf")
        self._progress = Progress(counted_at=started)
        self._next = max(first_at(probe, watch.started_at), watch.clock())
        if self._eager:
            _waited_for.add(self)

    def __aiter__(self) -> _ProbeLoop:
        return self

    async def __anext__(self) -> Progress:
        watch, probe = self._watch, self._probe
        await asyncio.sleep(max(0.0, self._next - watch.clock()))
        asked_at = watch.clock()
        outcome = await run_handler(probe.handler, watch.target, timeout=probe.timeout)
        now = watch.clock()
        self._progress = answered(
            probe, self._progress, outcome.is_success, now=now, eager=self._eager
        )
        is_new = now - watch.started_at < _UNANSWERED_SECONDS
        if not outcome.is_success and probe.handler.port and not is_new:
            watch.reports.unanswered(probe.handler.port)
        if not outcome.is_success and self._progress.is_counted:
            watch.reports.unhealthy("Unhealthy", f"{self._name} probe failed: {outcome.message}")
        if not is_eager(probe, self._progress, now - watch.started_at):
            _waited_for.discard(self)
        following = next_at(
            probe,
            self._progress,
            started_at=watch.started_at,
            now=asked_at,
            eager=self._eager,
            crowd=len(_waited_for),
        )
        self._next = max(following, now)
        return self._progress
