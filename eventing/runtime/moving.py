"""Moves what is kept of a Broker from the engine of one class to that of another.

``follow`` copies while all goes on as before, and stays close behind. Once the Broker says that it
is of the other class, ``finish`` lets deliveries end, copies what is left, and has consumers go on
in the other log. What a crash leaves is told by a mark, a consumer of the log that is being filled:

===================  ==================================  ===========================================
log of the old class log of the new class                what is left to do
===================  ==================================  ===========================================
none                 any                                 nothing
marked as a copy     any                                 the move was taken back: the copy goes
there                none, empty, or marked as a copy    copy what is missing
there                there, with events or consumers,    all is there: the old log goes
                     and without a mark
===================  ==================================  ===========================================
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from eventing.api import keys
from eventing.engines.classes import REMOTE, Engines
from eventing.engines.copying import Copy
from eventing.engines.seam import Engine, EventLog, Order, Refused, Standing, Start, Unavailable
from eventing.runtime.places import Place

log = logging.getLogger(__name__)

_OTHERS_SECONDS = 2.0
"""Other processes that take events in have so long to hear that the class is another one."""
_PAUSE_SECONDS = 0.05
_FEW = 500
"""So many that come while others are copied are soon copied, too."""
_PORTION_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Kept:
    """Where the events of a Broker are: the class of an engine, and the key of the log there."""

    log_key: str
    engine_class: str
    options: Callable[[str], Mapping[str, Any]]
    """Returns what the Broker asks of the log of a class."""


@dataclass(slots=True)
class Move:
    """One move, as far as it is."""

    source: str
    target: str
    copied: int = 0
    is_close: bool = False
    """Whether all was copied that there was a moment ago."""
    error: str = ""
    is_done: bool = False
    pause_seconds: float = 0.0
    """How long the Broker took no events."""
    left: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Of each consumer: the events that were given and are given again, and those set aside."""


def copy_json(move: Move) -> dict[str, Any]:
    """A copy of a log, as far as it is."""
    return {
        "from": move.source,
        "to": move.target,
        "copied": move.copied,
        "close": move.is_close,
        "done": move.is_done,
        "error": move.error,
        "pauseSeconds": round(move.pause_seconds, 3),
        "subscriptions": len(move.left),
        "again": sum(again for again, _ in move.left.values()),
        "held": sum(held for _, held in move.left.values()),
    }


@dataclass(slots=True)
class _Under:
    """A copy under way."""

    kept: Kept
    move: Move
    copy: Copy
    ends: asyncio.Event
    task: asyncio.Task[None] | None = None


def mark_of(engine_class: str) -> str:
    """Return the consumer whose presence says that a log is a copy, from that of this class."""
    return f"copy-from-{engine_class}"


