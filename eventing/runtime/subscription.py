"""One subscription of an addressable: its reader takes events, its dispatcher delivers them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from functools import partial

from eventing.engines.event import Position, StoredEvent
from eventing.engines.seam import Consumer
from eventing.runtime.accounting import HeldEvents
from eventing.runtime.deliverytime import due_at
from eventing.runtime.dispatcher import Dispatcher
from eventing.runtime.duplicates import Duplicates, key_of
from eventing.runtime.enriching import enriched
from eventing.runtime.holding import Held, Holding
from eventing.runtime.metrics import EndpointCounters
from eventing.runtime.notes import HeldNote, Progress, read_note
from eventing.runtime.observer import DeliveryObserver, Follows
from eventing.runtime.reader import Reader
from eventing.runtime.replies import LogReplies
from eventing.runtime.scheduled import Scheduled
from eventing.runtime.services import Services
from eventing.runtime.spec import SubscriptionSpec

_SHORT_SECONDS = 1.0
"""So little is waited for in memory."""


class Subscription:
    """``start`` begins to read where the consumer stands."""

    def __init__(
        self,
        spec: SubscriptionSpec,
        consumer: Consumer,
        *,
        services: Services,
        counters: EndpointCounters,
        replies: LogReplies,
        observer: DeliveryObserver | None = None,
        tells_routing: bool = False,
        remember: Callable[[Duplicates, float], Awaitable[None]] | None = None,
    ) -> None:
        """``tells_routing``: nobody else tells the observer that an event is wanted here."""
        self.spec = spec
        self._observer, self._tells_routing = observer, tells_routing
        self._clock = services.clock
        self._begin = services.begin
        self._remember = remember
        self._duplicates = _duplicates_of(spec)
        self._consumer = consumer
        self._held = HeldEvents(services.budget)
        self._dispatcher = Dispatcher(
            spec,
            services=services,
            counters=counters,
            replies=replies,
            settled=self._settled,
            keeps=self,
            observer=observer,
        )
        self._holding = Holding(
            consumer,
            name=f"{spec.namespace}/{spec.name}",
            limits=services.budget.limits,
            memory=self._held,
            clock=services.clock,
            passing=services.passing,
            resume=self._resume,
            counted=partial(setattr, counters, "held"),
        )
        self._time_attribute = spec.options.time_attribute
        self._scheduled = Scheduled(
            consumer,
            name=f"{spec.namespace}/{spec.name}",
            limits=services.budget.limits,
            memory=self._held,
            clock=services.clock,
            passing=services.passing,
            resume=self._readmit,
            counted=partial(setattr, counters, "waiting"),
        )
        self._has_begun = False
        self._reader = Reader(
            consumer,
            self._held,
            name=f"{spec.namespace}/{spec.name}",
            matches=lambda event: self.spec.filter.matches(event.attributes),
            take=self._take_again,
            before=self._look_back,
            behind=self._dispatcher.behind,
            share=services.share,
        )

    def start(self) -> None:
        """Read up to the tail, then be live."""
        self._holding.start()
        self._reader.start()

    def offer(self, event: StoredEvent) -> None:
        """Take an event of the tail that matches; passed over unless live."""
        if not self._reader.live:
            return
        if self._held.is_full:
            self._reader.fall_back(event)
        else:
            self._consumer.claim(event)
            self._take(event)

    def _take(self, event: StoredEvent) -> None:
        if self._duplicates is not None and self._came_before(event, self._duplicates):
            return
        if self._time_attribute and self._is_put_off(event):
            return
        if self.spec.options.enrich is not None:
            event = enriched(event, self.spec.options.enrich)
        self._held.add(event)
        self._dispatcher.add(event)

    def _take_again(self, event: StoredEvent) -> None:
        """Of an event that was read from the log, an earlier process may have known more."""
        if self._duplicates is not None and self._came_before(event, self._duplicates):
            return
        note = read_note(self._consumer.note_of(event))
        if self._tells_routing and self._observer is not None and note is None:
            self._observer.routed(event, [self.spec])
        if isinstance(note, HeldNote):
            self._holding.given_again(event)
        if isinstance(note, Progress):
            self._resume(event, note)
        else:
            self._readmit(event)

    def _readmit(self, event: StoredEvent) -> None:
        if not (self._time_attribute and self._is_put_off(event)):
            self._resume(event, None)

    def _is_put_off(self, event: StoredEvent) -> bool:
        """Whether an event waits in the log for its time; it is given again then."""
        name = self._time_attribute
        given, now = event.attributes.get(name), self._clock()
        if given is None:
            return False
        try:
            due = due_at(given, now=now)
        except ValueError as error:
            self._dispatcher.tell(event, Follows.AT_ONCE, f"{name} {error}")
            return False
        if due - now <= _SHORT_SECONDS:
            return False
        is_aside = self._scheduled.wait(event, due)
        self._dispatcher.tell(event, Follows.WAITING, f"its {name} has not come", due)
        return is_aside

    def _resume(self, event: StoredEvent, progress: Progress | None) -> None:
        if self.spec.options.enrich is not None:
            event = enriched(event, self.spec.options.enrich)
        self._held.add(event)
        if progress is None:
            self._dispatcher.add(event)
        else:
            self._dispatcher.resume(event, progress)

    # -- duplicates --------------------------------------------------------------------------

    def _came_before(self, event: StoredEvent, duplicates: Duplicates) -> bool:
        """Whether it is a duplicate; then it is settled."""
        if not duplicates.is_duplicate(key_of(event), event.arrival_ns, event.position):
            return False
        self._held.add(event)
        self._dispatcher.skip(event)
        return True

    async def _look_back(self) -> None:
        """What came within the window before is known after a restart, too."""
        await self._begin.wait()
        if not self._has_begun:
            self._has_begun = True
            self._scheduled.start()
            if not self._time_attribute:
                self._scheduled.let_go()
        if self._duplicates is not None and self._remember is not None:
            window = self.spec.options.duplicate_window_seconds
            await self._remember(self._duplicates, self._clock() - window)
            self._remember = None

    def _settled(self, event: StoredEvent) -> None:
        self._consumer.settle(event)
        self._held.remove(event)

    # -- what is kept with the log -----------------------------------------------------------

    def note(self, event: StoredEvent, text: str) -> None:
        """Keep a text with an event till it is settled."""
        self._consumer.note(event, text)

    def hold(self, event: StoredEvent, note: HeldNote) -> bool:
        """Keep an event that nobody takes; False where there is no room."""
        if not self._holding.hold(event, note):
            return False
        self._held.remove(event)
        return True

    def held(self) -> list[Held]:
        """Return the events that nobody takes, oldest first."""
        return self._holding.held()

    async def redrive(self, positions: Collection[Position]) -> int:
        """Deliver held events anew; return how many were held."""
        return await self._holding.redrive(positions)

    def discard(self, positions: Collection[Position]) -> int:
        """Give held events up; return how many were held."""
        return self._holding.discard(positions)

    def needs(self, event: StoredEvent) -> bool:
        """Whether it is not done with an event of the log, which is not held either."""
        return self.goes_on_with(event) or self._scheduled.waits(event.position)

    def goes_on_with(self, event: StoredEvent) -> bool:
        """Whether an event is still to come, and not set aside till it is called for."""
        return self._consumer.needs(event)

    # -- state -------------------------------------------------------------------------------

    def update(self, spec: SubscriptionSpec) -> None:
        """Go on by the changed spec."""
        window = self.spec.options.duplicate_window_seconds
        if spec.options.duplicate_window_seconds != window:
            self._duplicates = _duplicates_of(spec)
        self.spec = spec
        self._dispatcher.update(spec)
        if spec.options.time_attribute != self._time_attribute:
            self._time_attribute = spec.options.time_attribute
            self._scheduled.let_go()

    def observe(self, observer: DeliveryObserver | None) -> None:
        """Tell another observer from now on, or none."""
        self._observer = observer
        self._dispatcher.observe(observer)

    @property
    def live(self) -> bool:
        """Whether it follows the tail of its log in memory."""
        return self._reader.live

    @property
    def idle(self) -> bool:
        """Whether it is at the tail with nothing left to deliver."""
        return self._reader.live and not self._held.events and not self._scheduled

    @property
    def busy(self) -> bool:
        """Whether attempts are under way."""
        return self._dispatcher.busy

    def drain(self) -> None:
        """Begin no further attempt."""
        self._dispatcher.drain()

    def close(self) -> None:
        """Stop; what is not settled is delivered by whoever opens the consumer next."""
        self._dispatcher.close()
        self._holding.close()
        self._scheduled.close()
        self._reader.close()
        self._held.clear()


def _duplicates_of(spec: SubscriptionSpec) -> Duplicates | None:
    window = spec.options.duplicate_window_seconds
    return Duplicates(window) if window > 0 else None
