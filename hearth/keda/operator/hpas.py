"""The HorizontalPodAutoscaler of one ScaledObject: made, kept as it is wanted, taken away."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from hearth.keda.api.scaledobject import ScaledObject
from hearth.keda.operator.environment import Environment
from hearth.keda.operator.targets import Target
from hearth.keda.scalers.seam import MetricSpec
from hearth.keda.scaling.conditions import hpa_health
from hearth.keda.scaling.decide import Said
from hearth.keda.scaling.hpa import check_owner, hpa_of, updated
from hearth.kube.errors import NotFound
from hearth.kube.meta import Object, owner_reference, uid
from hearth.kube.resources import HPAS

_MARK = "specHash"


def kept(hpa: Object) -> Object:
    """Return what is worth its memory of an HPA: whose it is, what it asks for, how it does."""
    status = hpa.get("status") or {}
    conditions = [
        each for each in status.get("conditions") or () if each["type"] == "ScalingActive"
    ]
    meta = hpa["metadata"]
    members = ("name", "namespace", "uid", "resourceVersion", "labels", "ownerReferences")
    return {
        "metadata": {each: meta[each] for each in members if each in meta},
        "status": {"conditions": conditions},
        _MARK: hash(repr(hpa.get("spec"))),
    }


class HpaKeeper:
    """Knows the HPA as it was seen last."""

    def __init__(self, environment: Environment) -> None:
        self._env = environment
        self._known: Object | None = None

    def changed(self, hpa: Object | None) -> bool:
        """Hear of the HPA as it is now (``kept``); whether others changed what it asks for."""
        before, self._known = self._known, hpa
        return hpa is None or before is None or before[_MARK] != hpa[_MARK]

    @property
    def health(self) -> Said | None:
        """What it says about its metrics."""
        return hpa_health(self._known or {})

    async def ensure(
        self,
        obj: ScaledObject,
        owner: Object,
        target: Target,
        *,
        specs: Sequence[MetricSpec],
        composite: MetricSpec | None,
        former: str,
    ) -> None:
        """Have it as it is wanted, and none by its ``former`` name; raise CheckError, ApiError."""
        if former and former != obj.hpa_name:
            await self.delete(obj, owner, former)
        wanted = hpa_of(
            obj,
            specs,
            composite=composite,
            target=target.reference,
            owner=owner_reference(owner),
            version=self._env.version,
        )
        client = self._env.client
        try:
            found = await client.get(HPAS, obj.hpa_name, obj.namespace)
        except NotFound:
            self._known = kept(await client.create(HPAS, wanted))
            return
        check_owner(obj, found, uid(owner))
        changed = updated(found, wanted)
        self._known = kept(found if changed is None else await client.update(HPAS, changed))

    async def delete(self, obj: ScaledObject, owner: Object, name: str) -> None:
        """Take it away; raise CheckError where it is somebody else's."""
        with contextlib.suppress(NotFound):
            found = await self._env.client.get(HPAS, name, obj.namespace)
            check_owner(obj, found, uid(owner))
            await self._env.client.delete(HPAS, name, obj.namespace, uid=uid(found))
        self._known = None
