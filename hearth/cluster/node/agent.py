"""Takes pods: schedules them onto this node, gives each a worker, finds again what ran before."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from decimal import Decimal
from typing import Any

from hearth.cluster.node.pod.records import Record
from hearth.cluster.node.pod.recovery import records_of
from hearth.cluster.node.runtime.api import Instance
from hearth.cluster.node.scheduling import Unschedulable, add_up, check_fit, requests_of
from hearth.cluster.node.worker.ahead import Ahead
from hearth.cluster.node.worker.context import NodeContext
from hearth.cluster.node.worker.folder import SavedPod, all_folders
from hearth.cluster.node.worker.podobject import PodObject
from hearth.cluster.node.worker.podworker import PodWorker
from hearth.kube import clock as clocks
from hearth.kube import meta
from hearth.kube.cache import WatchCache
from hearth.kube.errors import ApiError
from hearth.kube.meta import Object
from hearth.kube.resources import NODES, PODS

log = logging.getLogger(__name__)

_SCHEDULER = "default-scheduler"
_ANEW_SECONDS = 1.0


class Agent:
    """``run`` until cancelled; then ``stop`` ends what runs."""

    def __init__(self, context: NodeContext) -> None:
        self._context = context
        self._pods = WatchCache(context.client, PODS)
        self._nodes = WatchCache(
            context.client, NODES, field_selector=f"metadata.name={context.node_name}"
        )
        self._workers: dict[str, PodWorker] = {}  # by uid, as all below
        self._running: dict[str, asyncio.Task[None]] = {}
        self._requests: dict[str, Mapping[str, Decimal]] = {}
        self._unschedulable: dict[str, tuple[Object, Unschedulable]] = {}
        self._done: set[str] = set()  # ended here, not yet gone from the API
        self._side_tasks: set[asyncio.Task[None]] = set()
        self._ahead = Ahead(context, self._is_calm)
        context.claim = self._ahead.claim

    # -- running -----------------------------------------------------------------------------

    async def run(self, *, node_is_there: asyncio.Event) -> None:
        """Takes over what ran before, then follows the pods. Sets nothing up for the node."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._pods.run(), name="node-pods")
            group.create_task(self._nodes.run(), name="node-nodes")
            group.create_task(self._context.events.run(), name="node-events")
            await self._pods.synced()
            await self._nodes.synced()
            await self._recover()
            self._nodes.on_change(lambda _old, _new: self._schedule_waiting())
            self._pods.on_change(self._changed)
            node_is_there.set()
            group.create_task(self._context.runtime.run(self._retry_all), name="node-runtime")
            group.create_task(self._ahead.run(), name="node-ahead")

    async def stop(self, grace_seconds: float) -> None:
        """Ends every process; their pods run again at the next start."""
        tasks = list(self._running.values())
        for task in (*tasks, *self._side_tasks):
            task.cancel()
        await asyncio.gather(*tasks, *self._side_tasks, return_exceptions=True)
        await asyncio.gather(*(w.stop(grace_seconds) for w in self._workers.values()))
        await self._ahead.close()
        await self._context.runtime.sweep()

    def instance(self, uid: str, container: str) -> Instance | None:
        """What runs of a container; KeyError for a pod that is not here."""
        return self._workers[uid].instance(container)

    def source_changed(self, namespace: str, name: str) -> None:
        """A ConfigMap or Secret changed: volumes follow, waiting containers try again."""
        self._ahead.source_changed(namespace, name)
        for worker in self._workers.values():
            if worker.spec.namespace == namespace:
                worker.retry()
                worker.refresh()

    def _retry_all(self) -> None:
        """The runtime has something new: what could not be started is tried again."""
        for worker in self._workers.values():
            worker.retry()
        self._ahead.images_changed()

    def _is_calm(self) -> bool:
        return not any(worker.is_busy for worker in self._workers.values())

    # -- changes -----------------------------------------------------------------------------

    def _changed(self, old: Object | None, new: Object | None) -> None:
        pod = new or old
        assert pod is not None
        if old is not None and new is not None and meta.uid(old) != meta.uid(new):
            self._gone(old)  # deleted and created anew within one watch event
        if new is None:
            self._gone(pod)
            return
        worker = self._workers.get(meta.uid(pod))
        if worker is not None:
            worker.update(pod, old)
            if worker.is_idle and self._requests[worker.uid]:
                self._requests[worker.uid] = {}
                self._schedule_waiting()
        elif meta.uid(pod) not in self._done:
            self._take(pod)

    def _gone(self, last: Object) -> None:
        uid = meta.uid(last)
        self._unschedulable.pop(uid, None)
        self._done.discard(uid)
        worker = self._workers.get(uid)
        if worker is not None:
            worker.gone(last)

    def _take(self, pod: Object) -> None:
        """A pod that nobody here runs yet."""
        assigned = pod["spec"].get("nodeName")
        is_finished = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
        if is_finished and not meta.is_deleting(pod):
            return  # of an earlier run whose folder is lost: it only waits to be deleted
        if assigned:
            if assigned == self._context.node_name:
                self._start(pod, is_bound=True, known=records_of(pod, self._context.clock()))
        elif self._is_ours_to_schedule(pod):
            self._schedule(pod)

    @staticmethod
    def _is_ours_to_schedule(pod: Object) -> bool:
        spec = pod["spec"]
        return (
            (spec.get("schedulerName") or _SCHEDULER) == _SCHEDULER
            and not spec.get("schedulingGates")
            and not meta.is_deleting(pod)
        )

    def _start(
        self, pod: Object, *, is_bound: bool, known: dict[str, Record] | None = None
    ) -> None:
        found = PodObject(self._pods, pod)
        worker = PodWorker(self._context, found, is_bound=is_bound, known=known)
        self._keep(worker)
        self._run_worker(worker)

    def _keep(self, worker: PodWorker) -> None:
        self._workers[worker.uid] = worker
        self._requests[worker.uid] = {} if worker.is_idle else requests_of(worker.pod)

    def _run_worker(self, worker: PodWorker) -> None:
        task = asyncio.create_task(worker.run(), name=f"pod-{worker.spec.name}")
        self._running[worker.uid] = task

        def ended(finished: asyncio.Task[None]) -> None:
            if finished.cancelled():
                return
            error = finished.exception()
            if error is None:
                self._forget(worker)
            else:
                facts = {"pod": worker.spec.full_name}
                log.error("pod worker failed", extra=facts, exc_info=error)
                self._begin_anew(worker)

        task.add_done_callback(ended)

    def _begin_anew(self, worker: PodWorker) -> None:
        """A worker failed in a way nobody foresaw: its processes end, the pod is taken again."""
        self._drop_worker(worker)
        self._spawn(self._take_again(worker), name=f"again-{worker.spec.name}")

    async def _take_again(self, worker: PodWorker) -> None:
        await self._context.runtime.remove(worker.uid)
        await asyncio.sleep(_ANEW_SECONDS)
        pod = self._pods.get(worker.spec.namespace, worker.spec.name)
        if pod is not None and meta.uid(pod) == worker.uid and worker.uid not in self._workers:
            self._take(pod)

    def _drop_worker(self, worker: PodWorker) -> None:
        self._workers.pop(worker.uid, None)
        self._running.pop(worker.uid, None)
        self._requests.pop(worker.uid, None)

    def _spawn(self, work: Coroutine[Any, Any, None], *, name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._side_tasks.add(task)
        task.add_done_callback(self._side_tasks.discard)

    def _forget(self, worker: PodWorker) -> None:
        self._drop_worker(worker)
        current = self._pods.get(worker.spec.namespace, worker.spec.name)
        if current is not None and meta.uid(current) == worker.uid:
            self._done.add(worker.uid)
        self._schedule_waiting()
        self._ahead.gone(worker.pod, worker.spec)

    # -- scheduling --------------------------------------------------------------------------

    def _schedule(self, pod: Object) -> None:
        node = self._nodes.get("", self._context.node_name)
        if node is None:
            return
        reason = check_fit(pod, node, add_up(self._requests.values()))
        if reason is None:
            self._unschedulable.pop(meta.uid(pod), None)
            self._start(pod, is_bound=False)
            text = f"Successfully assigned {meta.key_text(meta.key(pod))} to {meta.name(node)}"
            self._context.events.tell(
                pod, "Normal", "Scheduled", message=text, component=_SCHEDULER
            )
            return
        known = self._unschedulable.get(meta.uid(pod))
        self._unschedulable[meta.uid(pod)] = (pod, reason)
        if known is None or known[1] != reason:
            self._report(pod, reason)

    def _schedule_waiting(self) -> None:
        """Room or the node changed: those who wait are looked at again, the oldest first."""
        for pod, _ in list(self._unschedulable.values()):
            self._schedule(pod)

    def _report(self, pod: Object, reason: Unschedulable) -> None:
        self._context.events.tell(
            pod, "Warning", "FailedScheduling", message=reason.message, component=_SCHEDULER
        )
        self._spawn(self._write_unschedulable(pod, reason), name=f"unschedulable-{meta.name(pod)}")

    async def _write_unschedulable(self, pod: Object, reason: Unschedulable) -> None:
        condition = {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": reason.message,
            "lastProbeTime": None,
            "lastTransitionTime": clocks.rfc3339(self._context.clock()),
        }
        body = {
            "metadata": {"uid": meta.uid(pod)},
            "status": {"phase": "Pending", "conditions": [condition]},
        }
        try:
            await self._context.client.patch(
                PODS, meta.name(pod), meta.namespace(pod), body, subresource="status"
            )
        except ApiError as error:
            log.debug("condition not written", extra={"error": error.message})

    # -- recovery ----------------------------------------------------------------------------

    async def _recover(self) -> None:
        """Adopts what still runs of pods that still exist; ends everything else of ours.

        Only then anything is started: it would be taken for what is to be ended.
        """
        pods = {meta.uid(pod): pod for pod in self._pods.list()}
        adopted = 0
        for folder in all_folders(self._context.pods_dir):
            saved = folder.load()
            pod = pods.get(saved.uid) if saved is not None else None
            if saved is None or pod is None:
                folder.remove()  # what ran in it ends with the sweep
            else:
                adopted += await self._restore(pod, saved)
        await self._ahead.sweep()
        ended = await self._context.runtime.sweep()
        if adopted or ended:
            facts = {"adopted": adopted, "ended": ended}
            log.info("containers of an earlier run found", extra=facts)
        for worker in self._workers.values():
            self._run_worker(worker)
        current = {meta.uid(pod) for pod in self._pods.list()}
        for uid in self._workers.keys() - current:  # deleted while we looked
            self._gone(pods[uid])

    async def _restore(self, pod: Object, saved: SavedPod) -> int:
        """Returns how many containers were adopted. One bad pod keeps no other from its own."""
        try:
            found, is_bound = PodObject(self._pods, pod), bool(pod["spec"].get("nodeName"))
            worker = PodWorker(self._context, found, is_bound=is_bound)
            adopted = await worker.restore(saved)
        except Exception:
            log.exception("pod not restored", extra={"pod": meta.key_text(meta.key(pod))})
            await self._context.runtime.remove(saved.uid)
            return 0
        self._keep(worker)
        return adopted
