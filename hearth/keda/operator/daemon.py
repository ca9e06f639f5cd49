"""The life of the daemon of one object: prepared, followed, prepared anew when something changed.

What kind of object it is, subclasses say. Whatever goes wrong is tried again with back-off, said in
the object's condition, and hurts that object only.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Collection, Sequence
from functools import partial

from hearth.keda.api.checks import CheckError
from hearth.keda.api.keys import EventReason
from hearth.keda.api.shapes import JobTrigger
from hearth.keda.operator.environment import Environment
from hearth.keda.operator.metrics import ObjectMetrics, ScalerMetrics
from hearth.keda.operator.statuses import Status
from hearth.keda.operator.targets import TargetError
from hearth.keda.operator.triggers import Trigger, Triggers
from hearth.keda.scalers.seam import ConfigError, MetricType, ScalerError, TriggerConfig
from hearth.keda.scaling.decide import Said
from hearth.kube import meta
from hearth.kube.errors import ApiError, NotFound
from hearth.kube.guards import caught
from hearth.kube.meta import Object, key, key_text
from hearth.kube.plan import Event
from hearth.kube.resources import Resource
from hearth.timeouts import time_limit_at

log = logging.getLogger(__name__)

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 60.0
_WATCHED = "Started scalers watch"
FINISH_SECONDS = 20.0
"""How long the end of an object may take; then it goes, whatever could not be done."""


class Setback(Exception):
    """The object cannot be acted on now; ``text`` goes into its condition."""


class ObjectDaemon(ABC):
    """One object's daemon."""

    resource: Resource

    def __init__(self, environment: Environment, obj: Object) -> None:
        self.env = environment
        self.status = Status(environment.client, self.resource, obj)
        self.metrics = ObjectMetrics(self.resource.kind, key(obj))
        self.triggers = Triggers()
        self.next_look = 0.0
        """When triggers are looked at next, by the loop's clock."""
        self._woken = asyncio.Event()
        self._is_stale = False
        self._pushed: set[int] = set()
        self._declared: Sequence[JobTrigger] = ()
        self._told: set[str] = set()
        self._is_watched = False
        self._taken = _matters(obj)
        self._part = random.uniform(0.2, 1.0)

    # -- what subclasses say -----------------------------------------------------------------------

    @abstractmethod
    async def prepare(self) -> bool:
        """Make everything ready; whether there is something to follow. Raises what it meets."""

    @abstractmethod
    async def look(self, pushed: Collection[int] = ()) -> float:
        """Look and act; return the loop's time of the next look."""

    async def tend(self) -> None:  # noqa: B027 - not all have something to do
        """Do what came up between two looks."""

    @abstractmethod
    async def say_failed(self, about: str, text: str) -> None:
        """Say that it could not be made ready."""

    @abstractmethod
    async def finish(self) -> None:
        """Do what is left to do for an object that is being deleted."""

    # -- what is told to it ------------------------------------------------------------------------

    @property
    def object(self) -> Object:
        """The object as it is known."""
        return self.status.object

    def note(self, obj: Object) -> None:
        """The object as its watch has it: all is prepared anew where more than status changed."""
        self.status.note(obj)
        if _matters(self.object) != self._taken:
            self.recheck()

    def take(self) -> Object:
        """Return the object, to be made ready for as it is now.

        What others change from here on has it done anew, also where the answer to a write of ours
        tells of it before the watch does.
        """
        self._taken = _matters(self.object)
        return self.object

    def recheck(self) -> None:
        """Prepare everything anew."""
        self._is_stale = True
        self._woken.set()

    def wake(self) -> None:
        """Go through the loop once more."""
        self._woken.set()

    def references(self, kind: str, name: str) -> bool:
        """Whether a trigger uses an authentication."""
        return any(
            each.authentication_ref is not None
            and each.authentication_ref.name == name
            and (each.authentication_ref.kind or "TriggerAuthentication") == kind
            for each in self._declared
        )

    def event(self, kind: str, reason: str, message: str) -> None:
        """Record an Event about the object."""
        self.env.record(Event(self.object, kind, str(reason), message))

    def event_once(self, reason: str, message: str) -> bool:
        """Record a warning unless it was the last of its kind; whether it was recorded."""
        told = f"{reason}\n{message}"
        is_new = told not in self._told
        if is_new:
            self.forget_events(reason)
            self._told.add(told)
            self.event("Warning", reason, message)
        return is_new

    def forget_events(self, reason: str) -> None:
        """Let warnings of a reason be recorded again: what they told of is over."""
        self._told = {each for each in self._told if not each.startswith(f"{reason}\n")}

    # -- its life ----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until cancelled."""
        failures = 0
        facts = {"kind": self.resource.kind, "key": key_text(key(self.object))}
        try:
            while True:
                self._is_stale = False
                problem = await self._once()
                if problem is None:
                    failures = 0
                    continue
                log.warning("not scaled", extra=facts | {"error": str(problem)})
                self.metrics.failed()
                pause = min(_FIRST_PAUSE * 2**failures, _LONGEST_PAUSE)
                failures = min(failures + 1, 10)
                await self._wait(self.env.loop_clock() + pause)
        finally:
            await self.triggers.close()
            self.metrics.gone()

    async def _once(self) -> Exception | None:
        """Prepare and follow until something changes; what kept it from that."""
        try:
            if await self.prepare():
                await self._follow()
            else:
                await self._wait_for_change()
            return None
        except (CheckError, ConfigError, ScalerError, TargetError, Setback, ApiError) as error:
            problem: Exception = error
        except Exception as error:
            caught("keda", key(self.object))
            problem = error
        try:
            about = problem.about if isinstance(problem, TargetError) else ""
            await self.say_failed(about, str(problem) or repr(problem))
        except ApiError as error:
            log.warning("status not written", extra=error.facts)
        return problem

    async def _follow(self) -> None:
        self.next_look = self.env.loop_clock()
        async with self._listening():
            while not self._is_stale:
                late = self.env.loop_clock() - self.next_look
                if self._pushed or late >= 0:
                    self.metrics.late(late)
                    pushed, self._pushed = self._pushed, set()
                    self.next_look = await self.look(pushed)
                else:
                    await self.tend()
                await self._wait(self.next_look)

    async def _wait_for_change(self) -> None:
        while not self._is_stale:
            await self._wait(None)

    async def _wait(self, until: float | None) -> None:
        if until is None or until > self.env.loop_clock():
            with contextlib.suppress(TimeoutError):
                async with time_limit_at(until):
                    await self._woken.wait()
        self._woken.clear()

    # -- triggers ----------------------------------------------------------------------------------

    async def open_triggers(
        self, triggers: Sequence[JobTrigger], pod: Object | None, *, container: str, formula: bool
    ) -> None:
        """Make the scalers of all triggers instead of those before; raise ConfigError."""
        await self.triggers.close()
        self._declared = triggers
        self.metrics.registered(each.type for each in triggers)
        made = []
        for index, each in enumerate(triggers):
            configure = partial(self._configured, each, index, pod, container, formula)
            made.append(
                Trigger(
                    configure,
                    self.env.make,
                    clock=self.env.loop_clock,
                    is_cached=each.use_cached_metrics,
                    metrics=ScalerMetrics(self.metrics, index),
                )
            )
        self.triggers = Triggers(made)
        await self.triggers.open()
        if not self._is_watched:
            self._is_watched = True
            for text in (*(f"Scaler {each.type} is built" for each in triggers), _WATCHED):
                self.event("Normal", EventReason.SCALERS_STARTED, text)

    async def close_triggers(self) -> None:
        """Look at none any more."""
        await self.triggers.close()
        if self._is_watched:
            self._is_watched = False
            self.event("Normal", EventReason.SCALERS_STOPPED, "Stopped scalers watch")

    async def _configured(
        self, trigger: JobTrigger, index: int, pod: Object | None, container: str, formula: bool
    ) -> TriggerConfig:
        where, name = key(self.object)
        resolved = await self.env.resolve(
            trigger.authentication_ref, pod, container=container, namespace=where
        )
        for warning in resolved.warnings:
            self.event_once("KEDAScalerInfo", warning)
        metric_type = getattr(trigger, "metric_type", "")
        return TriggerConfig(
            trigger.type,
            trigger.metadata,
            index,
            trigger.name,
            resolved.auth,
            resolved.env,
            MetricType(metric_type) if metric_type else None,
            resolved.pod_identity,
            where,
            name,
            is_job=self.resource.kind == "ScaledJob",
            timeout=self.env.timeout,
            proxy=self.env.proxy,
            as_metric_source=formula,
        )

    @contextlib.asynccontextmanager
    async def _listening(self) -> AsyncIterator[None]:
        """Hear of work from those that tell by themselves."""
        tasks = [
            asyncio.create_task(self._listen(index, trigger), name="keda-push")
            for index, trigger in self.triggers.pushing
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _listen(self, index: int, trigger: Trigger) -> None:
        """That there is nothing to do any more is found out by polls, as KEDA does."""
        while True:
            try:
                async for is_active in trigger.activity():
                    if is_active:
                        self._pushed.add(index)
                        self.wake()
            except ScalerError as error:
                log.info("push scaler is cut off", extra={"error": str(error)})
            except Exception:
                caught("keda push")
            await asyncio.sleep(_FIRST_PAUSE)

    def first_part(self) -> float:
        """Return which part of an interval passes until the next look.

        The first is a piece: daemons that began together do not look together for ever.
        """
        part, self._part = self._part, 1.0
        return part

    async def say(self, *said: Said) -> None:
        """Store conditions; an object that is gone needs none."""
        with contextlib.suppress(NotFound):
            await self.status.write(None, said)


def _matters(obj: Object) -> tuple[object, ...]:
    """What has all prepared anew when it changes."""
    return meta.generation(obj), meta.annotations(obj), meta.labels(obj)
