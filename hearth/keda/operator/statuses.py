"""The status of one object: written where it differs from what is stored, and not else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hearth.keda.scaling.conditions import with_said
from hearth.keda.scaling.decide import Said
from hearth.kube.client import KubeClient
from hearth.kube.clock import parse_rfc3339, rfc3339
from hearth.kube.conditions import Conditions
from hearth.kube.meta import Object, name, namespace, version_number
from hearth.kube.patch import create_merge_patch
from hearth.kube.resources import Resource

LAST_ACTIVE = "lastActiveTime"


class Status:
    """What is stored of one object, as far as is known, and how it changes."""

    def __init__(self, client: KubeClient, resource: Resource, obj: Object) -> None:
        self._client = client
        self._resource = resource
        self.object = obj
        """The object as it was told of last, by its watch or as the answer to a write."""

    def note(self, obj: Object) -> None:
        """Take what a watch says, unless more is known already."""
        if version_number(obj) >= version_number(self.object):
            obj["metadata"].pop("managedFields", None)
            self.object = obj

    @property
    def stored(self) -> Mapping[str, Any]:
        """The status."""
        return self.object.get("status") or {}

    @property
    def conditions(self) -> Conditions:
        """Its conditions."""
        return Conditions.of(self.object)

    @property
    def last_active(self) -> float | None:
        """When a trigger was active last, as far as it is stored."""
        try:
            return parse_rfc3339(str(self.stored.get(LAST_ACTIVE) or ""))
        except ValueError:
            return None

    async def write(
        self,
        changes: Mapping[str, Any] | None = None,
        said: Iterable[Said] = (),
        *,
        last_active: float | None = None,
    ) -> bool:
        """Store what has changed and return whether anything had; None takes a member away.

        The time of the last activity alone is no reason to write: while triggers are active the
        condition says so. Raise ApiError.
        """
        before = dict(self.stored)
        after = {name: value for name, value in before.items() if name != "conditions"}
        for member, value in (changes or {}).items():
            after.pop(member, None)
            if value is not None:
                after[member] = value
        after["conditions"] = with_said(before.get("conditions") or (), said)
        is_first = last_active is not None and LAST_ACTIVE not in before
        if after == before and not is_first:
            return False
        if last_active is not None:
            after[LAST_ACTIVE] = rfc3339(last_active)
        patch = {"status": create_merge_patch(before, after)}
        answer = await self._client.patch(
            self._resource,
            name(self.object),
            namespace(self.object),
            patch,
            subresource="status",
        )
        self.note(answer)
        return True
