"""A service with many requests, second by second: requests are a stream, the autoscaler is real.

Within a second requests come evenly; service times are exponential (their mean counts). The
backlog moves first in, first out. What is not seen: waiting that chance brings about, within a
second, although there is room on average. Tests hold it against ``exact``.

While all requests have a pod at once, the autoscaler's windows are known beforehand for the whole
trace. Ticks that would decide what is in force are found in these arrays and left out.
"""

from __future__ import annotations

import math
from random import Random

from activator.reporter import POKE_SECONDS
from activator.throttler import SPREAD_SECONDS
from hearth.simulation.backlog import Backlog
from hearth.simulation.exact import Draw
from hearth.simulation.load import Load
from hearth.simulation.revision import Revision
from hearth.simulation.tally import Outcome, Series, Tally, outcome_of
from hearth.simulation.target import Target
from serving.autoscaler.decide import TICK_SECONDS
from serving.autoscaler.windows import bucket_count

_POKE_LATER_SECONDS = 1.0
"""Whoever has waited for a second already is told of once in this time; in reality as often as at
first. Ticks decide by then."""
_NOTHING = 1e-9
_TICK = int(TICK_SECONDS)


class Stepped:
    """One run; ``run`` is to be called once."""

    def __init__(
        self,
        target: Target,
        per_second: Series,
        *,
        service_seconds: float,
        pod_start: Draw,
        random: Random,
        tally: Tally,
        skips: bool = True,
    ) -> None:
        """``per_second`` are the requests of each second; without ``skips`` every tick counts."""
        self._target = target
        self._tally = tally
        self._skips = skips and target.is_timeless
        self._load = Load(per_second, service_seconds, target.spec)
        self._revision = Revision(
            target,
            pod_start=lambda: pod_start(random),
            came=self._came,
            went=lambda count, now: None,
        )
        self._backlog = Backlog(tally, target.backlog.requests, target.timeout_seconds)
        self._in_pods = 0.0
        self._follows = True
        """Whether what is in pods is what it would be had nobody ever waited."""
        self._disturbed_until = 0
        """Up to this second windows hold what is not in the arrays."""
        self._spread_until = -math.inf
        self._poke_at = -math.inf
        self._waits_since = math.inf

    def run(self) -> Outcome:
        """Simulate up to the end of the trace; return what came of it."""
        load, revision = self._load, self._revision
        for place, count in enumerate(load.by_bin(self._tally.bins)):
            self._tally.waited_not(place, count)
        revision.begin(0.0)
        second, end = 0, len(load.per_second)
        while second < end:
            if revision.multiscaler.is_idle and self._is_calm and not revision.ready:
                second = self._idle(second)
            elif (to := self._next_change(second)) > second:
                self._leave_out(second, to)
                second = to
            else:
                self._second(second)
                second += 1
        self._backlog.end(float(end))
        return outcome_of(
            self._tally,
            revision.changes,
            cold_starts=revision.wakes,
            decided=revision.decided,
            exact=False,
        )

    @property
    def _is_calm(self) -> bool:
        return not self._backlog.count and self._follows

    # -- what is left out --------------------------------------------------------------------------

    def _idle(self, second: int) -> int:
        """At zero without requests: on to the next one."""
        following = min(
            self._load.next_request(second), math.ceil(min(self._revision.next_at, 1e12))
        )
        self._revision.advance(float(following))
        if following > second:
            return following
        self._second(second)
        return second + 1

    def _next_change(self, second: int) -> int:
        """Return up to when no tick decides otherwise; ``second`` where that cannot be told.

        A window as long as the pause between ticks begins anew whenever a second is silent, so what
        it holds does not follow from the requests alone.
        """
        revision, spec = self._revision, self._target.spec
        decider = revision.decider
        if (
            not self._skips
            or second % _TICK
            or second < self._disturbed_until
            or not self._is_calm
            or not revision.ready
            or not revision.is_settled
            or decider.state.panic_since is not None
            or spec.scale_down_delay > 0
            or spec.weighted
            or bucket_count(spec.panic_window) == _TICK
            or decider.collector is None
            or decider.collector.observed_seconds(second) + 1 < spec.stable_window
        ):
            return second
        limit = revision.ready * self._target.container_concurrency or math.inf
        wanted = decider.decision.desired
        to = self._load.unchanged_until(second, ready=revision.ready, wanted=wanted, limit=limit)
        return max(second, min(to, int(min(revision.next_at, 1e12)) // _TICK * _TICK))

    def _leave_out(self, second: int, to: int) -> None:
        """Fill the windows as if each second had been reported."""
        load, collector = self._load, self._revision.decider.collector
        assert collector is not None
        for past in range(max(second, to - load.window), to):
            concurrency, requests = load.concurrency[past], load.per_second[past]
            collector.record(past + 1, concurrency=float(concurrency), requests=float(requests))
        self._in_pods = float(load.in_pods[to])

    # -- a second ----------------------------------------------------------------------------------

    def _second(self, second: int) -> None:
        load, revision = self._load, self._revision
        requests, now = float(load.per_second[second]), float(second)
        if not self._backlog.count and revision.next_at >= now + 1 and self._has_room(second):
            concurrency = self._flow(second, requests)
        elif requests or self._backlog.count or not self._follows:
            concurrency = self._by_pieces(now, requests)
        else:
            concurrency = self._flow(second, requests)
            revision.advance(now + 1)
        waiting = math.ceil(self._backlog.count - _NOTHING)
        if concurrency or requests or waiting:
            revision.report(now + 1, concurrency=concurrency, requests=requests, queued=waiting)
        if (second + 1) % _TICK == 0 and not revision.multiscaler.is_idle:
            revision.tick(now + 1)

    def _has_room(self, second: int) -> bool:
        revision, limit = self._revision, self._target.container_concurrency
        if not revision.ready:
            return not self._load.per_second[second]
        if not limit:
            return True
        load = self._load
        needed = (
            float(load.concurrency[second])
            if self._follows
            else load.average(self._in_pods, float(load.per_second[second]))
        )
        return needed <= revision.ready * limit

    def _flow(self, second: int, requests: float) -> float:
        """Every request has a pod at once."""
        load = self._load
        if self._follows:
            self._in_pods = float(load.in_pods[second + 1])
            return float(load.concurrency[second])
        concurrency = load.average(self._in_pods, requests)
        self._in_pods = load.after(self._in_pods, requests)
        if abs(self._in_pods - load.in_pods[second + 1]) < load.grain:
            self._in_pods = float(load.in_pods[second + 1])
            self._follows = True
            self._disturbed_until = second + 1 + load.window
        return concurrency

    def _by_pieces(self, now: float, requests: float) -> float:
        """Some wait: from one event to the next. Returns the average of all that are there."""
        end, there = now + 1, 0.0
        self._follows = False
        self._tally.waited_not(self._tally.bin(now), -requests)
        while now < end - _NOTHING:
            self._poke(now, requests)
            until = min(end, max(self._revision.next_at, now))
            next_poke = max(self._poke_at, now + POKE_SECONDS / 2)
            until = min(until, next_poke if self._backlog.count else now + POKE_SECONDS)
            if now < self._spread_until:
                until = min(until, self._spread_until)
            there += self._piece(now, until, requests)
            now = until
            self._revision.advance(now)
            if not self._backlog.count:
                self._waits_since = math.inf
        self._tally.queued(end - _NOTHING, self._backlog.count)
        return round(there / self._load.grain) * self._load.grain

    def _piece(self, now: float, until: float, rate: float) -> float:
        """Requests come, go into pods and end; returns how many were there, times seconds."""
        seconds, waiting = until - now, self._backlog.count
        if seconds <= 0:
            return 0.0
        limit, coming = self._limit(now), rate * seconds
        room = max(0.0, limit - self._in_pods)
        load = self._load
        if waiting + coming <= room + limit * seconds / load.service_seconds:
            in_pods = self._in_pods + waiting
            self._backlog.add(now, until, coming)
            self._backlog.take(now, now, waiting)
            self._backlog.take(now, until, coming, as_they_come=True)
            self._in_pods, inside = load.during(in_pods, rate, seconds)
            return inside
        admitted = room + limit * seconds / load.service_seconds
        at_once = min(room, waiting)
        self._backlog.add(now, until, coming)
        self._backlog.take(now, now, at_once)
        self._backlog.take(now, until, admitted - at_once)
        self._in_pods = limit if limit else load.during(self._in_pods, 0.0, seconds)[0]
        self._backlog.give_up(until)
        return (limit + (waiting + self._backlog.count) / 2) * seconds

    def _limit(self, now: float) -> float:
        ready, limit = self._revision.ready, self._target.container_concurrency
        if not ready:
            return 0.0
        if limit:
            return float(ready * limit)
        spreads = self._backlog.count and now < self._spread_until
        return float(ready * self._target.spread_target) if spreads else 1e15

    # -- what the autoscaler hears, and pods -------------------------------------------------------

    def _poke(self, now: float, requests: float) -> None:
        waiting = self._backlog.count
        if now < self._poke_at or not (waiting or (requests and not self._revision.ready)):
            return
        if self._waits_since == math.inf:
            self._waits_since = now
        queued = max(1, math.ceil(waiting))
        self._revision.poke(now, concurrency=self._in_pods + queued, queued=queued)
        is_new = now < self._waits_since + _POKE_LATER_SECONDS
        self._poke_at = now + (POKE_SECONDS if is_new else _POKE_LATER_SECONDS)

    def _came(self, count: int, now: float) -> None:
        if self._revision.ready == count:
            self._spread_until = now + SPREAD_SECONDS
