"""Keeps the data plane in step with the channels of one kind.

Each has a log of its own, and each of its subscribers a consumer of it. Who is subscribed is told
in the status: an event sent after a Subscription is ready is not missed.
"""

from __future__ import annotations

import logging
from typing import Any

from eventing.api import keys
from eventing.api.channelkinds import ChannelKind
from eventing.api.channelviews import channel_log_key, subscribers_of
from eventing.api.joins import JoinOptions
from eventing.api.views import status_annotation, status_of
from eventing.engines.seam import Unavailable
from eventing.runtime import views
from eventing.runtime.addressable import Addressable
from eventing.runtime.followers import CONFIG_SOURCE, FirstList, cannot_open, patch_status
from eventing.runtime.openlogs import OpenLogs
from eventing.runtime.places import Place
from eventing.runtime.target import Reach
from hearth.kube.manager import Manager
from hearth.kube.meta import Key, Object, is_deleting, key, key_text

log = logging.getLogger(__name__)


class Channels:
    """Follows the channels of a kind. The manager runs it."""

    def __init__(
        self, manager: Manager, logs: OpenLogs, kind: ChannelKind, *, reach: Reach
    ) -> None:
        self.first_list = FirstList()
        self.resource = kind.resource
        self._manager = manager
        self._logs = logs
        self._kind = kind
        self._reach = reach
        if kind.config_map is not None:
            manager.cache(CONFIG_SOURCE)
        logs.problem_listeners.append(self._look_again)
        manager.add_controller(f"{kind.place}-log", self._sync, source=kind.source)

    def _look_again(self, place: Place) -> None:
        if place.kind == self._kind.place:
            self._manager.enqueue(f"{place.kind}-log", (place.namespace, place.name))

    def is_opening(self, channel_key: Key) -> bool:
        """Whether there is such a channel, to be opened."""
        channel = self._manager.get(self._kind.source, *channel_key)
        return channel is not None and not is_deleting(channel)

    def synced(self) -> None:
        """Note that the manager has its first lists."""
        self.first_list.came(key(each) for each in self._manager.list(self._kind.source))

    def classes(self) -> set[str]:
        """Return the class of the channels' engine, where there are any."""
        return {self._kind.engine_class} if self._manager.list(self._kind.source) else set()

    def log_key(self, channel: Object) -> str:
        """Return the key of a channel's log."""
        return channel_log_key(channel)

    async def _sync(self, channel_key: Key) -> None:
        try:
            await self._open_or_close(channel_key)
        finally:
            self.first_list.tried(channel_key)

    async def _open_or_close(self, channel_key: Key) -> None:
        channel = self._manager.get(self._kind.source, *channel_key)
        place, engine_class = Place(self._kind.place, *channel_key), self._kind.engine_class
        if channel is None or is_deleting(channel) or not self._logs.serves(engine_class):
            await self._logs.close_other(place, None)
            return

        async def prepare(addressable: Addressable) -> None:
            addressable.marks = views.marks_events(channel)

        try:
            addressable = await self._logs.open(
                place,
                channel_log_key(channel),
                engine_class,
                prepare=prepare,
                options=self._kind.options(channel, self._config_map()),
            )
        except (Unavailable, ValueError) as error:
            await self._cannot_open(channel, error)
            return
        addressable.marks = views.marks_events(channel)
        if self._logs.dispatches:
            await addressable.join(_join_of(channel))
            await self._subscribe(channel, addressable)

    def _config_map(self) -> Object | None:
        title = self._kind.config_map
        return self._manager.get(CONFIG_SOURCE, keys.SYSTEM_NAMESPACE, title) if title else None

    async def _cannot_open(self, channel: Object, error: Exception) -> None:
        """Say why; what may come right by itself is tried again (it is raised)."""
        if self._logs.dispatches:
            await cannot_open(self._manager, self._kind.resource, channel, error)
        if isinstance(error, Unavailable):
            raise error

    async def _subscribe(self, channel: Object, addressable: Addressable) -> None:
        subscribers = subscribers_of(channel)
        await addressable.keep_only({each["uid"] for each in subscribers})
        told = [await self._subscribed(channel, each, addressable) for each in subscribers]
        status = status_of(channel)
        problem = addressable.log.stats().problem or None
        marks = {keys.OPENED_ANNOTATION: "true", keys.PROBLEM_ANNOTATION: problem}
        is_told = all(status_annotation(channel, name) == text for name, text in marks.items())
        if is_told and (status.get("subscribers") or []) == told:
            return
        changes = {"annotations": marks, "subscribers": told}
        await patch_status(self._manager, self._kind.resource, channel, changes)

    async def _subscribed(
        self, channel: Object, subscriber: dict[str, Any], addressable: Addressable
    ) -> dict[str, Any]:
        """Subscribe one, and return what is told of it."""
        told = {"uid": subscriber["uid"], "observedGeneration": subscriber.get("generation", 0)}
        try:
            spec = views.channel_subscription(channel, subscriber, self._reach, self._kind.usual)
        except ValueError as error:
            facts = {"channel": key_text(key(channel)), "error": str(error)}
            log.info("subscriber not served", extra=facts)
            return {**told, "ready": "False", "message": str(error)}
        await addressable.subscribe(spec)
        return {**told, "ready": "True"}


def _join_of(channel: Object) -> JoinOptions | None:
    try:
        return views.join_of(channel)
    except (ValueError, TypeError) as error:
        log.error("no join", extra={"channel": key_text(key(channel)), "error": str(error)})
        return None
