"""A service request by request, with the real throttler, balancer and statistics. Pure.

Frames are sent at whole seconds and the autoscaler ticks at even ones; in reality each process has
a beat of its own. A pod that goes away finishes what it has, which costs no pod seconds here.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Callable, Sequence
from random import Random

from activator.backlog import Room, Ticket
from activator.endpoints import Endpoint, State
from activator.pods import Address, Pod
from activator.reporter import FRAME_SECONDS, POKE_SECONDS
from activator.stats import RequestStats
from activator.throttler import Throttler
from hearth.simulation.rest import extends, rests_until
from hearth.simulation.revision import Revision
from hearth.simulation.solo import Cycle, Solos
from hearth.simulation.tally import Outcome, Tally, outcome_of
from hearth.simulation.target import Target
from serving.api import keys
from serving.autoscaler.decide import TICK_SECONDS
from serving.autoscaler.windows import bucket_count

Draw = Callable[[Random], float]
_ENDLESS = 1e7
"""Seconds: longer than any window."""


class Ahead:
    """Draws numbers, of which the next is known."""

    def __init__(self, draw: Draw, random: Random) -> None:
        self._draw = draw
        self._random = random
        self.ahead = draw(random)

    def take(self) -> float:
        """Return the next one."""
        taken, self.ahead = self.ahead, self._draw(self._random)
        return taken


class Exact:
    """One run; ``run`` is to be called once."""

    def __init__(
        self,
        target: Target,
        arrivals: Sequence[float],
        *,
        service_time: Draw,
        pod_start: Draw,
        random: Random,
        tally: Tally,
        skips: bool = True,
    ) -> None:
        """``arrivals`` are seconds in order; without ``skips`` every tick is decided on."""
        self._arrivals = arrivals
        self._services = Ahead(service_time, Random(random.random()))
        self._starts = Ahead(pod_start, Random(random.random()))
        self._tally = tally
        self._skips = skips and target.is_timeless
        self._timeout = target.timeout_seconds
        self._by_requests = target.spec.metric == keys.METRIC_RPS
        self._throttler: Throttler[int] = Throttler(random.random, Room(target.backlog))
        self._throttler.configure(target.container_concurrency, target.spread_target)
        self._stats = RequestStats(0.0)
        self._revision = Revision(
            target, pod_start=self._starts.take, came=self._came, went=self._went
        )
        self._endpoints: dict[Address, Endpoint] = {}
        self._made = 0
        self._ends: list[tuple[float, int, Pod]] = []
        self._waiting: deque[tuple[float, Ticket[int]]] = deque()
        self._frame_at = self._tick_at = self._poke_at = self._spread_at = math.inf
        self._poked_at = -math.inf
        self._target = target
        self._solos = Solos(target, self._alone)
        self._stable_seconds = bucket_count(target.spec.stable_window)
        self._last_busy, self._last_value, self._last_high = 0, 0.0, 0
        self._ticked_at = 0.0
        self._rests_until = 0.0
        """Before that ticks change nothing, unless something else happens; 0: nobody knows."""
        self._goes_on = False
        """Whether that holds although requests come."""

    def run(self) -> Outcome:
        """Simulate up to the end of the trace; return what came of it."""
        revision, arrivals, end = self._revision, self._arrivals, self._tally.seconds
        revision.begin(0.0)
        self._watch(0.0)
        index, count = 0, len(arrivals)
        while True:
            arrival = arrivals[index] if index < count else math.inf
            now = min(arrival, self._next_at())
            if now >= end:
                break
            if not self._happen(now):
                following = arrivals[index + 1] if index + 1 < count else math.inf
                if not self._come_and_go(now, min(following, end)):
                    self._arrive(index, now)
                index += 1
            self._watch(now)
        for arrived, ticket in self._waiting:
            if ticket.live:
                self._tally.waited(arrived, end - arrived)
        return outcome_of(
            self._tally,
            revision.changes,
            cold_starts=revision.wakes,
            decided=revision.decided,
            exact=True,
        )

    def _next_at(self) -> float:
        """When something happens next, but for requests that come."""
        return min(
            self._ends[0][0] if self._ends else math.inf,
            self._revision.next_at,
            self._frame_at,
            self._tick_at,
            self._poke_at,
            self._spread_at,
            self._waiting[0][0] + self._timeout if self._waiting else math.inf,
        )

    def _happen(self, now: float) -> bool:
        """Let happen what is first of what is due; False where nothing is but a request."""
        if now == self._revision.next_at:
            self._catch_up(now)
            self._rests_until = 0.0
            self._revision.advance(now)
        elif self._ends and now == self._ends[0][0]:
            self._end(now)
        elif now == self._frame_at:
            self._frame(now)
        elif now == self._tick_at:
            self._tick(now)
        elif now == self._poke_at:
            self._poke(now)
        elif now == self._spread_at:
            self._spread_at = math.inf
            self._admit(now)
        elif self._waiting and now == self._waiting[0][0] + self._timeout:
            self._give_up(now)
        else:
            return False
        return True

    def _come_and_go(self, now: float, until: float) -> bool:
        """Have a request at zero come and go, if no other comes before that is forgotten."""
        if not self._skips or not self._solos.are_alike or not self._is_forgotten:
            return False
        start, service = self._starts.ahead, self._services.ahead
        cycle = self._solos.cycle(now, start, service, until=until)
        if cycle is None:
            return False
        self._starts.take()
        self._services.take()
        self._tally.waited(now, start)
        self._tally.queued(now, 1)
        ready = now + start
        window = self._target.bounds.stable_window
        went = ready + window if cycle.goes is None else float(int(now) + cycle.goes)
        self._revision.come_and_go(now, ready, went, decided=cycle.decided)
        self._poked_at = now
        return True

    @property
    def _is_forgotten(self) -> bool:
        """Whether the service is at zero, and nothing is known of the requests it had."""
        revision = self._revision
        return (
            self._frame_at == math.inf
            and not revision.asked
            and revision.multiscaler.is_idle
            and revision.next_at == math.inf
            and not self._stats.has_traffic()
        )

    def _alone(self, at: float, start: float, service: float) -> Cycle:
        """Simulate such a request, from zero to the moment at which all is forgotten."""
        alone = Exact(
            self._target,
            [at],
            service_time=lambda random: service,
            pod_start=lambda random: start,
            random=Random(0),
            tally=Tally(_ENDLESS, 1),
        )
        alone._solos.are_alike = False
        alone.run()
        went = alone._revision.changes[-1].at
        goes = int(went) - int(at) if went == int(went) else None
        return Cycle(goes, int(alone._ticked_at) - int(at), alone._revision.decided)

    # -- requests ----------------------------------------------------------------------------------

    def _arrive(self, index: int, now: float) -> None:
        self._stats.enter(now)
        pod = self._throttler.acquire()
        if not self._goes_on:
            self._rests_until = 0.0
        if pod is not None:
            self._tally.waited(now, 0.0)
            self._begin(pod, now)
            return
        self._rests_until = 0.0
        ticket = self._throttler.enqueue(index, 0, now)
        if ticket is None:
            self._tally.full += 1
            self._stats.leave(now, 503, 0.0)
            return
        self._waiting.append((now, ticket))
        self._tally.queued(now, self._throttler.waiting)
        self._wake(now)

    def _begin(self, pod: Pod, now: float) -> None:
        self._made += 1
        heapq.heappush(self._ends, (now + self._services.take(), self._made, pod))

    def _end(self, now: float) -> None:
        _, _, pod = heapq.heappop(self._ends)
        self._throttler.release(pod)
        self._stats.leave(now, 200, 0.0)
        if self._throttler.demand:
            self._admit(now)

    def _admit(self, now: float) -> None:
        for index, pod in self._throttler.admit(now):
            arrived = self._arrivals[index]
            self._tally.waited(arrived, now - arrived)
            self._begin(pod, now)
        while self._waiting and not self._waiting[0][1].live:
            self._waiting.popleft()
        ends_in = self._throttler.spread_ends_in(now)
        self._spread_at = math.inf if ends_in is None else now + ends_in

    def _give_up(self, now: float) -> None:
        _, ticket = self._waiting.popleft()
        if ticket.live:
            self._throttler.cancel(ticket)
            self._tally.timed_out += 1
            self._stats.leave(now, 504, 0.0)

    # -- pods --------------------------------------------------------------------------------------

    def _came(self, count: int, now: float) -> None:
        for _ in range(count):
            self._made += 1
            address = ("pod", self._made)
            self._endpoints[address] = Endpoint(address, State.READY, str(self._made))
        self._pods_changed(now)

    def _went(self, count: int, now: float) -> None:
        """Those with the fewest requests go, of these the newest, as costs of deletion ask for."""
        pods = self._throttler.pods.values()
        for pod in sorted(pods, key=lambda pod: (pod.in_flight, -pod.address[1]))[:count]:
            del self._endpoints[pod.address]
        self._pods_changed(now)

    def _pods_changed(self, now: float) -> None:
        self._throttler.update(self._endpoints, now)
        if self._throttler.demand:
            self._admit(now)
            if self._throttler.demand:
                self._wake(now)

    # -- what the autoscaler hears -----------------------------------------------------------------

    def _wake(self, now: float) -> None:
        if self._poke_at == math.inf:
            self._poke_at = max(now, self._poked_at + POKE_SECONDS)

    def _poke(self, now: float) -> None:
        self._poke_at, self._poked_at = math.inf, now
        if self._throttler.waiting:
            self._catch_up(now)
            self._revision.poke(
                now, concurrency=float(self._stats.active), queued=self._throttler.waiting
            )

    def _frame(self, now: float) -> None:
        self._catch_up(now)
        seen = self._stats.take(now, self._throttler.waiting, now - FRAME_SECONDS)
        value = seen.requests if self._by_requests else seen.average_concurrency
        self._frame_at = math.inf
        self._revision.report(
            now,
            concurrency=seen.average_concurrency,
            requests=seen.requests,
            queued=seen.queued,
        )
        if value:
            self._last_busy, self._last_value = int(now), value
            if value > self._target.spec.target:
                self._last_high = int(now)
            if self._rests_until:
                self._rests_until = self._one_pod_until(now) if self._goes_on else 0.0

    # -- ticks, and those that are left out --------------------------------------------------------

    def _watch(self, now: float) -> None:
        """Set the times of the next frame and tick, where there are any."""
        if self._frame_at == math.inf and self._stats.has_traffic():
            self._frame_at = math.floor(now) + FRAME_SECONDS
        if self._revision.multiscaler.is_idle:
            self._tick_at = math.inf
            return
        tick = math.ceil(now / TICK_SECONDS) * TICK_SECONDS
        if tick == self._ticked_at:
            tick += TICK_SECONDS
        if self._rests_until > tick:
            tick = math.ceil(min(self._rests_until, 1e12) / TICK_SECONDS) * TICK_SECONDS
        self._tick_at = tick

    def _tick(self, now: float) -> None:
        self._catch_up(now)
        self._revision.tick(now)
        self._ticked_at = now
        self._rests_until = self._rest(now) if self._skips else 0.0
        self._watch(now)

    def _rest(self, now: float) -> float:
        """Return until when ticks are known to change nothing; 0 where that is not known."""
        revision = self._revision
        self._goes_on = False
        if self._throttler.waiting or not revision.is_settled or revision.multiscaler.is_idle:
            return 0.0
        until = self._one_pod_until(now)
        if until:
            self._goes_on = True
            return until
        if self._stats.has_traffic():
            return 0.0
        return rests_until(
            revision.decider,
            ready=revision.ready,
            last_busy=self._last_busy,
            last_value=self._last_value,
            now=now,
        )

    def _one_pod_until(self, now: float) -> float:
        """Return until when one pod is wanted whatever comes, if it is as little as so far."""
        extended = extends(
            self._revision.decider,
            ready=self._revision.ready,
            last_high=self._last_high,
            value=self._last_value,
            now=now,
        )
        until = self._last_busy + self._stable_seconds
        return float(until) if extended and until > now else 0.0

    def _catch_up(self, now: float) -> None:
        """Record the silence of ticks that were left out, before anything else is."""
        last = (math.ceil(now / TICK_SECONDS) - 1) * TICK_SECONDS
        if last <= self._ticked_at:
            return
        collector = self._revision.decider.collector
        if self._revision.ready and collector is not None:
            collector.record_silence(last, TICK_SECONDS)
        self._ticked_at = last
