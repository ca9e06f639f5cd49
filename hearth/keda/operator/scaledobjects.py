"""The daemon of a ScaledObject: its target between zero and one, its HPA for the rest."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from hearth.keda.api import keys
from hearth.keda.api.keys import Condition, EventReason
from hearth.keda.api.scaledobject import ScaledObject
from hearth.keda.operator.daemon import FINISH_SECONDS
from hearth.keda.operator.environment import Environment
from hearth.keda.operator.knative import KnativeTarget
from hearth.keda.operator.preparing import PreparedDaemon
from hearth.keda.operator.targets import NOT_RIGHT, Scale, Target, TargetError
from hearth.keda.scalers.seam import MetricType
from hearth.keda.scaling.conditions import FALLBACK, NO_FALLBACK, activity_of, health_of
from hearth.keda.scaling.decide import (
    Act,
    Decision,
    Said,
    Situation,
    decide,
    polling_seconds,
    wanted,
)
from hearth.keda.scaling.explanation import Account, explain
from hearth.keda.scaling.joint import wish_formula
from hearth.keda.scaling.observing import Metric, Observation, Replicas, Sample, observe
from hearth.keda.scaling.pushes import as_told, raised
from hearth.knative.explanation import Explanation
from hearth.kube.clock import parse_rfc3339
from hearth.kube.errors import ApiError, Conflict, NotFound
from hearth.kube.meta import Object, creation_timestamp
from hearth.kube.models import decode
from hearth.timeouts import time_limit

log = logging.getLogger(__name__)

FRESH_SECONDS = 5.0
"""What was read so lately is told the HPA again: ours asks more often than Kubernetes' own."""


class ScaledObjectDaemon(PreparedDaemon):
    """One ScaledObject."""

    def __init__(self, environment: Environment, obj: Object) -> None:
        super().__init__(environment, obj)
        self._account: Account | None = None
        self._looked_at = -FRESH_SECONDS

    async def prepare(self) -> bool:
        """Make everything ready; what was seen before is forgotten."""
        async with self._is_looking:
            self._account = None
        return await super().prepare()

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
        samples = [as_told(each, at in pushed) for at, each in enumerate(await reading)]
        seen = await self._observed(samples, scale, target)
        now = self.env.clock()
        created = parse_rfc3339(creation_timestamp(self.object))
        at = Situation(seen, scale.replicas, created, self._last_active, now)
        decision = raised(self._obj, at, decide(self._obj, at), is_pushed=bool(pushed))
        interval = polling_seconds(self._obj.spec.polling_interval)
        due = now + again - self.env.loop_clock()
        self._account = Account(self._obj, at, decision, due, interval)
        if self._joint is not None or await self._act(target, at, decision):
            self._last_active = decision.last_active
        if isinstance(target, KnativeTarget):
            formula = wish_formula(self._obj, self._joint, seen)
            target.wish(wanted(self._obj, at, decision), at, decision, formula)
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
        changes: dict[str, Any] = {"triggersActivity": activity_of(seen) or None}
        if self._obj.spec.fallback is not None:
            changes["health"] = {name: health_of(count) for name, count in self._health.items()}
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
        restores = restores and not obj.spec.scale_target_ref.is_knative
        if restores and original is not None and stored.get("scaleTargetGVKR"):
            try:
                async with time_limit(FINISH_SECONDS):
                    target = await self._find_target(obj)
                    await target.set(int(original))
            except (ApiError, TargetError, TimeoutError) as error:
                log.warning("replicas not restored", extra={"error": str(error)})
        self.event("Warning", EventReason.SCALED_OBJECT_DELETED, "ScaledObject was deleted")
