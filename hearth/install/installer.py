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
from hearth.install.order import ESSENTIAL, MANAGER, describe, left_over, ordered
from hearth.install.progress import WAITED_FOR, missing, troubles
from hearth.install.values import Values
from hearth.kube.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from hearth.kube.meta import Object, name, namespace, resource_version, uid

_POLL_SECONDS = 0.2
_ESTABLISHED_SECONDS = 30.0
_UNANSWERED = "failed calling webhook"
"""How an API server says that whom it has to ask gives no answer."""
_TELL_SECONDS = 2.0
_REPEAT_SECONDS = 30.0
_PATIENCE_SECONDS = 10.0
"""So long it is nothing unusual that a volume or a place for a pod is not found yet."""
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

    async def apply(self, *, seconds: float) -> Report:
        """Apply everything in order; what follows the definitions is applied once they serve.

        What a webhook of ours does not answer for is put off, for so long at most: workloads that
        come later bring who answers. Else what does not run could not be mended by installing.
        """
        report, put_off = Report(), list[Object]()
        first = [obj for obj in self._objects if obj["kind"] in ESSENTIAL]
        for obj in first:
            await self._apply_one(obj, report)
        await self._wait(first, seconds=_ESTABLISHED_SECONDS, tell=lambda _: None)
        for obj in self._objects[len(first) :]:
            if not await self._applied_or_unanswered(obj, report, self._say):
                put_off.append(obj)
        await self._apply_later(put_off, report, seconds=seconds)
        await self._remove_left_over(report)
        return report

    async def _applied_or_unanswered(self, obj: Object, report: Report, tell: Say) -> bool:
        try:
            await self._apply_one(obj, report)
        except Unavailable as error:
            if _UNANSWERED not in error.message:
                raise
            tell(f"putting off {describe(obj)}: {error.message}")
            return False
        return True

    async def _apply_later(
        self, objects: Sequence[Object], report: Report, *, seconds: float
    ) -> None:
        said = list[str]()
        deadline = asyncio.get_running_loop().time() + seconds
        for obj in objects:
            while not await self._applied_or_unanswered(obj, report, said.append):
                if asyncio.get_running_loop().time() > deadline:
                    workloads = [each for each in self._objects if each["kind"] in WAITED_FOR]
                    reasons = await self._reasons(await self._lacking(workloads))
                    raise NotReady("\n".join([said[-1], *reasons]))
                await asyncio.sleep(_POLL_SECONDS)

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
        loop = asyncio.get_running_loop()
        began = tell_at = loop.time()
        told, repeat_at = list[str](), began
        # All of them each time: one that was in service may be asked for more by another.
        waited_for = [obj for obj in objects if obj["kind"] in WAITED_FOR]
        while lacking := await self._lacking(waited_for):
            now = loop.time()
            if now > began + seconds:
                raise NotReady("\n".join(await self._reasons(lacking)))
            if now >= tell_at:
                is_early = now < began + _PATIENCE_SECONDS
                reasons = await self._reasons(lacking, of_pods=not is_early)
                if now >= repeat_at:
                    told, repeat_at = [], now + _REPEAT_SECONDS
                for reason in (each for each in reasons if each not in told):
                    tell(f"waiting for {reason}")
                told = reasons
                tell_at = now + _TELL_SECONDS
            await asyncio.sleep(_POLL_SECONDS)

    async def _lacking(self, objects: Sequence[Object]) -> list[tuple[Object, str]]:
        """Those that are not in service, with what they lack."""
        lacking = []
        for obj in objects:
            found = await self._cluster.find(obj)
            lacks = missing(found) if found is not None else "is gone"
            if lacks is not None:
                lacking.append((obj, lacks))
        return lacking

    async def _reasons(
        self, lacking: Sequence[tuple[Object, str]], *, of_pods: bool = True
    ) -> list[str]:
        """One text for each object, of a line and others below it."""
        reasons = []
        for obj, lacks in lacking:
            lines = [f"{describe(obj)}: {lacks}"]
            if of_pods and obj["kind"] in ("Deployment", "StatefulSet"):
                pods = await self._cluster.pods_of(obj)
                claims = await self._cluster.claims_of(obj)
                lines += [f"  {text}" for text in troubles(pods, claims)]
            reasons.append("\n".join(lines))
        return reasons


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
