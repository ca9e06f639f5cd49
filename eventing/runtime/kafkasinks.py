"""KafkaSinks: a topic for each, which events are written to; 202 when Kafka has them.

The status says when a topic is there, or why not; and when a sink that is to go may, for its topic
goes first, if it is ours.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from eventing.api import keys
from eventing.api.kafkasinkviews import (
    FINALIZER,
    OURS,
    TOPIC_OWNER,
    is_structured,
    owner_of,
    problem_text,
    secret_of,
)
from eventing.api.sinkviews import KAFKASINK_SOURCE
from eventing.api.views import spec_of, status_annotation
from eventing.codec import Event
from eventing.codec.binary import Header
from eventing.engines.classes import kafka_topics
from eventing.engines.seam import Refused
from eventing.engines.topics import Outlet, TopicProblem, Topics, WantedTopic
from eventing.runtime.answers import Respond, answer, refusal
from eventing.runtime.followers import patch_status
from eventing.runtime.places import Place
from hearth.knative.resources import KAFKASINKS
from hearth.kube.errors import ApiError, Retryable
from hearth.kube.manager import Manager
from hearth.kube.meta import Key, Object, finalizers, is_deleting, key_text, namespace
from hearth.kube.resources import SECRETS

log = logging.getLogger(__name__)

_ACCEPTED = answer(202)
_NO_SECRET = "Failed to get secret"


@dataclass(frozen=True, slots=True)
class _Open:
    wanted: WantedTopic
    outlet: Outlet
    structured: bool


class KafkaSinks:
    """Follows KafkaSinks, and takes their events. The manager runs it."""

    def __init__(
        self, manager: Manager, *, tells: bool, make: Callable[[], Topics] = kafka_topics
    ) -> None:
        """``tells``: whether this process writes statuses, and removes topics."""
        self._manager = manager
        self._tells = tells
        self._make = make
        self._topics: Topics | None = None
        self._open: dict[Key, _Open] = {}
        manager.add_controller("kafkasink-topic", self._sync, source=KAFKASINK_SOURCE)

    # -- their events ------------------------------------------------------------------------

    def receive(
        self, place: Place, headers: Sequence[Header], events: Sequence[Event], respond: Respond
    ) -> None:
        """Take events; raise Refused where they cannot be taken."""
        opened = self._open.get(place[1:])
        if opened is None:
            sink = self._manager.get(KAFKASINK_SOURCE, *place[1:])
            if sink is not None and not is_deleting(sink):
                raise Refused(f"the {place} is being opened")
            respond(answer(404, f"there is no {place}"))
            return

        def done(refused: Refused | None) -> None:
            respond(_ACCEPTED if refused is None else refusal(refused))

        if events:
            opened.outlet.write(events, done, structured=opened.structured)
        else:
            done(None)

    # -- their topics ------------------------------------------------------------------------

    async def _sync(self, key: Key) -> None:
        sink = self._manager.get(KAFKASINK_SOURCE, *key)
        try:
            if sink is None or is_deleting(sink):
                await self._leave(key, sink)
            else:
                await self._enter(key, sink)
        except TopicProblem as problem:
            facts = {"kafkasink": key_text(key), "error": str(problem)}
            log.warning("the topic of a KafkaSink cannot be used", extra=facts)
            if sink is not None:
                text = problem_text(problem.reason, str(problem))
                marks = {keys.PROBLEM_ANNOTATION: text, keys.OPENED_ANNOTATION: None}
                await self._mark(sink, marks)
            raise Retryable(str(problem)) from problem

    async def _enter(self, key: Key, sink: Object) -> None:
        wanted, before = await self._wanted(sink), self._open.get(key)
        if before is None or before.wanted != wanted:
            self._open.pop(key, None)
            topics = self._topics = self._topics or self._make()
            outlet = await topics.open(wanted)
            self._open[key] = _Open(wanted, outlet, is_structured(sink))
            if before is not None:
                await self._release(before.wanted)
        elif before.structured != is_structured(sink):
            self._open[key] = _Open(wanted, before.outlet, is_structured(sink))
        await self._mark(sink, {keys.OPENED_ANNOTATION: "true", keys.PROBLEM_ANNOTATION: None})

    async def _leave(self, key: Key, sink: Object | None) -> None:
        opened = self._open.pop(key, None)
        if sink is not None and self._tells and FINALIZER in finalizers(sink):
            if status_annotation(sink, TOPIC_OWNER) == OURS:
                topics = self._topics = self._topics or self._make()
                await topics.drop(await self._wanted(sink))
            await self._mark(sink, {keys.CLOSED_ANNOTATION: "true"})
        if opened is not None:
            await self._release(opened.wanted)

    async def _release(self, wanted: WantedTopic) -> None:
        """Let a topic go that no other sink writes to."""
        if self._topics is not None and all(
            each.wanted.where != wanted.where for each in self._open.values()
        ):
            await self._topics.release(wanted)

    async def _wanted(self, sink: Object) -> WantedTopic:
        spec = spec_of(sink)
        ours = owner_of(sink) == OURS
        return WantedTopic(
            ",".join(spec.get("bootstrapServers") or ()),
            str(spec.get("topic") or ""),
            partitions=spec.get("numPartitions") if ours else None,
            replicas=spec.get("replicationFactor") if ours else None,
            secret=await self._secret(sink),
        )

    async def _secret(self, sink: Object) -> dict[str, str]:
        name = secret_of(sink)
        if not name:
            return {}
        try:
            found = await self._manager.client.get(SECRETS, name, namespace(sink))
        except ApiError as error:
            where = f"{namespace(sink)}/{name}"
            why = f"failed to get secret {where}: {error.message}"
            raise TopicProblem(_NO_SECRET, why) from error
        return {
            field: base64.b64decode(text).decode("utf-8", "replace")
            for field, text in (found.get("data") or {}).items()
        }

    async def _mark(self, sink: Object, marks: dict[str, str | None]) -> None:
        if self._tells and any(status_annotation(sink, of) != say for of, say in marks.items()):
            await patch_status(self._manager, KAFKASINKS, sink, {"annotations": marks})

    async def close(self) -> None:
        """Write to no topic any more."""
        if self._topics is not None:
            await self._topics.close()
