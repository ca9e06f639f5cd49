"""What stands behind a split: one Service port with its pods, its limits and its counters.

``Backends`` makes one ``Backend`` per (namespace, Service, port) and keeps it as long as a route
leads there or a request is under way. The hot path reaches a backend by a pointer from the route.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from activator import failures
from activator.backlog import Room
from activator.balancing import Random
from activator.endpoints import Endpoint
from activator.http.events import Refusal
from activator.phases import PHASES
from activator.pods import Address, Pod
from activator.policies import Policy
from activator.probing import WAIT_FOR_READY, ProbeKind, ProbeSpec
from activator.retries import RetryBudget
from activator.routes import BackendRef
from activator.sessions import Sessions
from activator.stats import RequestStats
from activator.targets import TargetSpec
from activator.throttler import Throttler
from hearth.kube.multimap import Multimap
from hearth.kube.timers import Timer
from hearth.observability.histogram import Histogram

BackendKey = tuple[str, str, str, str, bool]


class Waiting(Protocol):
    """A request in a backlog."""

    def run_on(self, pod: Pod, now: float) -> None:
        """Go on with this pod."""

    def fail(self, refusal: Refusal) -> None:
        """Go home."""


class PodSharing(Protocol):
    """Who divides the pods of limited targets among activators."""

    def changed(self, backend: Backend) -> None:
        """The limit of a backend, or its pods, may be others now."""

    def forgotten(self, backend: Backend) -> None:
        """A backend is no more."""


class Waker(Protocol):
    """Who is told that requests wait for a pod: the autoscaler's reporter, the prober."""

    def wake(self, backend: Backend) -> None:
        """Requests wait here, or a pod has refused one.

        Called often: what is done about it is the waker's to bound.
        """


@dataclass(frozen=True, slots=True)
class BackendContext:
    """What all backends share: a clock, chance, limits and hooks."""

    clock: Callable[[], float]
    random: Random
    room: Room = field(default_factory=Room)
    wakers: Sequence[Waker] = ()
    # A pod gets no more requests.
    dropped: Callable[[Pod], None] = lambda pod: None
    # Requests of a backend are to be treated otherwise: nobody is to go by what he has looked up.
    rerouted: Callable[[], None] = lambda: None
    # None where this activator is the only one.
    sharing: PodSharing | None = None
    # Calls from the loop when so many seconds have passed.
    later: Callable[[float, Callable[[], None]], object] = Timer


NOBODY = frozenset[Address]()
"""An empty set of one's own is 216 octets."""