class Moves:
    """Of one process, which has the engines of all classes."""

    def __init__(self, engines: Engines, release: Callable[[Place], Awaitable[None]]) -> None:
        """``release`` closes what is open at a place, and leaves its log as it is."""
        self._engines = engines
        self._release = release
        self._under: dict[Place, _Under] = {}
        self.moves: dict[Place, Move] = {}
        """The last one of each place."""
        self.kept: Callable[[Place], Kept | None] = lambda place: None
        """Tells where the events of a Broker are now."""

    async def plan(self, place: Place, target: str) -> dict[str, Any]:
        """Return what a move has to do; raise ValueError or Unavailable where it cannot be."""
        kept = self._kept(place, target)
        engine = await self._engine(target)
        events = size = large = 0
        most = engine.capabilities.max_event_bytes
        source = await self._log(kept.engine_class, kept)
        reading = await source.look(Start.EARLIEST)
        while found := await reading.fetch(_PORTION_BYTES):
            sizes = [len(each.head) + len(each.data) for each in found]
            events, size = events + len(found), size + sum(sizes)
            large += sum(each > most for each in sizes)
        if large:
            raise ValueError(f"{large} events are larger than {target} takes ({most} bytes)")
        return {"from": kept.engine_class, "to": target, "events": events, "bytes": size}

    async def follow(self, place: Place, target: str) -> Move:
        """Begin to copy, and go on; raises as ``plan``."""
        kept = self._kept(place, target)
        known = self._under.get(place)
        if known is not None:
            if known.move.target == target and not known.move.error:
                return known.move
            await self._end(place)
        await self._engine(target)
        under = await self._begin(place, kept, kept.engine_class, target)
        under.task = asyncio.create_task(_follow(under), name=f"copying-{place.name}")
        return under.move

    async def finish(self, place: Place, kept: Kept, source: str) -> None:
        """See to it that all is in the log of the Broker's class; raises Unavailable."""
        target = kept.engine_class
        old, new = await self._engine(source), await self._engine(target)
        key = kept.log_key
        if key not in await old.keys():
            return
        if await _is_marked(await self._log(source, kept), target):
            log.info("a move was taken back", extra={"of": str(place), "class": target})
            await self._end(place)
        elif key not in await new.keys() or not await _is_used(
            await self._log(target, kept), source
        ):
            await self._finish(place, kept, source)
        await old.drop(key)

    async def _finish(self, place: Place, kept: Kept, source: str) -> None:
        target, began = kept.engine_class, monotonic()
        under = self._under.get(place)
        if under is None or under.move.target != target or under.move.error:
            await self._end(place)
            under = await self._begin(place, kept, source, target)
        await self._release(place)
        if source in REMOTE:
            await asyncio.sleep(_OTHERS_SECONDS)
        await self._stop(under)
        here, there = await self._log(source, kept), await self._log(target, kept)
        try:
            await here.answered()
            while await under.copy.some():
                pass
            standings = await under.copy.cursors(besides=mark_of(source))
        except Refused as refusal:
            under.move.error = str(refusal)
            raise Unavailable(f"events cannot be brought to {target}: {refusal}") from refusal
        await there.forget(mark_of(source))
        await there.checkpoint()
        move = under.move
        move.left = {each: (len(of.open), len(of.aside)) for each, of in standings.items()}
        move.copied, move.pause_seconds, move.is_done = under.copy.copied, monotonic() - began, True
        del self._under[place]
        facts = {"of": str(place), "from": source, "to": target, "events": move.copied}
        log.info("the events of a broker were moved", extra=facts)

    async def give_up(self, place: Place) -> None:
        """Copy no more, and remove what was copied; of a Broker that goes, say."""
        under = self._under.get(place)
        await self._end(place)
        if under is not None:
            await self._engines.of_class(under.move.target).drop(under.kept.log_key)

    async def close(self) -> None:
        """Copy no more. What was copied is begun anew by who asks again."""
        for place in list(self._under):
            await self._end(place)

    # -- pieces ----------------------------------------------------------------------------------

    def _kept(self, place: Place, target: str) -> Kept:
        kept = self.kept(place)
        if kept is None:
            raise ValueError(f"there is no {place} here whose events could be copied")
        if kept.engine_class == target:
            raise ValueError(f"{place} is of class {target} already")
        if not self._engines.serves(target):
            raise ValueError(
                f"there is no engine for brokers of class {target}: give local, nats or "
                f"kafka, or {keys.BROKER_CLASS}, {keys.NATS_CLASS} or {keys.KAFKA_CLASS}"
            )
        return kept

    async def _engine(self, of_class: str) -> Engine:
        engine = self._engines.of_class(of_class)
        await engine.keys()  # its server is there
        return engine

    async def _log(self, of_class: str, kept: Kept) -> EventLog:
        return await self._engines.of_class(of_class).open(kept.log_key, kept.options(of_class))

    async def _begin(self, place: Place, kept: Kept, source: str, target: str) -> _Under:
        engine = self._engines.of_class(target)
        there = await self._log(target, kept)
        if not await _is_marked(there, source):
            if kept.engine_class == source:  # the Broker is elsewhere: this is left from something
                await engine.drop(kept.log_key)
                there = await self._log(target, kept)
            await there.place(mark_of(source), Standing())
        move = self.moves[place] = Move(source, target)
        orders = {self._engines.of_class(each).capabilities.order for each in (source, target)}
        here = await self._log(source, kept)
        copy = Copy(here, there, ordered=orders == {Order.TOTAL})
        under = self._under[place] = _Under(kept, move, copy, asyncio.Event())
        return under

    async def _stop(self, under: _Under) -> None:
        under.ends.set()
        if under.task is not None:
            await under.task

    async def _end(self, place: Place) -> None:
        under = self._under.pop(place, None)
        if under is not None:
            await self._stop(under)


async def _follow(under: _Under) -> None:
    """Copy what there is and what comes, until it is to end or something goes wrong."""
    move = under.move
    try:
        while not under.ends.is_set():
            left = await under.copy.some()
            move.copied, move.is_close = under.copy.copied, left < _FEW
            await asyncio.sleep(0 if left else _PAUSE_SECONDS)
    except Exception as error:  # whatever it is, who asked is to hear of it
        move.error = str(error)
        log.warning("events are not copied on", extra={"to": move.target, "error": str(error)})


async def _is_used(events: EventLog, source: str) -> bool:
    """Whether a log is more than a copy that is being made, or is to be."""
    consumers = await events.consumers()
    if mark_of(source) in consumers:
        return False
    return bool(consumers or await (await events.look(Start.EARLIEST)).fetch(1))


async def _is_marked(events: EventLog, source: str) -> bool:
    return mark_of(source) in await events.consumers()
