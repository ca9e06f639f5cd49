"""The daemon of a ScaledObject: its target between zero and one, its HPA for the rest."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from hearth.keda.api import keys
from hearth.keda.api.checks import check_bounds, check_triggers
from hearth.keda.api.keys import Condition, ConditionMessage, ConditionReason, EventReason
from hearth.keda.api.scaledobject import ScaledObject
from hearth.keda.api.shapes import names_of_triggers
from hearth.keda.operator.daemon import FINISH_SECONDS, ObjectDaemon, Setback
from hearth.keda.operator.environment import Environment
from hearth.keda.operator.hpas import HpaKeeper
from hearth.keda.operator.knative import KnativeTarget, find_knative, is_knative
from hearth.keda.operator.targets import NOT_RIGHT, Scale, Target, TargetError, find_target
from hearth.keda.scalers.seam import MetricType, Reading
from hearth.keda.scaling.conditions import FALLBACK, NO_FALLBACK
from hearth.keda.scaling.decide import (
    Act,
    Decision,
    Said,
    Situation,
    activation_replicas,
    decide,
    polling_seconds,
    wanted,
)
from hearth.keda.scaling.explanation import Account, explain
from hearth.keda.scaling.modifiers import Composite, compile_modifiers
from hearth.keda.scaling.observing import Metric, Observation, Replicas, Sample, observe
from hearth.knative.explanation import Explanation
from hearth.kube.clock import parse_rfc3339
from hearth.kube.errors import ApiError, Conflict, NotFound
from hearth.kube.meta import (
    Object,
    creation_timestamp,
    key,
    labels,
)
from hearth.kube.models import decode

log = logging.getLogger(__name__)

FRESH_SECONDS = 5.0
"""What was read so lately is told the HPA again: ours asks more often than Kubernetes' own."""
_UNPAUSED = "pause annotation removed for ScaledObject"