class Backend:
    """One destination. ``can_wake`` tells whether somebody makes pods when they are missed."""

    __slots__ = (
        "_context",
        "_is_spread_watched",
        "can_wake",
        "cold_phases",
        "cold_starts",
        "is_gone",
        "is_wanted",
        "pod_seen_at",
        "policy",
        "probing",
        "ready_at",
        "ref",
        "refusals",
        "retries",
        "sessions",
        "spec",
        "stats",
        "throttler",
    )

    def __init__(self, ref: BackendRef, context: BackendContext) -> None:
        self.ref = ref
        self._context = context
        now = context.clock()
        self.can_wake = bool(ref.revision)
        # What made pods has been deleted: none will come any more.
        self.is_gone = False
        # Somebody waits at a page for the first pod, whose request is answered already.
        self.is_wanted = False
        self.throttler: Throttler[Waiting] = Throttler(context.random, context.room)
        self.stats = RequestStats(now)
        self.retries = RetryBudget(now)
        # Where its requests belong together.
        self.sessions: Sessions | None = None
        # Of a route of KEDA's HTTP add-on.
        self.policy: Policy | None = None
        # Until more is known, only the kubelet's word counts.
        self.spec = TargetSpec(ref.namespace, ref.revision or ref.service, probe=WAIT_FOR_READY)
        # The first pod with an address and the first ready one since there was none.
        self.pod_seen_at = now
        self.ready_at = now
        self.probing = NOBODY
        self._is_spread_watched = False
        self.cold_starts = 0
        self.cold_phases: dict[str, Histogram] = {}
        self.refusals: dict[str, int] = {}

    def __repr__(self) -> str:
        return f"Backend({self.ref.namespace}/{self.ref.service}:{self.ref.port})"

    # -- what is known of it ------------------------------------------------------------------

    def configure(self, spec: TargetSpec) -> None:
        """Somebody makes pods for it, with these limits."""
        self.spec = spec
        self.can_wake = True
        self.is_gone = False
        self.throttler.configure(spec.container_concurrency, spec.spread_target)
        self._keep_sessions()
        self._go_on()

    def _keep_sessions(self) -> None:
        before = self.sessions.affinity if self.sessions is not None else None
        affinity = self.spec.affinity
        if affinity != before:
            name = f"{self.spec.namespace}/{self.spec.name}"
            self.sessions = None if affinity is None else Sessions(affinity, self.throttler, name)
            self.throttler.has_wishes = affinity is not None
            self._context.rerouted()

    def retire(self) -> None:
        """Nobody makes pods for it any more; those that are there go on."""
        self.is_gone = True
        self._fail_waiting()

    def update_endpoints(self, endpoints: Mapping[Address, Endpoint]) -> None:
        """Take over what the EndpointSlices say of its pods."""
        throttler, now = self.throttler, self._context.clock()
        had_pods = bool(throttler.pods)
        for pod in throttler.update(endpoints, now):
            self._context.dropped(pod)
        if throttler.pods and not had_pods:
            self.pod_seen_at = now
        if throttler.ready:
            self._note_ready(now)
        self._go_on()

    def mark_reached(self, pod: Pod) -> None:
        """A probe of our own has reached a pod."""
        now = self._context.clock()
        self.throttler.mark_reached(pod, now)
        self._note_ready(now)
        if self._context.sharing is not None:
            self._context.sharing.changed(self)

    def probe_of(self, pod: Pod) -> ProbeSpec | None:
        """How a pod may be probed from here, None: only the kubelet can tell."""
        probe = pod.probe or self.spec.probe
        return probe if self.can_wake and probe.kind is not ProbeKind.WAIT else None

    @property
    def is_awaited(self) -> bool:
        """Whether waiting makes sense: there are pods, or somebody makes them."""
        return bool(self.throttler.ready) or (self.can_wake and not self.is_gone)

    @property
    def gone(self) -> Refusal:
        """What those are told who miss its pods, once nobody makes any."""
        return failures.ROUTE_GONE if self.ref.route else failures.REVISION_GONE

    def _note_ready(self, now: float) -> None:
        """The first ready pod ends the start phase of a cold start."""
        if self.ready_at < self.pod_seen_at:
            self.ready_at = now

    # -- who waits ----------------------------------------------------------------------------

    def wake(self) -> None:
        """Requests wait, or a pod is left out: tell who can do something about it."""
        for waker in self._context.wakers:
            waker.wake(self)

    def admit(self) -> None:
        """Capacity has appeared: let as many go as it allows."""
        now = self._context.clock()
        for waiting, pod in self.throttler.admit(now):
            waiting.run_on(pod, now)
        self._watch_spread(now)

    def _go_on(self) -> None:
        if self._context.sharing is not None:
            self._context.sharing.changed(self)
        if self.throttler.demand:
            self.admit()
            self._fail_waiting()
            self.wake()
        elif any(pod.is_left_out for pod in self.throttler.pods.values()):
            self.wake()

    def _fail_waiting(self) -> None:
        """What made pods is deleted and the last pod gone: who still waits is told so."""
        if self.is_gone and not self.throttler.ready:
            for waiting in self.throttler.backlog.owners():
                waiting.fail(self.gone)

    def _watch_spread(self, now: float) -> None:
        """A backlog held back for pods to come is let go when that time is over."""
        ends_in = self.throttler.spread_ends_in(now)
        if ends_in is None or self._is_spread_watched:
            return
        self._is_spread_watched = True
        self._context.later(ends_in, self._end_spread)

    def _end_spread(self) -> None:
        self._is_spread_watched = False
        self.admit()

    def may_retry(self, now: float) -> bool:
        """Whether a request may be tried again, which is then counted."""
        return self.retries.spend(self.stats.entered, now)

    # -- counters -----------------------------------------------------------------------------

    def count_refusal(self, reason: str) -> None:
        """A request here ended with an answer of ours."""
        self.refusals[reason] = self.refusals.get(reason, 0) + 1

    def count_cold_start(self, seconds: Sequence[float]) -> None:
        """A request had to wait for a pod; the seconds are those of ``PHASES``."""
        self.cold_starts += 1
        for name, value in zip(PHASES, seconds, strict=True):
            self.cold_phases.setdefault(name, Histogram()).observe(value)


class Backends:
    """All backends, found by Service."""

    def __init__(self, context: BackendContext, fill: Callable[[Backend], None]) -> None:
        """``fill`` tells a new backend what is known of it already."""
        self._context = context
        self._fill = fill
        self._backends: dict[BackendKey, Backend] = {}
        self._by_service = Multimap[tuple[str, str], BackendKey]()

    def resolve(self, ref: BackendRef) -> Backend:
        """The backend of a reference, made when it is asked for the first time."""
        key = _key(ref)
        backend = self._backends.get(key)
        if backend is None:
            backend = Backend(ref, self._context)
            self._backends[key] = backend
            self._by_service.add(key[:2], key)
            self._fill(backend)
        elif ref.revision and not backend.can_wake:
            # First seen as a plain Service, now named by a route as a revision's.
            backend.can_wake = True
        return backend

    def all(self) -> list[Backend]:
        """Every backend, as a list of its own."""
        return list(self._backends.values())

    def of_service(self, namespace: str, service: str) -> list[Backend]:
        """The backends of one Service, one for each port in use."""
        return [self._backends[key] for key in self._by_service.get((namespace, service))]

    def sweep(self, referenced: frozenset[BackendRef]) -> None:
        """Forget backends that no route leads to and no request uses."""
        kept = {_key(ref) for ref in referenced}
        for key, backend in list(self._backends.items()):
            # Of what nobody reports on, nothing is taken.
            is_used = backend.stats.has_traffic() if backend.can_wake else backend.stats.active
            if key not in kept and not is_used:
                self._forget(key)
                for pod in backend.throttler.pods.values():
                    self._context.dropped(pod)

    def _forget(self, key: BackendKey) -> None:
        backend = self._backends.pop(key)
        if self._context.sharing is not None:
            self._context.sharing.forgotten(backend)
        self._by_service.remove(key[:2], key)


def _key(ref: BackendRef) -> BackendKey:
    return ref.namespace, ref.service, str(ref.port), ref.route, ref.is_counted
