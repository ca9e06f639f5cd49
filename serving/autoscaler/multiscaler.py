"""All deciders of this process: who is looked at when, on which data, and who is told.

No I/O and no clock of its own: frames, ticks and the time come in, callbacks go out. Revisions at
zero without traffic cost nothing: only those with pods or recent reports are looked at each tick.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from hearth.kube.meta import Key, shared
from serving.api import keys
from serving.api.stats import Frame, Stat
from serving.autoscaler.collector import Collector
from serving.autoscaler.decide import (
    WINDOW_NOT_SEEN,
    DeciderSpec,
    DeciderState,
    Decision,
    Observation,
    decide,
    initial_decision,
    initial_state,
)
from serving.autoscaler.wishes import Shares, are_heard, formulas, wished

ReadyPods = Callable[[Key], int]
Tell = Callable[[Key], None]


class Decider:
    """One revision: what it asks for, what it was given last, and what has been seen of it."""

    __slots__ = ("cause", "collector", "decision", "spec", "state", "wishes")

    def __init__(self, spec: DeciderSpec, pods: int, now: float) -> None:
        self.spec = spec
        self.state: DeciderState = initial_state(pods, now)
        self.decision: Decision = initial_decision(spec)
        self.collector: Collector | None = None
        self.wishes: Shares = ()
        # What it was last decided on for, between two ticks.
        self.cause = ""

    def collect(self) -> Collector:
        """Return the collector, made when there is first something to record."""
        if self.collector is None:
            self.collector = Collector(self.spec)
        return self.collector

    def respecify(self, spec: DeciderSpec, now: float) -> None:
        """Go by another spec; a metric of another kind starts with empty windows."""
        if spec == self.spec:
            return
        self.spec = spec
        if self.collector is not None and self.collector.fits(spec):
            self.collector.resize(spec, now)
        else:
            self.collector = None


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is seen of one revision now, and what would be decided on that."""

    observation: Observation
    decision: Decision
    state: DeciderState
    """As it would be after the decision."""
    waiting: int
    """Requests that wait for a pod, in all activators."""
    observed_seconds: float
    is_watched: bool
    """Whether it is looked at on each tick; else only once a request comes."""
    wishes: Shares = ()
    """What others wish for."""


