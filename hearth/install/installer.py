"""Puts objects into a cluster, in order, and waits until they serve.

Server-side apply with one field manager. A field that somebody else has set since is left to them
and told of. What an earlier version installed and this one does not is removed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hearth.install.cluster import Cluster
from hearth.install.differences import difference
from hearth.install.fieldpaths import held_fields, without_field
from hearth.install.immutable import as_made, as_settled
from hearth.install.order import ESSENTIAL, describe, left_over, ordered
from hearth.install.progress import WAITED_FOR, missing, troubles
from hearth.install.values import Values
from hearth.kube.errors import Conflict, Forbidden, Invalid, NotFound
from hearth.kube.meta import Object, name, namespace, resource_version, uid

MANAGER = "hearth-install"
_POLL_SECONDS = 0.2
_ESTABLISHED_SECONDS = 30.0
_TELL_SECONDS = 5.0
Say = Callable[[str], None]


class NotReady(Exception):
    """Something did not get ready in time; the text says what and, where it tells, why."""


class Refused(Exception):
    """The cluster refused a write; the text has its reason, and what can be done."""


@dataclass
class Report:
    """What was done: objects by what became of them, and fields that were left to others."""

    created: list[str] = field(default_factory=list)
    configured: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)


class Installer:
    """Applies one set of objects."""

    def __init__(
        self,
        cluster: Cluster,
        objects: Sequence[Object],
        *,
        say: Say,
        chosen: Values,
        force: bool = False,
    ) -> None:
        """Take what to apply; ``chosen`` are the values that were given, not the defaults."""
        self._cluster = cluster
        self._objects = ordered(objects)
        self._say = say
        self._chosen = chosen
        self._force = force

    async def differences(self) -> list[str]:
        """Return what applying would change, as the cluster itself says, without changing it."""
        found = []
        for obj in self._objects:
            before = await self._cluster.find(obj)
            after = await self._would_be(obj, before)
            text = difference(describe(obj), before, after)
            if text:
                found.append(text)
        return found

    async def _would_be(self, obj: Object, before: Object | None) -> Object:
        try:
            after, _ = await self._applied(obj, before, dry_run=True)
        except NotFound:  # its namespace is yet to be made
            return obj
        return after

    async def apply(self) -> Report:
        """Apply everything in order; what follows the definitions is applied once they serve."""
        report = Report()
        first = [obj for obj in self._objects if obj["kind"] in ESSENTIAL]
        for obj in first:
            await self._apply_one(obj, report)
        await self._wait(first, seconds=_ESTABLISHED_SECONDS, tell=lambda _: None)
        for obj in self._objects[len(first) :]:
            await self._apply_one(obj, report)
        await self._remove_left_over(report)
        return report

    async def _apply_one(self, obj: Object, report: Report) -> None:
        title, before = describe(obj), await self._cluster.find(obj)
        try:
            after, left = await self._applied(obj, before)
        except Forbidden as error:
            raise Refused(f"{title}: {error.message}") from error
        except Invalid as error:
            again = (
                "" if before is None else "; if somebody changed it, delete it and install again"
            )
            raise Refused(f"{title}: {error.message}{again}") from error
        report.kept += [f"{title} {text}" for text in left]
        if before is None:
            report.created.append(title)
            self._say(f"created {title}")
        elif resource_version(before) == resource_version(after):
            report.unchanged.append(title)
        else:
            report.configured.append(title)
            self._say(f"configured {title}")

    async def _applied(
        self, obj: Object, before: Object | None, *, dry_run: bool = False
    ) -> tuple[Object, list[str]]:
        """Apply, once more without what others hold; return the answer and what was left as is."""
        resource = await self._cluster.resource(obj)
        obj, unchanged = as_made(as_settled(obj, before, self._chosen), before)
        left = [unchanged] if unchanged else []
        try:
            answer = await self._cluster.client.apply(
                resource, obj, field_manager=MANAGER, force=self._force, dry_run=dry_run
            )
        except Conflict as conflict:
            held = held_fields(conflict)
            if not held:
                raise
            for each in held:
                obj = without_field(obj, each.path)
            left += [f"{e.path} as {e.manager} set it (--force takes it over)" for e in held]
            answer = await self._cluster.client.apply(
                resource, obj, field_manager=MANAGER, force=False, dry_run=dry_run
            )
        return {"apiVersion": obj["apiVersion"], "kind": obj["kind"], **answer}, left

    async def _remove_left_over(self, report: Report) -> None:
        present = await self._cluster.installed(self._objects)
        for obj in left_over(present, self._objects):
            await remove(self._cluster, obj)
            report.removed.append(describe(obj))
            self._say(f"removed {describe(obj)}, which this version does not have")

    async def wait(self, *, seconds: float) -> None:
        """Return when everything serves; raise NotReady with the reasons when it does not."""
        await self._wait(self._objects, seconds=seconds, tell=self._say)

    async def _wait(self, objects: Sequence[Object], *, seconds: float, tell: Say) -> None:
        told, tell_at = dict[str, str](), 0.0
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        pending = [obj for obj in objects if obj["kind"] in WAITED_FOR]
        while pending := await self._pending(pending, told):
            if loop.time() > deadline:
                raise NotReady("\n".join(await self._reasons(pending, told)))
            if loop.time() >= tell_at:
                for obj in pending:
                    tell(f"waiting for {describe(obj)}: {told[describe(obj)]}")
                tell_at = loop.time() + _TELL_SECONDS
            await asyncio.sleep(_POLL_SECONDS)

    async def _pending(self, objects: Sequence[Object], told: dict[str, str]) -> list[Object]:
        pending = []
        for obj in objects:
            found = await self._cluster.find(obj)
            lacks = missing(found) if found is not None else "is gone"
            if lacks is not None:
                told[describe(obj)] = lacks
                pending.append(obj)
        return pending

    async def _reasons(self, pending: Sequence[Object], told: dict[str, str]) -> list[str]:
        lines = []
        for obj in pending:
            lines.append(f"{describe(obj)}: {told[describe(obj)]}")
            if obj["kind"] in ("Deployment", "StatefulSet"):
                pods = await self._cluster.pods_of(obj)
                claims = await self._cluster.claims_of(obj)
                lines += [f"  {text}" for text in troubles(pods, claims)]
        return lines


async def remove(cluster: Cluster, obj: Object) -> None:
    """Delete an object, unless it was replaced meanwhile or is gone."""
    try:
        await cluster.client.delete(
            await cluster.resource(obj),
            name(obj),
            namespace(obj) or None,
            propagation="Foreground" if obj["kind"] in ("Deployment", "StatefulSet") else None,
            uid=uid(obj),
        )
    except NotFound:
        return
