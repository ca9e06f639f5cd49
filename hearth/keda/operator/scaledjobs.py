"""The daemon of a ScaledJob: starts Jobs as there is work, and takes old ones away."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from hearth.keda.api import keys
from hearth.keda.api.checks import check_triggers
from hearth.keda.api.keys import Condition, ConditionMessage, ConditionReason, EventReason
from hearth.keda.api.scaledjob import ScaledJob
from hearth.keda.api.shapes import names_of_triggers
from hearth.keda.operator.daemon import ObjectDaemon, Setback
from hearth.keda.operator.environment import Environment
from hearth.keda.scaling.decide import Said, polling_seconds
from hearth.keda.scaling.jobs import (
    JobDecision,
    Running,
    beyond_history,
    count,
    decide_jobs,
    ending_of,
    job_of,
    job_of_pod,
    of_other_versions,
    rollout_propagation,
)
from hearth.keda.scaling.observing import Metric, metric_of
from hearth.kube.errors import ApiError, NotFound
from hearth.kube.meta import Object, generation, key, owner_reference
from hearth.kube.models import decode
from hearth.kube.resources import JOBS, PODS

log = logging.getLogger(__name__)

_AT_ONCE = 50
"""Jobs that are being created at one time."""
_READY = "ScaledJob is defined correctly and is ready to scaling"
_FAILED = "Failed to ensure ScaledJob is correctly created"
_SKIPPED = "ScaledJob is paused, skipping reconcile loop"


class ScaledJobDaemon(ObjectDaemon):
    """One ScaledJob."""

    resource = keys.SCALEDJOBS

    def __init__(self, environment: Environment, obj: Object) -> None:
        super().__init__(environment, obj)
        self._obj = ScaledJob()
        self._last_active = self.status.last_active

    async def prepare(self) -> bool:
        """Check everything, end the Jobs of other versions, make scalers, and say so."""
        obj = self._obj = decode(ScaledJob, self.take(), root="ScaledJob")
        if await self._is_paused(obj):
            return False
        check_triggers(obj.spec.triggers)
        if not obj.spec.job_target_ref:
            raise Setback("ScaledJob.spec.jobTargetRef not found")
        types, authentications = names_of_triggers(obj.spec.triggers)
        await self._end_other_versions(obj)
        pod = (obj.spec.job_target_ref.get("template") or {}).get("spec")
        container = obj.spec.env_source_container_name
        await self.open_triggers(obj.spec.triggers, pod, container=container, formula=False)
        if not self.status.conditions.is_true(Condition.READY):
            self.event("Normal", EventReason.SCALED_JOB_READY, "ScaledJob is ready for scaling")
        said = Said(Condition.READY, "True", "ScaledJobReady", _READY)
        names = [spec.name for spec in self.triggers.specs if not spec.resource]
        changes = {
            "triggersTypes": types,
            "authenticationsTypes": authentications,
            "externalMetricNames": names or None,
        }
        await self.status.write(changes, [said])
        return True

    async def _is_paused(self, obj: ScaledJob) -> bool:
        was_paused = self.status.conditions.is_true(Condition.PAUSED)
        if obj.is_paused:
            await self.close_triggers()
            if not was_paused:
                text = ConditionMessage.SCALED_JOB_PAUSED
                self.event("Normal", EventReason.SCALED_JOB_PAUSED, text)
                reason = ConditionReason.SCALED_JOB_PAUSED
                ready = Said(Condition.READY, "True", "ScaledJobReady", _SKIPPED)
                await self.say(Said(Condition.PAUSED, "True", reason, text), ready)
        elif was_paused:
            text = ConditionMessage.SCALED_JOB_UNPAUSED
            self.event("Normal", EventReason.SCALED_JOB_UNPAUSED, text)
            reason = ConditionReason.SCALED_JOB_UNPAUSED
            await self.say(Said(Condition.PAUSED, "False", reason, text))
        return obj.is_paused

    async def say_failed(self, about: str, text: str) -> None:
        """Say that it could not be made ready."""
        full = f"{_FAILED}: {text}"
        self.event_once(EventReason.SCALED_JOB_CHECK_FAILED, full)
        await self.say(
            Said(Condition.READY, "False", "ScaledJobCheckFailed", full),
            Said(Condition.ACTIVE, "Unknown", "UnknownState", "ScaledJob check failed"),
        )

    async def finish(self) -> None:
        """Its Jobs go with it, by their owner references."""
        self.event("Warning", EventReason.SCALED_JOB_DELETED, "ScaledJob was deleted")

    # -- looking and acting ------------------------------------------------------------------------

    async def look(self, pushed: Collection[int] = ()) -> float:
        """Look at triggers and Jobs, start what is missing, take away what is too old."""
        interval = polling_seconds(self._obj.spec.polling_interval)
        again = self.env.loop_clock() + interval * self.first_part()
        samples = await self.triggers.read(only=pushed)
        metrics = [metric_of(sample) for sample in samples if not sample.is_resource]
        for index, metric in enumerate(metrics):
            self.metrics.told(metric, index)
            if metric.error:
                self.event_once(EventReason.SCALER_FAILED, metric.error)
        try:
            jobs = await self._jobs()
            decision = decide_jobs(self._obj, metrics, await self._counted(jobs))
            await self._create(decision.create)
            await self._delete(beyond_history(self._obj, jobs), "Background")
        except ApiError as error:
            # What runs is not known, so nothing is started: KEDA would start all anew.
            log.warning("jobs not seen", extra=error.facts)
            self.metrics.failed()
            return again
        await self._say_seen(metrics, decision)
        return again

    async def _jobs(self) -> list[Object]:
        where, name = key(self.object)
        selector = f"{keys.JOB_OWNER_LABEL}={name}"
        return (await self.env.client.list(JOBS, where, label_selector=selector))[0]

    async def _counted(self, jobs: Sequence[Object]) -> Running:
        pods: dict[str, list[Object]] = defaultdict(list)
        if not all(map(ending_of, jobs)):
            where, name = key(self.object)
            selector = f"{keys.JOB_OWNER_LABEL}={name}"
            for pod in (await self.env.client.list(PODS, where, label_selector=selector))[0]:
                pods[job_of_pod(pod)].append(pod)
        return count(self._obj, jobs, pods)

    async def _create(self, number: int) -> None:
        if not number:
            return
        job = job_of(
            self._obj,
            owner_reference(self.object),
            generation=generation(self.object),
            version=self.env.version,
        )
        slots = asyncio.Semaphore(_AT_ONCE)

        async def create() -> bool:
            async with slots:
                try:
                    await self.env.client.create(JOBS, job)
                except ApiError as error:
                    text = f"Failed to create job {self._obj.name}-: {error.message}"
                    self.event_once(EventReason.JOB_CREATE_FAILED, text)
                    return False
            return True

        created = sum(await asyncio.gather(*(create() for _ in range(number))))
        if created:
            self.event("Normal", EventReason.JOBS_CREATED, f"Created {created} jobs")
            log.info("jobs created", extra={"key": self._obj.name, "jobs": created})

    async def _delete(self, gone: Sequence[tuple[str, str]], propagation: str) -> None:
        for where, name in gone:
            with contextlib.suppress(NotFound):
                await self.env.client.delete(JOBS, name, where, propagation=propagation)

    async def _end_other_versions(self, obj: ScaledJob) -> None:
        gone = of_other_versions(obj, generation(self.object), await self._jobs())
        if not gone:
            return
        many = f"{len(gone)} jobs owned by the previous version of the scaledJob"
        self.event("Normal", EventReason.SCALED_JOB_ROLLOUT_CLEANUP_STARTED, f"Deleting {many}")
        try:
            await self._delete(gone, rollout_propagation(obj))
        except ApiError as error:
            text = f"Failed to delete job: {error.message}"
            self.event("Warning", EventReason.SCALED_JOB_ROLLOUT_CLEANUP_FAILED, text)
            raise
        self.event("Normal", EventReason.SCALED_JOB_ROLLOUT_CLEANUP_COMPLETED, f"Deleted {many}")

    async def _say_seen(self, metrics: Sequence[Metric], decision: JobDecision) -> None:
        was_active = self.status.conditions.is_true(Condition.ACTIVE)
        active = decision.said[1]
        if decision.is_active and not was_active:
            self.event("Normal", EventReason.SCALED_JOB_ACTIVE, active.message)
        elif was_active and not decision.is_active:
            self.event("Normal", EventReason.SCALED_JOB_INACTIVE, active.message)
        if decision.is_active:
            self._last_active = self.env.clock()
        activity: dict[str, Any] = {
            metric.spec.name: {"isActive": metric.is_active} for metric in metrics
        }
        with contextlib.suppress(NotFound):
            await self.status.write(
                {"triggersActivity": activity or None},
                decision.said,
                last_active=self._last_active,
            )
