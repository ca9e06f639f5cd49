"""Runs the probes of one container instance and reports what they add up to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from hearth.cluster.node.probes import Progress, answered, first_at, next_at
from hearth.cluster.node.probing import Outcome, Target, run_handler
from hearth.cluster.node.spec import Container, Handler, Probe
from hearth.kube.clock import Clock

Ask = Callable[[Handler], Awaitable[Outcome]]


@dataclass(slots=True)
class Reports:
    """Where the results go; all are called on the loop."""

    started: Callable[[], None]
    ready: Callable[[bool], None]
    unhealthy: Callable[[str, str], None]  # (probe, message): worth an event
    doomed: Callable[[str, int | None], None]  # (probe, grace seconds): to be restarted


@dataclass(slots=True)
class HealthWatch:
    """Startup first; then liveness and readiness side by side."""

    container: Container
    target: Target
    started_at: float
    clock: Clock
    reports: Reports

    async def run(self, *, is_started: bool = False) -> None:
        """Probes until cancelled; returns at once where there is nothing to probe."""
        startup = self.container.startup
        if startup is not None and not is_started and not await self._pass_startup(startup):
            return
        self.reports.started()
        if self.container.readiness is None:
            self.reports.ready(True)
        async with asyncio.TaskGroup() as group:
            if self.container.liveness is not None:
                group.create_task(self._watch_liveness(self.container.liveness))
            if self.container.readiness is not None:
                group.create_task(self._watch_readiness(self.container.readiness))

    async def _pass_startup(self, probe: Probe) -> bool:
        """True once started; False when the container is given up."""
        async for progress in _Asking(self, probe, "Startup", eager=True):
            if progress.result is True:
                return True
            if progress.result is False:
                self.reports.doomed("startup", probe.grace_seconds)
                return False
        return False

    async def _watch_liveness(self, probe: Probe) -> None:
        async for progress in _Asking(self, probe, "Liveness", eager=False):
            if progress.result is False:
                self.reports.doomed("liveness", probe.grace_seconds)
                return

    async def _watch_readiness(self, probe: Probe) -> None:
        async for progress in _Asking(self, probe, "Readiness", eager=True):
            if progress.result is not None:
                self.reports.ready(progress.result)


class _Asking:
    """Asks one probe again and again; yields the progress after each answer."""

    def __init__(self, watch: HealthWatch, probe: Probe, name: str, *, eager: bool) -> None:
        self._watch = watch
        self._probe = probe
        self._name = name
        self._eager = eager and probe.initial_delay == 0
        started = watch.started_at if self._eager else float("-inf")
        self._progress = Progress(counted_at=started)
        self._next = max(first_at(probe, watch.started_at), watch.clock())

    def __aiter__(self) -> _Asking:
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
        if not outcome.is_success and self._progress.is_counted:
            watch.reports.unhealthy(self._name, outcome.message)
        following = next_at(
            probe, self._progress, started_at=watch.started_at, now=asked_at, eager=self._eager
        )
        self._next = max(following, now)
        return self._progress
