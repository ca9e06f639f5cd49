"""Writes the binding and the status of one pod, in order, one request at a time.

The worker offers what it observes; of several offers made during a request only the last is
written. A status never goes out before the ports that it belongs to.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from hearth.cluster.node.pod.lifecycle import Observed
from hearth.cluster.node.pod.network import PortMap, annotation_text
from hearth.cluster.node.pod.spec import PodSpec
from hearth.cluster.node.pod.status import Status, make_status
from hearth.cluster.node.worker.context import NodeContext
from hearth.cluster.node.worker.wakeup import Wakeup
from hearth.kube.encoding import kept_json
from hearth.kube.errors import ApiError, Conflict, Invalid, NotFound
from hearth.kube.meta import Object
from hearth.kube.resources import PODS
from hearth.kube.serviceports import PORTS_ANNOTATION
from hearth.timeouts import time_limit

log = logging.getLogger(__name__)

_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 5.0
_FINISH_SECONDS = 20.0


class StatusWriter:
    """Writes while ``run`` runs; ``finish`` ends the object.

    ``pod`` gives it as it is now: conditions of others are taken over from it.
    """

    def __init__(
        self, context: NodeContext, spec: PodSpec, pod: Callable[[], Object], *, is_bound: bool
    ) -> None:
        self._context = context
        self._spec = spec
        self._pod = pod
        self._is_bound = is_bound
        self._offered = b""
        self._ports: PortMap = {}
        self._sent = b""
        """The status as JSON, a quarter of the size of the object; empty before the first."""
        self._sent_ports: PortMap = {}
        self._wakeup = Wakeup()
        self._turn = asyncio.Lock()
        self._is_lost = False

    def offer(self, observed: Observed, *, now: float) -> None:
        """Notes what the status should be; wakes the writer when that is news."""
        offered = kept_json(make_status(self._spec, observed, self._previous(), now=now))
        self._offered = self._sent if offered == self._sent else offered
        self._ports = observed.network.ports
        if self._offered != self._sent or self._sent_ports != self._ports or not self._is_bound:
            self._wakeup.set()

    def _previous(self) -> Mapping[str, Any]:
        """What transition times are kept from: our last status, with the conditions of others."""
        current = self._pod().get("status") or {}
        if not self._sent:
            return current
        sent: Status = orjson.loads(self._sent)
        ours = {c["type"] for c in sent["conditions"]}
        foreign = [c for c in current.get("conditions") or () if c["type"] not in ours]
        known = {c["type"]: c for c in current.get("conditions") or ()}
        gates = set(self._spec.readiness_gates)
        kept = [known.get(c["type"], c) if c["type"] in gates else c for c in sent["conditions"]]
        return {**sent, "conditions": kept + foreign}

    async def run(self) -> None:
        """Writes what is offered until cancelled, or until the pod is not in the API any more."""
        pause = _FIRST_PAUSE
        while True:
            await self._wakeup.wait()
            self._wakeup.clear()
            try:
                await self._write()
                pause = _FIRST_PAUSE
            except NotFound:
                self._is_lost = True
                return
            except (Conflict, Invalid) as error:
                log.warning(
                    "status refused",
                    extra={"pod": self._spec.full_name, "error": error.message},
                )
                await asyncio.sleep(_LONGEST_PAUSE)
            except ApiError:
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
                self._wakeup.set()

    async def finish(self, observed: Observed) -> None:
        """The last status, then the end of the object; given up on after a while."""
        pause = _FIRST_PAUSE
        try:
            async with time_limit(_FINISH_SECONDS):
                while not self._is_lost:
                    try:
                        self.offer(observed, now=self._context.clock())
                        await self._write()
                        await self._delete()
                        return
                    except NotFound:
                        return
                    except ApiError as error:
                        log.debug(
                            "pod not removed yet",
                            extra={"pod": self._spec.full_name, "error": error.message},
                        )
                        await asyncio.sleep(pause)
                        pause = min(pause * 2, _LONGEST_PAUSE)
        except TimeoutError:
            log.warning("pod not removed from the API", extra={"pod": self._spec.full_name})

    async def _delete(self) -> None:
        await self._context.client.delete(
            PODS,
            self._spec.name,
            self._spec.namespace,
            grace_period_seconds=0,
            uid=self._spec.uid,
        )

    async def _write(self) -> None:
        """Binding and status go out side by side: those who wait for the port wait once.

        The last status does not go out beside itself: who ends the pod waits for what is under way.
        """
        async with self._turn:
            await self._write_what_is_new()

    async def _write_what_is_new(self) -> None:
        if self._is_bound:
            await self._write_status()
            return
        outcomes = await asyncio.gather(self._bind(), self._write_status(), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    async def _write_status(self) -> None:
        offered, ports = self._offered, self._ports
        if not offered or (offered == self._sent and ports == self._sent_ports):
            return
        metadata: Object = {"uid": self._spec.uid}
        if ports != self._sent_ports:
            metadata["annotations"] = {PORTS_ANNOTATION: annotation_text(ports)}
        # Fields that the status no longer has are removed by name: this is a merge patch.
        before = orjson.loads(self._sent) if self._sent else self._pod().get("status") or {}
        status: Status = orjson.loads(offered)
        stale: Status = {key: None for key in before if key not in status}
        await self._context.client.patch(
            PODS,
            self._spec.name,
            self._spec.namespace,
            {"metadata": metadata, "status": {**stale, **status}},
            subresource="status",
        )
        self._sent, self._sent_ports = offered, ports

    async def _bind(self) -> None:
        """Assigns the pod to this node; the ports go with it, so nobody sees one without."""
        annotations = {PORTS_ANNOTATION: annotation_text(self._ports)} if self._ports else {}
        body = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {
                "name": self._spec.name,
                "namespace": self._spec.namespace,
                "uid": self._spec.uid,
                "annotations": annotations,
            },
            "target": {"apiVersion": "v1", "kind": "Node", "name": self._context.node_name},
        }
        path = PODS.path(self._spec.namespace, self._spec.name, "binding")
        try:
            await self._context.client.request("POST", path, body=body)
        except Conflict as error:
            if "already assigned to node" not in error.message:
                raise
        self._is_bound = True