class Multiscaler:
    """Tells ``changed`` of each new decision, ``urgent`` of a revision that must wake up now.

    An exception while one revision is looked at hurts only that one: ``failed`` is told, with the
    exception being handled, and the next tick looks again.
    """

    def __init__(
        self,
        *,
        ready_pods: ReadyPods,
        changed: Tell,
        urgent: Tell,
        failed: Tell,
        heard: Callable[[Key, Mapping[int, int]], None] = lambda revision, answered: None,
    ) -> None:
        """``heard`` is told how requests ended."""
        self._heard = heard
        self._ready_pods = ready_pods
        self._changed = changed
        self._urgent = urgent
        self._failed = failed
        self._deciders: dict[Key, Decider] = {}
        self._watched: set[Key] = set()
        """Keys to look at on each tick."""

    @property
    def deciders(self) -> dict[Key, Decider]:
        """The deciders by their PodAutoscaler's key."""
        return self._deciders

    @property
    def is_idle(self) -> bool:
        """Whether no revision needs to be looked at."""
        return not self._watched

    def desired(self, key: Key) -> int:
        """Return the pods decided on; -1 before there was data."""
        decider = self._deciders.get(key)
        return -1 if decider is None else decider.decision.desired

    def excess_burst_capacity(self, key: Key) -> int:
        """Return what is left for a burst; -1 before that is known."""
        decider = self._deciders.get(key)
        return -1 if decider is None else decider.decision.excess_burst_capacity

    def busy(self, key: Key, now: float) -> Mapping[str, int]:
        """Return the requests in a revision's pods, by pod, as far as they are known."""
        decider = self._deciders.get(key)
        collector = None if decider is None else decider.collector
        return {} if collector is None else collector.busy(now)

    def need(self, key: Key, now: float) -> float:
        """Return the pods, with fractions, that a revision's requests need on average."""
        decider = self._deciders.get(key)
        if decider is None or decider.collector is None:
            return 0.0
        return decider.collector.averages(now)[0] / decider.spec.target

    def outlook(self, key: Key, now: float) -> Outlook | None:
        """Return what would be decided on a revision now; nothing changes by being asked."""
        decider = self._deciders.get(key)
        if decider is None:
            return None
        observation = self._observation(key, decider, now)
        state, decision = decide(decider.spec, decider.state, observation=observation, now=now)
        collector = decider.collector
        return Outlook(
            observation,
            self._not_blindly_to_zero(decider, decision, now),
            state,
            waiting=0 if collector is None else collector.queued(now),
            observed_seconds=0.0 if collector is None else collector.observed_seconds(now),
            is_watched=key in self._watched,
            wishes=decider.wishes,
        )

    # -- who there is --------------------------------------------------------------------------

    def put(self, key: Key, spec: DeciderSpec, now: float, *, asked: int = 0) -> None:
        """A PodAutoscaler appeared or changed; ``asked`` is what anybody decided on last."""
        spec = _shared(spec)
        decider = self._deciders.get(key)
        if decider is None:
            self._deciders[shared(key)] = Decider(spec, max(asked, self._ready_pods(key)), now)
            self.pods_changed(key, now)
        else:
            decider.respecify(spec, now)

    def remove(self, key: Key) -> None:
        """Forget a PodAutoscaler that is gone."""
        self._deciders.pop(key, None)
        self._watched.discard(key)

    def pods_changed(self, key: Key, now: float) -> None:
        """Pods of a revision came, became ready or went."""
        decider = self._deciders.get(key)
        if decider is None:
            return
        if self._ready_pods(key) == 0:
            self._wake_if_awaited(key, decider, now)
            return
        self._watched.add(key)
        if not decider.decision.is_valid:
            # The first pod is ready: what it is scaled to is said with that, not a tick later.
            self._observe_silence(key, decider, now)
            self._decide(key, decider, now)

    def _wake_if_awaited(self, key: Key, decider: Decider, now: float) -> None:
        """The last pod went while somebody waits: the poke came before we knew that it went."""
        collector = decider.collector
        if collector is not None and collector.queued(now) and self._decide(key, decider, now):
            self._urgent(key)

    # -- what activators report ----------------------------------------------------------------

    def receive(self, activator: str, frame: Frame, now: float) -> None:
        """Take what an activator reports; a poke asks for a decision at once."""
        for stat in frame.stats:
            try:
                self._take(activator, stat, is_poke=frame.is_poke, now=now)
                if stat.answered:
                    self._heard((stat.namespace, stat.revision), stat.answered)
            except Exception:
                self._failed((stat.namespace, stat.revision))

    def wish(self, key: Key, wishes: Shares, now: float) -> None:
        """Others wish for pods of a revision. More are given at once, fewer at the next tick."""
        decider = self._deciders.get(key)
        if decider is None:
            return
        before, decider.wishes = decider.wishes, wishes
        if (wished(wishes), formulas(wishes)) == (wished(before), formulas(before)):
            return
        # Requests are told of as soon as there are some: so far there are none.
        decider.collect().record_nothing(now)
        self._watched.add(key)
        if self._decide(key, decider, now, only_up=True):
            decider.cause = f"wished for by {', '.join(share.wish.source for share in wishes)}"
            self._urgent(key)

    def disconnect(self, activator: str) -> None:
        """What an activator had waiting is not known any more."""
        for key in self._watched:
            collector = self._deciders[key].collector
            if collector is not None:
                collector.forget_queued(activator)

    def _take(self, activator: str, stat: Stat, *, is_poke: bool, now: float) -> None:
        key = (stat.namespace, stat.revision)
        decider = self._deciders.get(key)
        if decider is None:
            return
        collector = decider.collect()
        collector.set_queued(activator, stat.queued, now=now, concurrency=stat.concurrency)
        if not is_poke:
            collector.record(now, concurrency=stat.concurrency, requests=stat.requests)
            collector.set_busy(activator, stat.busy, now)
        self._watched.add(key)
        has_pods = self._ready_pods(key) > 0
        if not stat.queued or (has_pods and not is_poke):
            return
        if self._decide(key, decider, now, only_up=has_pods):
            decider.cause = f"{stat.queued} waiting in {activator}"
            self._urgent(key)

    # -- deciding ------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """Decide anew for every revision that has pods, or had requests in its window."""
        for key in tuple(self._watched):
            try:
                self._look(key, now)
            except Exception:
                self._failed(key)

    def _look(self, key: Key, now: float) -> None:
        decider = self._deciders[key]
        self._observe_silence(key, decider, now)
        if self._decide(key, decider, now):
            decider.cause = ""
            self._changed(key)
        if self._is_over(key, decider, now):
            self._watched.discard(key)
            decider.collector = None

    def _observe_silence(self, key: Key, decider: Decider, now: float) -> None:
        """Pods that nobody sends to are observed too: an activator reports only what it has."""
        if self._ready_pods(key) > 0 or are_heard(decider.wishes):
            decider.collect().record_nothing(now)

    def _is_over(self, key: Key, decider: Decider, now: float) -> bool:
        collector = decider.collector
        if self._ready_pods(key) > 0 or are_heard(decider.wishes):
            return False
        return collector is None or (not collector.queued(now) and not collector.has_data(now))

    def _decide(self, key: Key, decider: Decider, now: float, *, only_up: bool = False) -> bool:
        """Decides anew; whether that changed anything others go by.

        ``only_up`` is for news between two ticks: requests that wait although there are pods. It
        may ask for more pods; whether there are too many is the tick's to say.
        """
        before = decider.decision
        seen = self._observation(key, decider, now)
        state, decision = decide(decider.spec, decider.state, observation=seen, now=now)
        if not decision.is_valid or (only_up and decision.desired <= before.desired):
            return False
        decider.state = state
        decider.decision = self._not_blindly_to_zero(decider, decision, now)
        was_short = before.excess_burst_capacity < 0
        is_short = decision.excess_burst_capacity < 0
        return before.desired != decider.decision.desired or was_short != is_short

    def _observation(self, key: Key, decider: Decider, now: float) -> Observation:
        ready, collector = self._ready_pods(key), decider.collector
        others, joint = wished(decider.wishes), formulas(decider.wishes)
        if collector is None:
            return Observation(ready, 0.0, 0.0, has_data=False, wished=others, formulas=joint)
        stable, panic = collector.averages(now)
        waiting = collector.queued(now)
        if waiting and ready == 0:
            # No average has seen yet what waits: one pod for the first request,
            # as many as they need for a burst.
            stable, panic = max(stable, 1.0), max(panic, float(waiting))
        elif waiting and decider.spec.metric == keys.METRIC_CONCURRENCY:
            # The first pod of a burst is ready, and the others still wait for more.
            panic = max(panic, collector.queued_concurrency(now))
        has_data = bool(waiting) or collector.has_data(now)
        return Observation(ready, stable, panic, has_data=has_data, wished=others, formulas=joint)

    def _not_blindly_to_zero(self, decider: Decider, decision: Decision, now: float) -> Decision:
        """After a start the last pod stays until a whole window has been seen without traffic."""
        collector = decider.collector
        if decision.desired != 0 or collector is None:
            return decision
        if collector.observed_seconds(now) + 1 < decider.spec.stable_window:
            return replace(decision, desired=1, reasons=(*decision.reasons, WINDOW_NOT_SEEN))
        return decision


@lru_cache(maxsize=64)
def _shared(spec: DeciderSpec) -> DeciderSpec:
    """Return the spec that is equal: most revisions ask for the same."""
    return spec
