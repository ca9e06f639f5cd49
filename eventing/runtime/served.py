"""Objects that the broker process serves without a log: it says in their status that it does.

Requests come to what the watch caches hold; before the mark an address is not told.
"""

from __future__ import annotations

from collections.abc import Mapping

from eventing.api import keys
from eventing.api.sinkviews import (
    EVENTTRANSFORM_SOURCE,
    INTEGRATIONSINK_SOURCE,
    JOBSINK_SOURCE,
    KAFKASINK_SOURCE,
    REQUESTREPLY_SOURCE,
)
from eventing.api.views import status_annotation
from eventing.runtime.followers import patch_status
from eventing.runtime.places import (
    EVENT_TRANSFORM,
    INTEGRATION_SINK,
    JOB_SINK,
    KAFKA_SINK,
    REQUEST_REPLY,
    Place,
)
from hearth.kube.controllerspec import Source
from hearth.kube.manager import Manager
from hearth.kube.meta import Key, Object, is_deleting

SOURCES: Mapping[str, Source] = {
    REQUEST_REPLY: REQUESTREPLY_SOURCE,
    JOB_SINK: JOBSINK_SOURCE,
    EVENT_TRANSFORM: EVENTTRANSFORM_SOURCE,
    INTEGRATION_SINK: INTEGRATIONSINK_SOURCE,
    KAFKA_SINK: KAFKASINK_SOURCE,
}
"""By the kind of their places."""
_OPENED_ELSEWHERE = {KAFKA_SINK}
"""What more than being known of has to come before."""


class Served:
    """Follows these objects. The manager runs it."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager
        for kind in SOURCES.keys() - _OPENED_ELSEWHERE:
            source = SOURCES[kind]
            follow = _Follower(manager, source)
            manager.add_controller(f"{kind}-served", follow.sync, source=source)

    def find(self, place: Place) -> Object | None:
        """Return the object of a place."""
        found = self._manager.get(SOURCES[place.kind], *place[1:])
        return None if found is None or is_deleting(found) else found


class _Follower:
    def __init__(self, manager: Manager, source: Source) -> None:
        self._manager = manager
        self._source = source

    async def sync(self, key: Key) -> None:
        """Say that an object is served."""
        found = self._manager.get(self._source, *key)
        if found is None or is_deleting(found):
            return
        if status_annotation(found, keys.OPENED_ANNOTATION) != "true":
            marks = {"annotations": {keys.OPENED_ANNOTATION: "true"}}
            await patch_status(self._manager, self._source.resource, found, marks)
