"""Follows the PingSources, waits for their ticks, and sends. The shell around ``ticker``.

Of several replicas all keep the time of every PingSource, and the one that leads its bucket fires:
one event for each tick. Who begins to lead looks up when the last tick was fired and tells of those
that nobody fired; they are not made up for.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import random
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from eventing.api.keys import ADAPTER_PROBLEM_ANNOTATION
from eventing.api.views import spec_of, status_of
from eventing.runtime.target import Bearer
from eventing.sources.ping.events import event_of
from eventing.sources.ping.metrics import TICKS
from eventing.sources.ping.ticker import NOTE_SECONDS, Note, Ticker, missed_since
from eventing.sources.sender import Sender, Sent
from eventing.sources.tokens import Tokens
from eventing.sources.tracing import of_source
from hearth.knative.resources import PINGSOURCES
from hearth.kube import meta
from hearth.kube.clock import Clock, rfc3339, wall_clock
from hearth.kube.controllerspec import Source
from hearth.kube.cronticks import Schedule
from hearth.kube.manager import Manager
from hearth.kube.meta import Key, Object, key, key_text, name, namespace
from hearth.kube.plan import Event, Patch, Plan
from hearth.timeouts import time_limit

log = logging.getLogger(__name__)

PINGSOURCE_SOURCE = Source(PINGSOURCES)
LAST_TICK_ANNOTATION = "eventing.hearth.dev/last-tick"
"""In a PingSource's status: generation and time of the last tick that was fired."""
_RESOURCE_GROUP = f"{PINGSOURCES.plural}.{PINGSOURCES.group}"
MISSED, NOT_DELIVERED = "MissSchedule", "EventNotDelivered"
_LOOK_SECONDS = 10.0
"""The clock is looked at at least so often: it may be set, and the machine may sleep."""
_SPREAD_SECONDS, _MOST_SPREAD_SECONDS = 0.005, 0.5
"""Ticks of many PingSources at one moment are spread: so much for each, Knative's half a second."""
_MOST_IN_FLIGHT = 10
"""Events of one PingSource that its sink has not answered yet; further ticks are missed."""
_TELL_SECONDS = 60.0
"""Failures of one PingSource are told as Events at most so often."""

MakeSender = Callable[[str | None], Sender]


class _Running:
    """One PingSource that ticks here."""

    def __init__(self, ping: Object, now: float) -> None:
        self.ping = ping
        self.schedule = _schedule(ping)
        self.ticker = Ticker(self.schedule, now)
        self.led_at: float | None = None
        """Since when this replica fires it; None while another does."""
        self.is_checked = False
        """Whether it was looked up what was missed before ``led_at``."""
        self.in_flight = 0
        self.noted = 0.0
        self.told = 0.0

    def is_of(self, ping: Object) -> bool:
        """Whether another version of the object ticks as this one does."""
        mine, other = spec_of(self.ping), spec_of(ping)
        same = all(mine.get(field) == other.get(field) for field in ("schedule", "timezone"))
        return same and meta.uid(self.ping) == meta.uid(ping)


def _schedule(ping: Object) -> Schedule:
    spec = spec_of(ping)
    found = Schedule(spec.get("schedule") or "* * * * *", spec.get("timezone") or "")
    if found.interval is not None:
        raise ValueError("unsupported descriptor @every")  # as Knative's admission has it
    return found


