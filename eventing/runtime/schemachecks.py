"""Checks events by the schemas of EventTypes, for the Brokers that ask for it. Nothing runs before.

EventTypes are watched from the first such Broker on. A schema is made ready when the first event of
its type comes, and kept until EventTypes change.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from time import monotonic

from eventing.api.schemachecks import (
    ENFORCE,
    EVENTTYPE_SOURCE,
    SCHEMA_CHECK,
    WARN,
    TypeSchema,
    is_about,
    schema_of,
)
from eventing.codec import CodecError
from eventing.engines.event import RenderedEvent
from eventing.engines.seam import Refused
from eventing.runtime.metrics import EndpointCounters
from hearth.kube import meta
from hearth.kube.cache import WatchCache
from hearth.kube.manager import Manager
from hearth.kube.meta import Object, namespace

log = logging.getLogger(__name__)

_PAUSE_SECONDS = 10.0
"""Events that do not satisfy a schema are logged this often at most, for each Broker."""


def mode_of(broker: Object) -> str | None:
    """Return how a Broker's events are checked; None where they are not."""
    mode = meta.annotations(broker).get(SCHEMA_CHECK)
    return mode if mode in (ENFORCE, WARN) else None


class SchemaChecks:
    """The checks of all Brokers."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager
        self._types: WatchCache | None = None
        self.changes = 0
        """How often EventTypes have changed."""

    def of(self, broker: Object, counters: EndpointCounters) -> SchemaCheck | None:
        """Return the check that a Broker asks for; None where it asks for none."""
        mode = mode_of(broker)
        if mode is None:
            return None
        if self._types is None:
            self._types = self._manager.cache(EVENTTYPE_SOURCE)
            self._manager.on_change(EVENTTYPE_SOURCE, self._changed)
        return SchemaCheck(self, broker, mode, counters=counters)

    @property
    def are_known(self) -> bool:
        """Whether it is known which EventTypes there are."""
        return self._types is not None and self._types.is_synced

    def _changed(self, _old: Object | None, _new: Object | None) -> None:
        self.changes += 1

    def about(self, broker: Object) -> dict[str, list[TypeSchema]]:
        """Return the schemas that are about a Broker's events, by type."""
        found: dict[str, list[TypeSchema]] = {}
        for each in self._manager.list(EVENTTYPE_SOURCE, namespace(broker)):
            schema = schema_of(each) if is_about(each, broker) else None
            if schema is not None:
                found.setdefault(schema.type, []).append(schema)
        return found


class SchemaCheck:
    """The check of one Broker."""

    def __init__(
        self, checks: SchemaChecks, broker: Object, mode: str, *, counters: EndpointCounters
    ) -> None:
        self.mode = mode
        self._checks = checks
        self._broker = broker
        self._counters = counters
        self._seen = -1
        self._schemas: dict[str, list[TypeSchema]] = {}
        self._ready: dict[str, object] = {}
        self._logged_at = float("-inf")

    def sent(self, events: Sequence[RenderedEvent]) -> None:
        """Check what a producer sends; raise as ``replied`` does, or Refused.

        Before it is known which EventTypes there are nothing passes that they would not let pass.
        """
        if self.mode == ENFORCE and not self._checks.are_known:
            raise Refused("the schemas of events are being read")
        self.replied(events)

    def replied(self, events: Sequence[RenderedEvent]) -> None:
        """Raise CodecError for the first event that does not satisfy a schema of its type.

        Where the check only warns it is counted and logged.
        """
        for event in events:
            problem = self.problem_of(event)
            if problem:
                self._counters.unsound += 1
                if self.mode == ENFORCE:
                    raise CodecError(problem)
                self._warn(event, problem)

    def problem_of(self, event: RenderedEvent) -> str:
        """Return what is wrong with an event's data, and by which EventType."""
        if self._seen != self._checks.changes:
            self._schemas = self._checks.about(self._broker)
            self._ready.clear()
            self._seen = self._checks.changes
        attributes = event.attributes
        for each in self._schemas.get(attributes.get("type", ""), ()):
            if each.source and each.source != attributes.get("source"):
                continue
            problem = self._problem(each, event.data, attributes.get("datacontenttype"))
            if problem:
                return f"EventType {each.event_type}: {problem}"
        return ""

    def _problem(self, given: TypeSchema, data: bytes, content_type: str | None) -> str:
        from eventing.schemas.checker import Schema
        from eventing.schemas.work import SchemaError

        schema = self._ready.get(given.event_type)
        if schema is None:
            try:
                schema = Schema(given.schema)
            except SchemaError as error:
                facts = {"event_type": given.event_type, "error": str(error)}
                log.error("a schema is not served: events are not checked by it", extra=facts)
                schema = error
            self._ready[given.event_type] = schema
        return schema.problem_of(data, content_type) if isinstance(schema, Schema) else ""

    def _warn(self, event: RenderedEvent, problem: str) -> None:
        now = monotonic()
        if now - self._logged_at >= _PAUSE_SECONDS:
            self._logged_at = now
            facts = {"event": event.attributes.get("id"), "problem": problem}
            log.warning("an event does not satisfy the schema of its type", extra=facts)
