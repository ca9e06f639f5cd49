"""TriggerAuthentications: who uses each stands in its status, what becomes of it in Events.

Who uses them is told by the objects as they are, so nobody stays listed who was deleted meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator

from hearth.keda.api import keys
from hearth.keda.api.keys import EventReason
from hearth.keda.operator.metrics import count_resource
from hearth.kube.client import KubeClient
from hearth.kube.errors import ApiError, NotFound
from hearth.kube.meta import Key, Object, finalizers, generation, is_deleting, key, name, namespace
from hearth.kube.plan import Event
from hearth.kube.resources import Resource

log = logging.getLogger(__name__)

KINDS = {
    each.kind: each for each in (keys.TRIGGERAUTHENTICATIONS, keys.CLUSTERTRIGGERAUTHENTICATIONS)
}
USERS = {keys.SCALEDOBJECTS: "scaledobjects", keys.SCALEDJOBS: "scaledjobs"}
"""Who uses them, and where in the status they are listed."""
SETTLE_SECONDS, LONGEST_PAUSE = 1.0, 60.0
"""Many objects that come together are one write; what cannot be written waits longer each time."""

Item = tuple[str, Key]
"""Kind and key of an authentication."""


def used_by(obj: Object) -> set[Item]:
    """Return what a ScaledObject or ScaledJob refers to, however it is written."""
    return set(_references(obj))


def _references(obj: Object) -> Iterator[Item]:
    for trigger in (obj.get("spec") or {}).get("triggers") or ():
        reference = (trigger or {}).get("authenticationRef") or {}
        kind = reference.get("kind") or keys.TRIGGERAUTHENTICATIONS.kind
        resource = KINDS.get(kind)
        if resource is not None and reference.get("name"):
            yield kind, (namespace(obj) if resource.namespaced else "", str(reference["name"]))


class Users:
    """Who uses what. Pure."""

    def __init__(self) -> None:
        self._uses: dict[tuple[str, Key], set[Item]] = {}
        self._names: dict[Item, dict[str, set[Key]]] = defaultdict(lambda: defaultdict(set))

    def note(self, member: str, user: Key, uses: set[Item]) -> set[Item]:
        """Take over what an object uses now; return whose users are others than before."""
        before = self._uses.pop((member, user), set())
        if uses:
            self._uses[member, user] = uses
        for item in before - uses:
            self._names[item][member].discard(user)
        for item in uses - before:
            self._names[item][member].add(user)
        return before ^ uses

    def status_of(self, item: Item) -> dict[str, str]:
        """Return the status of an authentication, as KEDA writes it: names and commas."""
        found = self._names.get(item, {})
        listed = {
            member: ",".join(sorted({name for _, name in found.get(member, ())}))
            for member in USERS.values()
        }
        return {member: names for member, names in listed.items() if names}


class Authentications:
    """Writes their statuses. ``run`` goes on until it is cancelled."""

    def __init__(self, client: KubeClient, record: Callable[[Event], None]) -> None:
        self._client = client
        self._record = record
        self._known: dict[Item, Object] = {}
        self._users = Users()
        self._late: set[Item] = set()
        self._changed = asyncio.Event()

    def user_changed(self, resource: Resource, told: str | None, obj: Object) -> None:
        """A ScaledObject or ScaledJob is told of, as ``note`` is."""
        uses = set() if told == "DELETED" else used_by(obj)
        self._look_at(self._users.note(USERS[resource], key(obj), uses))

    def note(self, resource: Resource, told: str | None, obj: Object) -> bool:
        """Take an authentication as its watch tells of it; return whether it is another now."""
        item = resource.kind, key(obj)
        before = self._known.pop(item, None)
        count_resource(resource.kind, namespace(obj), (told != "DELETED") - (before is not None))
        if told == "DELETED":
            return True
        self._known[item] = obj
        self._look_at({item})
        # Who has no finalizer yet has not been told of.
        is_seen = keys.FINALIZER in finalizers(obj)
        is_known = is_seen if before is None else generation(before) == generation(obj)
        if is_known or is_deleting(obj):
            return False
        self._record(Event(obj, "Normal", *_said(resource.kind, obj)))
        return True

    def gone(self, obj: Object) -> None:
        """Tell of the end of an authentication."""
        kind = obj["kind"]
        self._record(Event(obj, "Normal", f"{kind}Deleted", f"{kind} was deleted"))

    def _look_at(self, items: set[Item]) -> None:
        self._late |= items
        if self._late:
            self._changed.set()

    async def run(self) -> None:
        """Who uses what is known before anything is written: nobody is taken for gone."""
        for resource in USERS:
            for each in (await self._client.list(resource))[0]:
                self.user_changed(resource, None, each)
        pause = SETTLE_SECONDS
        while True:
            await self._changed.wait()
            await asyncio.sleep(pause)
            self._changed.clear()
            late, self._late = self._late, set()
            failed = {item for item in late if not await self._written(item)}
            pause = min(2 * pause, LONGEST_PAUSE) if failed else SETTLE_SECONDS
            self._look_at(failed)

    async def _written(self, item: Item) -> bool:
        obj = self._known.get(item)
        status = self._users.status_of(item)
        stored = {} if obj is None else obj.get("status") or {}
        if obj is None or stored == status:
            return True
        change = {"status": {each: status.get(each) for each in USERS.values()}}
        try:
            await self._client.patch(
                KINDS[item[0]], name(obj), namespace(obj) or None, change, subresource="status"
            )
        except NotFound:
            return True
        except ApiError as error:
            log.warning("status not written", extra=error.facts)
            return False
        return True


def _said(kind: str, obj: Object) -> tuple[str, str]:
    """Reason and message of what is told of a new or changed one; both are KEDA's, oddities too."""
    if generation(obj) == 1:
        return f"{kind}Added", f"New {kind} configured"
    reason = EventReason.TRIGGER_AUTHENTICATION_UPDATED
    return reason, f"ClusterTriggerAuthentication {name(obj)} is updated"
