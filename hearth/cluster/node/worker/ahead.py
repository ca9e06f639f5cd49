"""Makes the next pod of what sleeps before it exists, so that a wake is the start of programs.

It has a name, which is told to the controller that makes the pod (``hearth.cluster.readynames``).
What it refers to is followed meanwhile. The rules are in ``runtime.containers.ahead``.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from pathlib import Path

from hearth.cluster import readynames
from hearth.cluster.node.pod.network import PodNetwork
from hearth.cluster.node.pod.spec import PodSpec
from hearth.cluster.node.runtime.api import CreateError, PrepareError, StartError
from hearth.cluster.node.runtime.containers import ahead
from hearth.cluster.node.runtime.containers.ahead import Waiting
from hearth.cluster.node.worker.asleep import asleep
from hearth.cluster.node.worker.context import NodeContext
from hearth.cluster.node.worker.folder import PodFolder, remove_unclaimed
from hearth.cluster.node.worker.foreseen import Foreseen, foresee, next_spec
from hearth.kube import meta
from hearth.kube.errors import ApiError
from hearth.kube.meta import Object
from hearth.kube.resources import REPLICASETS
from hearth.timeouts import time_limit

log = logging.getLogger(__name__)

_MOST_CALM_SECONDS = 60.0
_REST = 4
"""So many times as long as one took after a start, it is waited for the next."""
_PAGE = 500
_ANYTHING = ("", "")
_EXPECTED = (ApiError, PrepareError, CreateError, StartError, OSError)

Spare = ahead.Spare[Foreseen]


class Ahead:
    """``run`` until cancelled, then ``close``; told by the agent what goes and what changes.

    ``is_calm``: no pod is being set up or started.
    """

    def __init__(self, context: NodeContext, is_calm: Callable[[], bool]) -> None:
        self._context = context
        self._is_calm = is_calm
        self._waiting: Waiting[Foreseen] = Waiting()
        self._changed: set[tuple[str, str]] = set()
        self._wakeup = asyncio.Event()
        self._turn = asyncio.Lock()
        self._dropping: set[asyncio.Task[None]] = set()

    # -- told by the agent -------------------------------------------------------------------

    def gone(self, pod: Object, spec: PodSpec) -> None:
        """A pod has gone; it may have been the last of its workload."""
        owner, preparing = ahead.owner_of(pod), self._context.runtime.preparing
        if owner is not None and preparing is not None and preparing.covers(spec):
            self._waiting.want(owner)
            self._wakeup.set()

    def source_changed(self, namespace: str, name: str) -> None:
        """A ConfigMap or Secret has changed."""
        self._changed.add((namespace, name))
        self._wakeup.set()

    def images_changed(self) -> None:
        """Images have come that were missed."""
        self._changed.add(_ANYTHING)
        self._wakeup.set()

    def claim(self, pod: Object, folder: PodFolder) -> PodNetwork | None:
        """Makes the one that waits for this pod the pod's own; None where there is none."""
        spare = self._waiting.claim(meta.namespace(pod), meta.name(pod))
        if spare is None:
            return None
        readynames.withdraw(spare.owner.uid, spare.name)
        made = spare.it
        if ahead.is_the_same(made.pod, pod):
            with contextlib.suppress(OSError):
                folder.stand_for(made.folder.path)

                made.setup.hand_over()
                made.preparing.hand_over(made.spec.uid, meta.uid(pod))
                return made.setup.network
        self._drop_aside(spare)
        return None

    # -- running -----------------------------------------------------------------------------

    async def sweep(self) -> None:
        """Removes what an earlier run has left, once it is known which pods there are."""
        context = self._context
        await asyncio.to_thread(remove_unclaimed, context.spares_dir, context.pods_dir)

    async def run(self) -> None:
        """Makes, one after another, and looks at what waits."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._find_sleepers(), name="node-sleepers")
            checked_at = time.monotonic()
            while True:
                is_due = await self._wait(checked_at)
                async with self._turn:
                    await self._follow_changes()
                    if is_due:
                        await self._check()
                        checked_at = time.monotonic()
                    while (turn := self._waiting.next()) is not None:
                        await self._make(*turn)

    async def _wait(self, checked_at: float) -> bool:
        """Until there is something to do; whether it is to look at what waits, if any does."""
        seconds = checked_at + self._context.check_seconds - time.monotonic()
        try:
            async with time_limit(None if self._waiting.is_idle else max(seconds, 0.0)):
                await self._wakeup.wait()
        except TimeoutError:
            return True
        finally:
            self._wakeup.clear()
        return seconds <= 0

    async def _calm(self) -> None:
        """Returns once nothing was set up or started for a while, or after a minute."""
        calm_seconds, now = self._context.calm_seconds, time.monotonic()
        last, until = now, now + _MOST_CALM_SECONDS
        while time.monotonic() < min(last + calm_seconds, until):
            await asyncio.sleep(calm_seconds / 5)
            last = last if self._is_calm() else time.monotonic()

    async def _find_sleepers(self) -> None:
        """What sleeps since an earlier run, gently, once everything else is there."""
        await self._calm()
        preparing = self._context.runtime.preparing
        if preparing is None:
            return
        try:
            found, _ = await self._context.client.list(REPLICASETS, limit=_PAGE)
        except ApiError as error:
            log.debug("nobody is known to sleep", extra={"error": error.message})
            return
        for owner in ahead.sleepers(each for each in found if preparing.covers(next_spec(each))):
            began = time.monotonic()
            async with self._turn:
                if owner not in self._waiting:
                    await self._make(owner, 0)
                    self._wakeup.set()  # there is something to look at from time to time
            await asyncio.sleep(_REST * (time.monotonic() - began))

    # -- looking -----------------------------------------------------------------------------

    async def _follow_changes(self) -> None:
        changed, self._changed = self._changed, set()
        for spare in self._waiting.all():
            names = (name for namespace, name in changed if namespace == spare.owner.namespace)
            if any(map(spare.it.refers_to, names)):
                await self._renew(spare)
        for namespace in {namespace for namespace, _ in changed}:
            self._waiting.try_again(namespace)

    async def _check(self) -> None:
        """Drops those whose workload is gone or runs, and makes anew what has become another."""
        self._waiting.try_anyway()
        await self._drop(*self._waiting.excess(ahead.room(available_bytes())))
        for spare in self._waiting.all():
            try:
                sleeps = await asleep(self._context.client, spare.owner) is not None
            except ApiError:  # not known: it stays
                continue
            if sleeps:
                await self._renew(spare)
            elif self._waiting.remove(spare):
                await self._drop(spare)

    async def _renew(self, spare: Spare) -> None:
        try:
            is_good = await spare.it.renew()
        except Exception:
            log.exception("what was made ahead cannot be looked at", extra={"of": spare.name})
            is_good = False
        if not is_good and self._waiting.remove(spare):
            await self._drop(spare)
            self._waiting.want(spare.owner)

    # -- making ------------------------------------------------------------------------------

    async def _make(self, owner: ahead.Owner, times: int) -> None:
        """Makes one, where its workload sleeps. What cannot be made is tried again on a change."""
        try:
            spare = await foresee(self._context, owner)
            if spare is None:
                return
            await spare.it.make()
        except Exception as error:
            facts = {"of": owner.name, "error": str(error)}
            level = logging.DEBUG if isinstance(error, _EXPECTED) else logging.ERROR
            log.log(level, "no pod made ahead", extra=facts, exc_info=level == logging.ERROR)
            self._waiting.missed(owner, times)
            return
        await self._drop(*self._waiting.put(spare, ahead.room(available_bytes())))
        if owner in self._waiting:
            readynames.offer(owner.uid, spare.name)

    # -- ending ------------------------------------------------------------------------------

    async def _drop(self, *spares: Spare) -> None:
        """To the end, once it has begun."""
        if tasks := [self._drop_aside(spare) for spare in spares]:
            await asyncio.wait(tasks)

    def _drop_aside(self, spare: Spare) -> asyncio.Task[None]:
        readynames.withdraw(spare.owner.uid, spare.name)
        task = asyncio.create_task(self._dropped(spare), name=f"drop-{spare.name}")
        self._dropping.add(task)
        task.add_done_callback(self._dropping.discard)
        return task

    async def _dropped(self, spare: Spare) -> None:
        try:
            await spare.it.drop()
        except Exception:
            log.exception("what was made ahead is not removed", extra={"of": spare.name})

    async def close(self) -> None:
        """At the end of the node."""
        for spare in self._waiting.excess(0):
            self._drop_aside(spare)
        await asyncio.gather(*self._dropping, return_exceptions=True)


def available_bytes() -> int:
    """Memory of this machine that is free, or can be."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0
