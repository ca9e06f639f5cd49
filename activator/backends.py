"""What stands behind a split: one Service port with its pods, its limits and its counters.

``Registry`` makes one ``Backend`` per (namespace, Service, port) and keeps it as long as a route
leads there or a request is under way. The hot path reaches a backend by a pointer from the route.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from activator.balancing import Random
from activator.phases import PHASES
from activator.pods import Address
from activator.probing import WAIT_FOR_READY, ProbeKind
from activator.revisions import RevisionSpec
from activator.routes import BackendRef
from activator.stats import RevisionStats
from activator.throttler import DEFAULT_LIMITS, LineLimits, Throttler
from hearth.observability.histogram import Histogram

if TYPE_CHECKING:
    from activator.exchange import Exchange

BackendKey = tuple[str, str, str]


class Backend:
    """One destination. ``is_revision`` tells whether somebody makes pods when they are missed."""

    __slots__ = (
        "cold_phases",
        "cold_starts",
        "is_gone",
        "is_revision",
        "pod_seen_at",
        "probing",
        "ready_at",
        "ref",
        "refusals",
        "spec",
        "spread_timer",
        "stats",
        "throttler",
    )

    def __init__(self, ref: BackendRef, *, now: float, random: Random, limits: LineLimits) -> None:
        self.ref = ref
        self.is_revision = bool(ref.revision)
        # The Revision has been deleted: no pods will come any more.
        self.is_gone = False
        self.throttler: Throttler[Exchange] = Throttler(random, limits)
        self.stats = RevisionStats(now)
        # Until the Revision is seen, only the kubelet's word counts.
        self.spec = RevisionSpec(ref.namespace, ref.revision or ref.service, probe=WAIT_FOR_READY)
        # The first pod with an address and the first ready one since there was none.
        self.pod_seen_at = now
        self.ready_at = now
        self.probing: set[Address] = set()
        self.spread_timer = False
        self.cold_starts = 0
        self.cold_phases = {phase: Histogram() for phase in PHASES}
        self.refusals: dict[str, int] = {}

    def configure(self, spec: RevisionSpec) -> None:
        self.spec = spec
        self.is_revision = True
        self.is_gone = False
        self.throttler.configure(spec.container_concurrency, spec.spread_target)

    @property
    def can_probe(self) -> bool:
        return self.is_revision and self.spec.probe.kind is not ProbeKind.WAIT

    def count_refusal(self, reason: str) -> None:
        self.refusals[reason] = self.refusals.get(reason, 0) + 1

    def __repr__(self) -> str:
        return f"Backend({self.ref.namespace}/{self.ref.service}:{self.ref.port})"


class Registry:
    """All backends, found by Service; ``on_new`` fills a new one with what is known."""

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        random: Random,
        limits: LineLimits = DEFAULT_LIMITS,
    ) -> None:
        self._clock = clock
        self._random = random
        self._limits = limits
        self._backends: dict[BackendKey, Backend] = {}
        self._by_service: dict[tuple[str, str], set[BackendKey]] = {}
        self.on_new: Callable[[Backend], None] = lambda backend: None

    def resolve(self, ref: BackendRef) -> Backend:
        """The backend of a reference, made when it is asked for the first time."""
        key = (ref.namespace, ref.service, str(ref.port))
        backend = self._backends.get(key)
        if backend is None:
            backend = Backend(ref, now=self._clock(), random=self._random, limits=self._limits)
            self._backends[key] = backend
            self._by_service.setdefault(key[:2], set()).add(key)
            self.on_new(backend)
        elif ref.revision and not backend.is_revision:
            # First seen as a plain Service, now named by a route as a revision's.
            backend.is_revision = True
        return backend

    def all(self) -> list[Backend]:
        return list(self._backends.values())

    def of_service(self, namespace: str, service: str) -> list[Backend]:
        return [self._backends[key] for key in self._by_service.get((namespace, service), ())]

    def sweep(self, referenced: frozenset[BackendRef]) -> list[Backend]:
        """Forget, and return, backends that no route leads to and no request uses."""
        dropped: list[Backend] = []
        wanted = {(ref.namespace, ref.service, str(ref.port)) for ref in referenced}
        for key, backend in list(self._backends.items()):
            if key not in wanted and not backend.stats.has_traffic():
                dropped.append(self._backends.pop(key))
                keys = self._by_service[key[:2]]
                keys.discard(key)
                if not keys:
                    del self._by_service[key[:2]]
        return dropped