class ScaledObjectDaemon(ObjectDaemon):
    """One ScaledObject."""

    resource = keys.SCALEDOBJECTS

    def __init__(self, environment: Environment, obj: Object) -> None:
        super().__init__(environment, obj)
        self._obj = ScaledObject()
        self._target: Target | None = None
        self._composite: Composite | None = None
        self._health: dict[str, int] = {}
        self._last_active = self._restored(obj)
        self._account: Account | None = None
        self._looked_at = -FRESH_SECONDS
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
        obj = self._obj = decode(ScaledObject, self.object, root="ScaledObject")
        async with self._is_looking:
            self._target = self._account = None
        if obj.is_paused:
            await self._pause(obj)
            return False
        await self._say_pauses(obj)
        await self._label()
        target = await self._find_target(obj)
        scale = await target.checked_scale()
        check_bounds(obj)
        check_triggers(obj.spec.triggers)
        self._composite = compile_modifiers(obj)
        container = obj.spec.scale_target_ref.env_source_container_name
        pod = await target.pod_spec()
        formula = self._composite is not None
        await self.open_triggers(obj.spec.triggers, pod, container=container, formula=formula)
        await self._ensure_hpa(obj, target)
        await self._say_ready(obj, target, scale)
        self._target = target
        return True

    async def _find_target(self, obj: ScaledObject) -> Target:
        """Find it; what another target was wished for is over."""
        env, reference = self.env, obj.spec.scale_target_ref
        if not is_knative(reference):
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
        await self.triggers.close()
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
        said = _ready(ConditionMessage.SCALED_OBJECT_PAUSED)
        await self.status.write({"pausedReplicaCount": count}, [said])

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
        said = [_ready(ConditionMessage.SCALED_OBJECT_READY)]
        said += [] if obj.spec.fallback is not None else [NO_FALLBACK]
        await self.status.write(changes, said)

    async def say_failed(self, about: str, text: str) -> None:
        """Say that it could not be made ready."""
        full = f"{about or 'failed to prepare the ScaledObject'}: {text}"
        self.event_once(EventReason.SCALED_OBJECT_CHECK_FAILED, full)
        await self.say(
            Said(Condition.READY, "False", "ScaledObjectCheckFailed", full),
            Said(Condition.ACTIVE, "Unknown", "UnknownState", "ScaledObject check failed"),
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

    # -- looking and acting ------------------------------------------------------------------------

    async def look(self, pushed: Collection[int] = ()) -> float:
        """Look at the triggers and at the target, decide, act and say what has become of it."""
        interval = polling_seconds(self._obj.spec.polling_interval)
        started = self.env.loop_clock()
        is_early = bool(pushed) and started < self.next_look
        again = self.next_look if is_early else started + interval * self.first_part()
        async with self._is_looking:
            until = await self._look(pushed, cached=False, again=again)
        return again if until is None else min(again, until)

    async def _look(self, pushed: Collection[int], *, cached: bool, again: float) -> float | None:
        target = self._target
        assert target is not None
        reading = asyncio.create_task(
            self.triggers.read(only=pushed, cached=cached), name="keda-read"
        )
        try:
            scale = await target.scale()
        except ApiError as error:
            await self._cannot_see(error, await reading)
            return None
        samples = [_as_told(each, at in pushed) for at, each in enumerate(await reading)]
        seen = await self._observed(samples, scale, target)
        now = self.env.clock()
        created = parse_rfc3339(creation_timestamp(self.object))
        at = Situation(seen, scale.replicas, created, self._last_active, now)
        decision = _raised(self._obj, at, decide(self._obj, at), is_pushed=bool(pushed))
        interval = polling_seconds(self._obj.spec.polling_interval)
        due = now + again - self.env.loop_clock()
        self._account = Account(self._obj, at, decision, due, interval)
        if await self._act(target, at, decision):
            self._last_active = decision.last_active
        if isinstance(target, KnativeTarget):
            target.wish(wanted(self._obj, at, decision), at, decision)
        self._looked_at = self.env.loop_clock()
        await self._say_seen(seen, decision)
        if decision.look_again_at is None:
            return None
        return self.env.loop_clock() + max(0.0, decision.look_again_at - now) + 0.001

    async def _observed(
        self, samples: Sequence[Sample], scale: Scale, target: Target
    ) -> Observation:
        fallback, ready = self._obj.spec.fallback, scale.replicas
        by_value = any(sample.spec.type is MetricType.VALUE for sample in samples)
        by_value |= self._composite is not None and self._composite.spec.type is MetricType.VALUE
        if fallback is not None and by_value and any(sample.error for sample in samples):
            ready = await target.ready(scale)
        seen = observe(
            self._obj,
            samples,
            composite=self._composite,
            health=self._health,
            replicas=Replicas(scale.replicas, ready),
        )
        self._health = dict(seen.health)
        for index, metric in enumerate(seen.metrics):
            self.metrics.told(metric, index)
        if seen.composite is not None:
            shown = replace(seen.composite, name=keys.COMPOSITE_METRIC)
            self.metrics.told(shown, 0)
        self._tell_errors(seen)
        return seen

    def _tell_errors(self, seen: Observation) -> None:
        is_source = self._composite is not None
        reason = EventReason.METRIC_SOURCE_FAILED if is_source else EventReason.SCALER_FAILED
        for error in seen.errors:
            self.event_once(reason, error)
        if not seen.errors:
            self.forget_events(reason)

    async def _cannot_see(self, error: ApiError, samples: Sequence[Sample]) -> None:
        """The target is gone, or nobody answers: it is looked for again at the next look."""
        text = f"Error getting current replicas count for ScaleTarget: {error.message}"
        said = Said(Condition.READY, "False", "ErrorGettingCurrentReplicas", text)
        self.metrics.failed()
        if isinstance(error, NotFound):
            raise TargetError(NOT_RIGHT, text) from error
        await self.say(said)

    async def _act(self, target: Target, at: Situation, decision: Decision) -> bool:
        """Scale the target; whether that succeeded."""
        if decision.replicas is None:
            return True
        what = f"{target.kind} {target.namespace}/{target.name}"
        change = f"{what} from {at.replicas} to {decision.replicas}"
        by = "triggered by " + ";".join(at.observation.active)
        if self._obj.forces_activation:
            by = "caused by forced activation annotation"
        events = {
            Act.ACTIVATE: (
                (EventReason.SCALE_TARGET_ACTIVATED, f"Scaled {change}, {by}"),
                (EventReason.SCALE_TARGET_ACTIVATION_FAILED, f"Failed to scale {change}"),
            ),
            Act.DEACTIVATE: (
                (EventReason.SCALE_TARGET_DEACTIVATED, f"Deactivated {change}"),
                (EventReason.SCALE_TARGET_DEACTIVATION_FAILED, f"Failed to deactivate {change}"),
            ),
        }
        done, failed = events.get(decision.act, (None, None))
        try:
            await target.set(decision.replicas)
        except ApiError as error:
            log.warning("target not scaled", extra={"change": change} | error.facts)
            if failed is not None:
                self.event("Warning", *failed)
            return False
        if done is not None:
            self.event("Normal", *done)
        log.info("target scaled", extra={"change": change, "rule": decision.rule})
        return True

    async def _say_seen(self, seen: Observation, decision: Decision) -> None:
        said = [*decision.said]
        was_falling_back = self.status.conditions.is_true(Condition.FALLBACK)
        if self._obj.spec.fallback is not None:
            said.append(FALLBACK if seen.falls_back else NO_FALLBACK)
        if seen.falls_back and not was_falling_back:
            text = "ScaledObject fallback is active"
            self.event("Normal", EventReason.SCALED_OBJECT_FALLBACK_ACTIVATED, text)
        elif was_falling_back and not seen.falls_back:
            text = "ScaledObject fallback is no longer active"
            self.event("Normal", EventReason.SCALED_OBJECT_FALLBACK_DEACTIVATED, text)
        health = self._hpa.health
        said += [] if health is None else [health]
        changes: dict[str, Any] = {"triggersActivity": _activity(seen.metrics, seen) or None}
        if self._obj.spec.fallback is not None:
            changes["health"] = {name: _health(count) for name, count in self._health.items()}
        try:
            await self.status.write(changes, said, last_active=self._last_active)
        except (Conflict, NotFound):
            return

    # -- what others ask ---------------------------------------------------------------------------

    async def metric(self, name: str) -> Metric | None:
        """Return what a metric is for the HPA; None where there is none of the name.

        Kubernetes' HPA controller asks for names in lower case, whatever its HPA says.
        """
        async with self._is_looking:
            if self._target is None:
                return None
            if self.env.loop_clock() - self._looked_at >= FRESH_SECONDS:
                await self._look((), cached=True, again=self.next_look)
            account = self._account
        asked = () if account is None else account.at.observation.asked
        return next((each for each in asked if each.spec.name.lower() == name.lower()), None)

    def explained(self) -> Explanation | None:
        """Return why the target has the replicas it has; None before the first look."""
        if self._account is None:
            return None
        return explain(self._account, self.env.clock())

    # -- the end -----------------------------------------------------------------------------------

    async def finish(self) -> None:
        """Give the target back the replicas it had, where that is asked for."""
        self._end_wish()
        obj = decode(ScaledObject, self.object, root="ScaledObject")
        advanced, stored = obj.spec.advanced, self.status.stored
        original = stored.get("originalReplicaCount")
        restores = advanced is not None and advanced.restore_to_original_replica_count
        restores = restores and not is_knative(obj.spec.scale_target_ref)
        if restores and original is not None and stored.get("scaleTargetGVKR"):
            try:
                async with asyncio.timeout(FINISH_SECONDS):
                    target = await self._find_target(obj)
                    await target.set(int(original))
            except (ApiError, TargetError, TimeoutError) as error:
                log.warning("replicas not restored", extra={"error": str(error)})
        self.event("Warning", EventReason.SCALED_OBJECT_DELETED, "ScaledObject was deleted")


def _ready(text: str) -> Said:
    return Said(Condition.READY, "True", ConditionReason.SCALED_OBJECT_READY, text)


def _as_told(sample: Sample, is_pushed: bool) -> Sample:
    """What a trigger has told by itself counts, though reading it may not say so yet."""
    if not is_pushed or sample.reading is None:
        return sample
    return replace(sample, reading=Reading(sample.reading.value, True))


def _raised(obj: ScaledObject, at: Situation, decision: Decision, *, is_pushed: bool) -> Decision:
    """What a trigger tells by itself is not left to the HPA's next turn; fewer pods are."""
    wish = activation_replicas(obj, at.observation)
    is_idle = decision.replicas is not None or not at.observation.is_active
    if not is_pushed or is_idle or obj.pauses_scale_out or wish <= at.replicas:
        return decision
    return replace(decision, rule="push", act=Act.RAISE, replicas=wish)


def _activity(metrics: Sequence[Metric], seen: Observation) -> dict[str, Any]:
    active = {each.spec.name for each in metrics if each.is_active}
    if seen.composite is not None:
        active = set()
    return {each.spec.name: {"isActive": each.spec.name in active} for each in metrics}


def _health(failures: int) -> dict[str, Any]:
    return {"numberOfFailures": failures, "status": "Failing" if failures else "Happy"}
