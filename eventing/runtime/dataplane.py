"""All that takes events in and delivers them in one process, whatever objects ask for it."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from eventing.api.channelkinds import CHANNEL_KINDS
from eventing.api.keys import (
    DEAD_LETTER_SINK_ANNOTATION,
    INGRESS_SERVICE,
    SYSTEM_NAMESPACE,
)
from eventing.api.views import status_annotation, status_of
from eventing.engines.seam import Refused
from eventing.runtime.addressable import Addressable
from eventing.runtime.answers import Exchange
from eventing.runtime.asyncs.exchange import Asyncs
from eventing.runtime.brokers import Brokers
from eventing.runtime.channels import Channels
from eventing.runtime.client import DeliveryClient
from eventing.runtime.config import IngressLimits
from eventing.runtime.deadjobs import DeadJobs
from eventing.runtime.diskwatch import DiskWatch
from eventing.runtime.eventtransform import EventTransforms
from eventing.runtime.integrationsink import IntegrationSinks
from eventing.runtime.jobsink import JobSinks
from eventing.runtime.kafkasinks import KafkaSinks
from eventing.runtime.openlogs import OpenLogs
from eventing.runtime.places import (
    BROKER,
    EVENT_TRANSFORM,
    INTEGRATION_SINK,
    JOB_SINK,
    KAFKA_SINK,
    REQUEST_REPLY,
    Place,
    channel_of,
    place_by_host,
)
from eventing.runtime.requestreply import RequestReplies
from eventing.runtime.served import Served
from eventing.runtime.target import Address, BadTarget, Reach, Target, parse_target
from hearth.kube.errors import ApiError
from hearth.kube.manager import Manager

log = logging.getLogger(__name__)

_OWN_HOST = f"{INGRESS_SERVICE}.{SYSTEM_NAMESPACE}.svc."
_GATEWAY = ("hearth-internal-gateway.knative-serving.svc", 80)
"""In a cluster, whose pods resolve names."""


class DataPlane:
    """The logs that are open, and who follows the objects they belong to. The manager runs it."""

    def __init__(
        self,
        manager: Manager,
        logs: OpenLogs,
        *,
        gateway: Address | None,
        client: DeliveryClient,
        folder: Path,
        listener: Address | None = None,
        authorities: Callable[[], str] = str,
    ) -> None:
        """``folder`` is for what is kept beside the logs; ``listener`` is where we listen.

        ``authorities`` tells whom to trust (PEM) where events are handed on to pods of ours.
        """
        self._client = manager.client
        self._logs = logs
        self._gateway = gateway
        self._listener = listener
        reach = Reach(gateway, self._own_address)
        self._followers: Mapping[str, Brokers | Channels] = {
            BROKER: Brokers(manager, logs, reach=reach),
            **{kind.place: Channels(manager, logs, kind, reach=reach) for kind in CHANNEL_KINDS},
        }
        self._served = Served(manager)
        self._dead = DeadJobs(folder / "jobsinks", manager, client, self._sinks_of)
        self._transforms = EventTransforms(self._served.find, client, gateway=gateway)
        self._integrations = IntegrationSinks(
            self._served.find, client, gateway=gateway, authorities=authorities
        )
        self._kafka_sinks = KafkaSinks(manager, tells=logs.dispatches)
        self.asyncs: Asyncs | None = None
        if logs.moves is not None:  # results are files: one process has all
            way = gateway or _GATEWAY
            self.asyncs = Asyncs(self.find, client, gateway=way, folder=folder / "async")
        self.disk = DiskWatch(logs, self._sizes)
        self.job_sinks = JobSinks(
            manager.client, self._served.find, self._dead, full=self.disk.refusal
        )
        if logs.dispatches:
            manager.add_runnable("orphans", self._drop_orphans)
            manager.add_runnable("checkpoints", logs.checkpoints)
            manager.add_runnable("disk-quota", self.disk.run)
            if self.asyncs is not None:
                manager.add_runnable("async-results", self.asyncs.results.sweep)

    def _sizes(self) -> Counter[str]:
        found = Counter(self._dead.sizes())
        if self.asyncs is not None:
            found.update(self.asyncs.results.by_namespace())
        return found

    def find(self, place: Place) -> Addressable | None:
        """Return what to append to; raise Refused where it exists but is not open yet."""
        addressable = self._logs.find(place)
        if addressable is None and self._is_opening(place):
            raise Refused(f"the {place.kind} is being opened")
        return addressable

    def _is_opening(self, place: Place) -> bool:
        """Whether there is such an object; hosts may name channels of several kinds."""
        return any(
            follower.is_opening(place[1:])
            for kind, follower in self._followers.items()
            if kind == place.kind or place_by_host(place._replace(kind=kind)) == place
        )

    def exchanges(self, limits: IngressLimits) -> Mapping[str, Exchange]:
        """Return who answers at places without a log, by their kind."""
        return {
            REQUEST_REPLY: RequestReplies(self._served.find, self._logs.find, limits=limits),
            JOB_SINK: self.job_sinks,
            EVENT_TRANSFORM: self._transforms,
            INTEGRATION_SINK: self._integrations,
            KAFKA_SINK: self._kafka_sinks,
        }

    def _sinks_of(self, namespace: str, name: str) -> tuple[str, Target | None]:
        """The address of a JobSink, and its dead letter sink."""
        sink = self._served.find(Place(JOB_SINK, namespace, name)) or {}
        url = status_annotation(sink, DEAD_LETTER_SINK_ANNOTATION)
        address = (status_of(sink).get("address") or {}).get("url", "")
        try:
            return address, parse_target(url, self._gateway) if url else None
        except BadTarget:
            return address, None

    def _own_address(self, host: str) -> Address | None:
        """Ours are the channels that we serve: from one to the next nothing lies between."""
        place = channel_of(host.encode())
        is_own = host.startswith(_OWN_HOST) or (place is not None and self._is_opening(place))
        return self._listener if is_own else None

    def synced(self) -> None:
        """Note that the manager has its first lists."""
        for follower in self._followers.values():
            follower.synced()
        if self._dead.kept:
            self._dead.follow()

    async def opened(self) -> None:
        """Wait until all objects of the first lists are open, but for those that failed to."""
        for follower in self._followers.values():
            await follower.first_list.wait()

    async def close(self) -> None:
        """End what was begun for places without a log."""
        await self.job_sinks.close()
        await self._transforms.close()
        await self._integrations.close()
        await self._kafka_sinks.close()
        await self._dead.close()
        if self.asyncs is not None:
            await self.asyncs.close()

    async def _drop_orphans(self) -> None:
        """Remove logs of objects deleted while nobody looked."""
        needed = {each for found in self._followers.values() for each in found.classes()}
        try:
            await self._logs.drop_orphans(needed, self._owned)
        except ApiError as error:
            log.warning("logs that nobody owns are not looked for", extra=error.facts)

    async def _owned(self) -> set[str]:
        """Return the keys of all logs that there should be, of whatever class: they may move."""
        owned: set[str] = set()
        for follower in self._followers.values():
            objects, _ = await self._client.list(follower.resource)
            owned.update(map(follower.log_key, objects))
        return owned