class PingAdapter:
    """All PingSources of a cluster. Use it as a context; ``run`` is for the manager."""

    def __init__(
        self,
        manager: Manager,
        *,
        make_sender: MakeSender = lambda ca_certs: Sender(ca_certs=ca_certs),
        clock: Clock = wall_clock,
        roll: Callable[[], float] = random.random,
    ) -> None:
        self._manager = manager
        self._make_sender = make_sender
        self._tokens = Tokens(manager.client)
        self._senders: dict[str | None, Sender] = {}
        self._clock = clock
        self._roll = roll
        self._sources: dict[Key, _Running] = {}
        self._due: list[tuple[float, int, Key, _Running]] = []
        self._serial = itertools.count()
        self._woken = asyncio.Event()
        manager.on_change(PINGSOURCE_SOURCE, self._changed)
        manager.leadership.on_change(self._leads_anew)
        manager.add_controller("pingsource-ticks", self._begin, source=PINGSOURCE_SOURCE)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._tokens.close()
        for sender in self._senders.values():
            await sender.close()

    # -- which there are -------------------------------------------------------------------

    def _changed(self, old: Object | None, new: Object | None) -> None:
        if new is None or meta.is_deleting(new) or not status_of(new).get("sinkUri"):
            self._sources.pop(key(new or old or {}), None)
            return
        running = self._sources.get(key(new))
        if running is not None and running.is_of(new):
            running.ping = new
            return
        now = self._clock()
        self._sources.pop(key(new), None)
        try:
            running = _Running(new, now)
        except ValueError as error:
            facts = {"key": key_text(key(new)), "error": str(error)}
            log.warning("a schedule cannot be read", extra=facts)
            self._note_problem(new, f"{meta.generation(new)} {error}")
            return
        self._note_problem(new, None)
        self._sources[key(new)] = running
        self._lead(running, now)
        self._await(running)

    def _note_problem(self, ping: Object, problem: str | None) -> None:
        """Say in its status that it is not read here, for its condition, or no more."""
        marks = status_of(ping).get("annotations") or {}
        item, is_told = key(ping), marks.get(ADAPTER_PROBLEM_ANNOTATION) == problem
        if not is_told and self._manager.leadership.leads(item):
            noted = self._annotate(ping, ADAPTER_PROBLEM_ANNOTATION, problem)
            self._manager.spawn(f"problem-{key_text(item)}", noted)

    def _await(self, running: _Running) -> None:
        if running.ticker.next is not None:
            item = running.ticker.next, next(self._serial), key(running.ping), running
            heapq.heappush(self._due, item)
            self._woken.set()

    # -- who fires -------------------------------------------------------------------------

    def _leads_anew(self) -> None:
        now = self._clock()
        for running in self._sources.values():
            self._lead(running, now)

    def _lead(self, running: _Running, now: float) -> None:
        if not self._manager.leadership.leads(key(running.ping)):
            running.led_at, running.is_checked = None, False
        elif running.led_at is None:
            running.led_at = now

    async def _begin(self, item: Key) -> None:
        """A PingSource is led here: tell, once, what nobody has fired before."""
        running = self._sources.get(item)
        if running is None or running.is_checked:
            return
        self._lead(running, self._clock())
        if running.led_at is None:
            return
        running.is_checked = True
        # The cache may be behind what the last leader has noted.
        stored = await self._manager.client.get(PINGSOURCES, item[1], item[0])
        marks = status_of(stored).get("annotations") or {}
        note = Note.read(marks.get(LAST_TICK_ANNOTATION))
        if note is None:
            return
        generation = meta.generation(running.ping)
        missed = missed_since(note, running.schedule, generation=generation, until=running.led_at)
        if missed:
            await self._tell_missed(running, missed, "no adapter was running, or none was leading")

    # -- ticks -----------------------------------------------------------------------------

    async def run(self) -> None:
        """Fire what is due, until cancelled."""
        while True:
            self._woken.clear()
            now = self._clock()
            while self._due and self._due[0][0] <= now:
                _, _, item, running = heapq.heappop(self._due)
                if self._sources.get(item) is running:
                    self._take(running, now)
            wait = min(self._due[0][0] - now, _LOOK_SECONDS) if self._due else _LOOK_SECONDS
            try:
                async with time_limit(wait):
                    await self._woken.wait()
            except TimeoutError:
                pass

    def _take(self, running: _Running, now: float) -> None:
        due = running.ticker.take(now)
        self._await(running)
        item = key(running.ping)
        if not self._manager.leadership.leads(item):
            return
        if due.missed:
            late = self._tell_missed(running, due.missed, "the adapter was late")
            self._manager.spawn(f"missed-{key_text(item)}", late)
        if due.tick is None or (running.led_at or 0.0) > due.tick:
            return  # what was due before this replica led was another's to fire
        if running.in_flight >= _MOST_IN_FLIGHT:
            slow = self._tell_missed(running, 1, "its sink has not answered the last events yet")
            self._manager.spawn(f"missed-{key_text(item)}", slow)
            return
        if due.tick - running.noted >= NOTE_SECONDS:
            running.noted = due.tick
            self._manager.spawn(f"note-{key_text(item)}", self._note(running.ping, due.tick))
        self._manager.spawn(f"tick-{key_text(item)}", self._fire(running, due.tick))

    async def _fire(self, running: _Running, tick: float) -> None:
        running.in_flight += 1
        try:
            spread = min(len(self._sources) * _SPREAD_SECONDS, _MOST_SPREAD_SECONDS)
            await asyncio.sleep(self._roll() * spread)
            ping = running.ping
            if not self._manager.leadership.leads(key(ping)):
                return  # whoever leads now finds it missing
            status = status_of(ping)
            try:
                sender, event = self._sender(status.get("sinkCACerts")), event_of(ping, tick)
                shown = await self._authorization(ping)
                sent = await sender.send(
                    status["sinkUri"],
                    event,
                    authorization=shown,
                    namespace=namespace(ping),
                    source=of_source(_RESOURCE_GROUP, *key(ping)),
                )
            except ValueError as error:
                sent = Sent(0, error=str(error))
            await self._tell_sent(running, sent)
        finally:
            running.in_flight -= 1

    async def _authorization(self, ping: Object) -> str | None:
        """A token of the account that a PingSource sends as, for a sink that asks for one."""
        status = status_of(ping)
        account = (status.get("auth") or {}).get("serviceAccountName")
        audience = status.get("sinkAudience")
        if not account or not audience:
            return None
        return f"Bearer {await self._tokens.get(Bearer(namespace(ping), account, audience))}"

    def _sender(self, ca_certs: str | None) -> Sender:
        found = self._senders.get(ca_certs)
        if found is None:
            found = self._senders[ca_certs] = self._make_sender(ca_certs)
        return found

    # -- what is told ----------------------------------------------------------------------

    async def _tell_sent(self, running: _Running, sent: Sent) -> None:
        _count(running, "sent" if sent.accepted else "failed")
        if not sent.accepted:
            text = f"{status_of(running.ping).get('sinkUri')}: {sent}"
            log.warning("event not delivered", extra={"key": key_text(key(running.ping))})
            await self._tell(running, NOT_DELIVERED, text)

    async def _tell_missed(self, running: _Running, missed: int, why: str) -> None:
        _count(running, "missed", missed)
        ticks = "tick" if missed == 1 else "ticks"
        text = f"missed {missed} {ticks} before {rfc3339(self._clock())}: {why}"
        await self._tell(running, MISSED, text)

    async def _tell(self, running: _Running, reason: str, text: str) -> None:
        now = self._clock()
        if now - running.told < _TELL_SECONDS:
            return
        running.told = now
        await self._manager.apply(Plan((Event(running.ping, "Warning", reason, text),)))

    async def _note(self, ping: Object, tick: float) -> None:
        note = str(Note(meta.generation(ping), tick))
        await self._annotate(ping, LAST_TICK_ANNOTATION, note)

    async def _annotate(self, ping: Object, mark: str, value: str | None) -> None:
        status: dict[str, Any] = {"annotations": {mark: value}}
        change = Patch(
            PINGSOURCES, name(ping), namespace(ping), {"status": status}, subresource="status"
        )
        await self._manager.apply(Plan((change,)))


def _count(running: _Running, result: str, times: int = 1) -> None:
    where = {"namespace": namespace(running.ping), "name": name(running.ping)}
    TICKS.labels(**where, result=result).inc(times)
