"""A ScaledObject made ready: checked, its target found, its scalers and its HPA made; or paused.

``scaledobjects`` looks and acts on what is ready here.
"""

from __future__ import annotations

import asyncio
from typing import Any

from hearth.keda.api import keys
from hearth.keda.api.checks import check_bounds, check_triggers
from hearth.keda.api.keys import Condition, ConditionMessage, ConditionReason, EventReason
from hearth.keda.api.scaledobject import ScaledObject
from hearth.keda.api.shapes import names_of_triggers
from hearth.keda.operator.daemon import ObjectDaemon, Setback
from hearth.keda.operator.environment import Environment
from hearth.keda.operator.hpas import HpaKeeper
from hearth.keda.operator.knative import KnativeTarget, find_knative
from hearth.keda.operator.targets import NOT_RIGHT, Scale, Target, find_target
from hearth.keda.scaling.conditions import NO_FALLBACK
from hearth.keda.scaling.decide import Said
from hearth.keda.scaling.modifiers import Composite, compile_modifiers
from hearth.kube.meta import Object, key, labels
from hearth.kube.models import decode

_UNPAUSED = "pause annotation removed for ScaledObject"
_NO_HPA = "failed to ensure HPA is correctly created for ScaledObject"


class PreparedDaemon(ObjectDaemon):
    """What a daemon of a ScaledObject knows, and how it comes to know it."""

    resource = keys.SCALEDOBJECTS

    def __init__(self, environment: Environment, obj: Object) -> None:
        super().__init__(environment, obj)
        self._obj = ScaledObject()
        self._target: Target | None = None
        self._composite: Composite | None = None
        # A formula over requests, which Knative's autoscaler works out.
        self._joint: Composite | None = None
        self._health: dict[str, int] = {}
        self._last_active = self._restored(obj)
        self._is_looking = asyncio.Lock()
        self._hpa = HpaKeeper(environment)
        self._wished: KnativeTarget | None = None

    def _restored(self, obj: Object) -> float | None:
        """What was active when it was seen last may have been so until now."""
        health: dict[str, Any] = (obj.get("status") or {}).get("health") or {}
        self._health = {
            metric: int(each.get("numberOfFailures") or 0) for metric, each in health.items()
        }
        is_active = self.status.conditions.is_true(Condition.ACTIVE)
        return self.env.clock() if is_active else self.status.last_active

    # -- prepared ----------------------------------------------------------------------------------

    async def prepare(self) -> bool:
        """Check everything, make scalers and HPA, and say so."""
        async with self._is_looking:
            self._target = None
        await self._label()
        obj = self._obj = decode(ScaledObject, self.take(), root="ScaledObject")
        if obj.is_paused:
            await self._pause(obj)
            return False
        await self._say_pauses(obj)
        target = await self._find_target(obj)
        scale = await target.checked_scale()
        check_bounds(obj)
        check_triggers(obj.spec.triggers)
        composite = compile_modifiers(obj)
        self._joint = composite if composite is not None and composite.is_joint else None
        self._composite = composite if self._joint is None else None
        container = obj.spec.scale_target_ref.env_source_container_name
        pod = await target.pod_spec()
        formula = composite is not None
        await self.open_triggers(obj.spec.triggers, pod, container=container, formula=formula)
        await self._ensure_hpa(obj, target)
        await self._say_ready(obj, target, scale)
        self._target = target
        return True

    async def _find_target(self, obj: ScaledObject) -> Target:
        """Find it; what another target was wished for is over."""
        env, reference = self.env, obj.spec.scale_target_ref
        if not reference.is_knative:
            self._end_wish()
            return await find_target(env.client, env.kinds, reference, obj.namespace)
        source = obj.namespace, obj.name
        target = await find_knative(env.client, env.kinds, reference, source, env.wish)
        before = self._wished
        if before is not None and (before.name, before.resource) == (target.name, target.resource):
            return before
        self._end_wish()
        # That something was wished for before the process began shows in when it was active.
        target.wished = int(self._last_active is not None)
        self._wished = target
        return target

    def _end_wish(self) -> None:
        if self._wished is not None:
            self._wished.end()
        self._wished = None

    async def _say_pauses(self, obj: ScaledObject) -> None:
        """Pauses in one direction leave the loop running; a pause that is over is said."""
        was_paused = self.status.conditions.is_true(Condition.PAUSED)
        self.metrics.paused(obj.pauses_scale_in or obj.pauses_scale_out)
        if obj.pauses_scale_in or obj.pauses_scale_out:
            await self._say_paused(was_paused)
        elif was_paused:
            self.event("Normal", EventReason.SCALED_OBJECT_UNPAUSED, _UNPAUSED)
            said = Said(Condition.PAUSED, "False", "ScaledObjectUnpaused", _UNPAUSED)
            await self.status.write({"pausedReplicaCount": None}, [said])

    async def _say_paused(self, was_paused: bool) -> None:
        if not was_paused:
            text = ConditionMessage.SCALED_OBJECT_PAUSED
            self.event("Normal", EventReason.SCALED_OBJECT_PAUSED, text)
            said = Said(Condition.PAUSED, "True", ConditionReason.SCALED_OBJECT_PAUSED, text)
            await self.say(said)

    async def _pause(self, obj: ScaledObject) -> None:
        """Hold still: no HPA, no scalers, and the replicas that are asked for, if any."""
        await self._say_paused(self.status.conditions.is_true(Condition.PAUSED))
        self.metrics.paused(True)
        await self.close_triggers()
        hpa = str(self.status.stored.get("hpaName") or obj.hpa_name)
        await self._hpa.delete(obj, self.object, hpa)
        try:
            count = obj.paused_replicas
        except ValueError as error:
            raise Setback(f"failed to parse paused replica count: {error}") from error
        if count is not None:
            target = await self._find_target(obj)
            if (await target.checked_scale()).replicas != count:
                await target.set(count)
        said = [_ready(ConditionMessage.SCALED_OBJECT_PAUSED), *_no_fallback(obj)]
        await self.status.write({"pausedReplicaCount": count}, said)

    async def _label(self) -> None:
        """By this label KEDA's own adapter, and people, find a ScaledObject."""
        where, name = key(self.object)
        if labels(self.object).get(keys.OWNER_LABEL) != name:
            patch = {"metadata": {"labels": {keys.OWNER_LABEL: name}}}
            self.status.note(await self.env.client.patch(self.resource, name, where, patch))

    async def _say_ready(self, obj: ScaledObject, target: Target, scale: Scale) -> None:
        stored = self.status.stored
        types, authentications = names_of_triggers(obj.spec.triggers)
        specs = self.triggers.specs
        external = [spec.name for spec in specs if not spec.resource]
        changes: dict[str, Any] = {
            "scaleTargetKind": target.kind,
            "scaleTargetGVKR": target.parts,
            "originalReplicaCount": stored.get("originalReplicaCount", scale.replicas),
            "externalMetricNames": external or None,
            "resourceMetricNames": [each.resource for each in specs if each.resource] or None,
            "compositeScalerName": keys.COMPOSITE_METRIC if self._composite else None,
            "hpaName": None if isinstance(target, KnativeTarget) else obj.hpa_name,
            "triggersTypes": types,
            "authenticationsTypes": authentications,
        }
        self._health = {name: self._health.get(name, 0) for name in external}
        if not self.status.conditions.is_true(Condition.READY):
            text = "ScaledObject is ready for scaling"
            self.event("Normal", EventReason.SCALED_OBJECT_READY, text)
        said = [_ready(ConditionMessage.SCALED_OBJECT_READY), *_no_fallback(obj)]
        await self.status.write(changes, said)

    async def say_failed(self, about: str, text: str) -> None:
        """Say that it could not be made ready."""
        full = f"{NOT_RIGHT if about else _NO_HPA}: {text}"
        is_new = self.event_once(EventReason.SCALED_OBJECT_CHECK_FAILED, full)
        if is_new and about not in ("", NOT_RIGHT):
            self.event("Warning", EventReason.SCALED_OBJECT_CHECK_FAILED, about)
        await self.say(
            Said(Condition.READY, "False", "ScaledObjectCheckFailed", full),
            Said(Condition.ACTIVE, "Unknown", "UnknownState", "ScaledObject check failed"),
            *_no_fallback(self._obj),
        )

    # -- its HPA -----------------------------------------------------------------------------------

    def hpa_changed(self, hpa: Object | None) -> None:
        """Hear of its HPA: what others changed there is put right, what it says is told."""
        is_other = self._hpa.changed(hpa)
        if self._target is None:
            return
        said = self._hpa.health
        if is_other:
            self.recheck()
        elif said is not None and self.status.conditions.reason(said.type) != said.reason:
            self.wake()

    async def tend(self) -> None:
        """Tell what its HPA says."""
        said = self._hpa.health
        if said is not None:
            await self.say(said)

    async def _ensure_hpa(self, obj: ScaledObject, target: Target) -> None:
        if isinstance(target, KnativeTarget):
            return
        await self._hpa.ensure(
            obj,
            self.object,
            target,
            specs=self.triggers.specs,
            composite=None if self._composite is None else self._composite.spec,
            former=str(self.status.stored.get("hpaName") or ""),
        )


def _no_fallback(obj: ScaledObject) -> list[Said]:
    return [NO_FALLBACK] if obj.spec.fallback is None else []


def _ready(text: str) -> Said:
    return Said(Condition.READY, "True", ConditionReason.SCALED_OBJECT_READY, text)
