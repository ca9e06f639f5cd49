"""One revision in simulated time: its pods, and the real autoscaler that decides on them. Pure.

What the PodAutoscaler's reconciler does with a decision (``settle``, the condition ``Active``) is
done at once: writes and watches, some milliseconds on one machine, count as part of a pod's start.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass

from hearth.kube.meta import Key
from hearth.simulation.target import Target
from serving.api.stats import Frame, Stat
from serving.autoscaler.forecast import Forecaster, History, changes_at
from serving.autoscaler.multiscaler import Decider, Multiscaler
from serving.autoscaler.scale import Active, Phase, active_condition, active_threshold, settle

KEY: Key = ("simulated", "revision")
_ACTIVATOR = "activator"
_SHORTEST = 1e-3
"""Seconds: what is due by now may be due a rounding error later."""
_LONG_AGO = 1e9
"""Seconds: a simulation begins with a revision that has been there for ever."""


@dataclass(frozen=True, slots=True)
class Change:
    """How many pods there were from a moment on."""

    at: float
    ready: int
    asked: int
    """Replicas: the pods that are ready, and those that are on their way."""


class Revision:
    """Pods that come and go as the autoscaler decides; time is told by each call.

    ``came`` and ``went`` hear of ready pods, in numbers.
    """

    def __init__(
        self,
        target: Target,
        *,
        pod_start: Callable[[], float],
        came: Callable[[int, float], None] = lambda count, now: None,
        went: Callable[[int, float], None] = lambda count, now: None,
    ) -> None:
        self.target = target
        self.ready = 0
        self.asked = 0
        self.wakes = 0
        """How often it was at zero and was asked for a pod."""
        self.changes: list[Change] = []
        self.decided = 0
        """How often it was decided."""
        self._pod_start = pod_start
        self._came = came
        self._went = went
        self._starting: list[float] = []
        self._look_at = self._forecast_at = math.inf
        self._forecaster: Forecaster | None = None
        self._now = 0.0
        self._phase = Phase(Active.FALSE, -_LONG_AGO, -_LONG_AGO)
        self.multiscaler = Multiscaler(
            ready_pods=lambda key: self.ready,
            changed=self._reconcile,
            urgent=self._reconcile,
            failed=_fail,
        )

    def begin(self, now: float) -> None:
        """Be as one is that had no traffic for long: at its least number of pods, or at zero."""
        pods = self.target.bounds_at(now).min_scale
        if not self.target.bounds.scale_to_zero:
            pods = max(1, pods)
        self._now = now
        self.multiscaler.put(KEY, self.target.spec, now)
        if pods:
            self._phase = Phase(Active.TRUE, -_LONG_AGO, -_LONG_AGO)
            self.ready = self.asked = pods
            self._came(pods, now)
            self.multiscaler.pods_changed(KEY, now)
        self.changes.append(Change(now, self.ready, self.asked))
        if self.target.windows:
            self._reconcile(KEY)
        season = self.target.season
        if season is not None:
            self._forecaster = Forecaster(season, History(season.slots), now)
            self._foretell(self._forecaster, now)

    @property
    def decider(self) -> Decider:
        """The autoscaler's memory of it."""
        return self.multiscaler.deciders[KEY]

    @property
    def is_settled(self) -> bool:
        """Whether all pods that were asked for are ready."""
        return not self._starting and self.ready == self.asked

    @property
    def next_at(self) -> float:
        """When something happens by itself: a pod is ready, or its bounds are looked at again."""
        first = self._starting[0] if self._starting else math.inf
        return min(first, self._look_at, self._forecast_at)

    def come_and_go(self, came: float, ready: float, went: float, *, decided: int) -> None:
        """Note a pod that was asked for, was ready and went: all of it is over and forgotten."""
        self.changes += (Change(came, 0, 1), Change(ready, 1, 1), Change(went, 0, 0))
        self.wakes += 1
        self.decided += decided

    def advance(self, now: float) -> None:
        """Let happen what is due."""
        self._now = now
        came = 0
        while self._starting and self._starting[0] <= now:
            heapq.heappop(self._starting)
            came += 1
        if came:
            self.ready += came
            self._note()
            self._came(came, now)
            self.multiscaler.pods_changed(KEY, now)
        if came or self._look_at <= now:
            self._reconcile(KEY)
        if self._forecaster is not None and self._forecast_at <= now:
            self._foretell(self._forecaster, now)

    def report(self, now: float, *, concurrency: float, requests: float, queued: int) -> None:
        """Take a second's frame of the activator."""
        self._now = now
        stat = Stat(*KEY, concurrency, requests, queued)
        self.multiscaler.receive(_ACTIVATOR, Frame(now, (stat,)), now)
        if self._forecaster is not None:
            self._forecaster.see(self.multiscaler.need(KEY, now), now)

    def poke(self, now: float, *, concurrency: float, queued: int) -> None:
        """Hear that requests wait."""
        self._now = now
        stat = Stat(*KEY, concurrency, 0, queued)
        self.multiscaler.receive(_ACTIVATOR, Frame(now, (stat,), is_poke=True), now)

    def tick(self, now: float) -> None:
        """Decide anew."""
        self._now = now
        self.decided += 1
        self.multiscaler.tick(now)

    def _foretell(self, forecaster: Forecaster, now: float) -> None:
        """Wish for what the forecast says, as the control plane does."""
        self._now = now
        forecaster.see(self.multiscaler.need(KEY, now), now)
        foretold = forecaster.forecast(now)
        self.multiscaler.wish(KEY, foretold.shares(KEY), now)
        self._forecast_at = changes_at(now)

    def _reconcile(self, _key: Key) -> None:
        now, phase = self._now, self._phase
        bounds = self.target.bounds_at(now)
        scale = settle(self.multiscaler.desired(KEY), phase, bounds=bounds, now=now)
        after = scale.look_again_after
        self._look_at = math.inf if after is None else now + max(after, _SHORTEST)
        if scale.apply and scale.desired != self.asked:
            self._scale(scale.desired)
        min_ready = active_threshold(bounds, initialized=True)
        becomes = active_condition(scale.desired, self.ready, min_ready=min_ready, was=phase.active)
        if becomes is not None and becomes[0] is not phase.active:
            self._phase = Phase(becomes[0], now, phase.initialized_at)
            self._reconcile(KEY)  # as the reconciler sees its own status

    def _scale(self, replicas: int) -> None:
        if not self.asked:
            self.wakes += 1
        for _ in range(replicas - self.asked):
            heapq.heappush(self._starting, self._now + self._pod_start())
        self._take_away(self.asked - replicas)
        self.asked = replicas
        self._note()

    def _take_away(self, count: int) -> None:
        """Pods that are not ready go first, as ReplicaSets have it."""
        while count > 0 and self._starting:
            self._starting.remove(max(self._starting))
            heapq.heapify(self._starting)
            count -= 1
        if count > 0:
            self.ready -= count
            self._went(count, self._now)
            self.multiscaler.pods_changed(KEY, self._now)

    def _note(self) -> None:
        self.changes.append(Change(self._now, self.ready, self.asked))


def _fail(_key: Key) -> None:
    raise  # called while an exception is handled; no simulation goes on after one
