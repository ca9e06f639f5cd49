"""What is kept beside a log: notes of unsettled events, and which events are set aside.

A second stream, of one message for each such event: the last one counts. All processes hear what
others write, so each knows all of it. A message without a body says that there is nothing any more;
it goes by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

import orjson

from eventing.engines.nats.connection import Connection
from eventing.engines.nats.faults import NatsError, result_of
from eventing.engines.nats.messages import BLOCK, headers_of
from eventing.engines.nats.reading import sequence_of
from eventing.engines.nats.wire import Message

_GONE = b"%b\r\nNats-TTL: 60s\r\n\r\n" % BLOCK
_BATCH = 512


class Kind(StrEnum):
    """What is said of an event."""

    NOTE = "n"
    """It is unsettled, and has a note."""
    PARKED = "p"
    """It is set aside."""
    RECALLED = "r"
    """It was set aside, and a process works on it, till ``until``."""


@dataclass(frozen=True, slots=True)
class Aside:
    """What is kept with one event."""

    kind: Kind
    text: str
    until: float = 0.0
    """Seconds since 1970 till when the process that recalled it has it, unless it says so again."""


Of = tuple[str, int]
"""The plain name of a consumer, and the sequence number of an event."""


class Asides:
    """Of one log. ``open`` before all else."""

    def __init__(self, connection: Connection, stream: str, subject: str) -> None:
        self._connection = connection
        self._stream = stream
        self._subject = subject
        self._known: dict[str, dict[int, Aside]] = {}
        self._dirty: dict[Of, list[Callable[[], None]]] = {}
        """What is to be written, and who is told once it is."""
        self._written: set[Of] = set()
        """What the stream has, as far as is known."""
        self._opening: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Know what there is, from now on."""
        if self._opening is None or (self._opening.done() and self._opening.exception()):
            self._opening = asyncio.create_task(self._open(), name=f"asides-{self._stream}")
        await asyncio.shield(self._opening)

    async def _open(self) -> None:
        await self._connection.subscribe(f"{self._subject}.*.*", self._heard)
        await self._load()
        self._connection.on_return(self._reload)

    def _reload(self) -> None:
        """What others wrote while the connection was away was not heard."""
        self._opening = asyncio.create_task(self._load(), name=f"asides-{self._stream}")

    async def _load(self) -> None:
        """Read the stream, up to where its leader says that it ends."""
        info = await self._connection.call(f"STREAM.INFO.{self._stream}")
        end, sequence = int(info["state"]["last_seq"]), 1
        while sequence <= end:
            asked = {"seq": sequence, "batch": _BATCH}
            messages = await self._connection.direct(self._stream, asked)
            if not messages:
                if not info["state"]["messages"]:
                    return
                last = await self._connection.direct(self._stream, {"seq": end})
                if sequence > 1 or not last:
                    return  # those after it went meanwhile
                await asyncio.sleep(0.05)  # a replica that has not got all of it
                continue
            for message in messages:
                self._hear(headers_of(message.block)["Nats-Subject"], message.data)
            sequence = sequence_of(messages[-1]) + 1

    def _heard(self, message: Message) -> None:
        if not message.status[0]:
            self._hear(message.subject, message.data)

    def _hear(self, subject: str, data: bytes) -> None:
        consumer, _, number = subject.rpartition(".")
        of = consumer.rpartition(".")[2], int(number)
        if of in self._dirty:
            return  # ours is newer
        if data:
            kind, text, until = orjson.loads(data)
            self._known.setdefault(of[0], {})[of[1]] = Aside(Kind(kind), text, until)
            self._written.add(of)
        else:
            self._known.get(of[0], {}).pop(of[1], None)
            self._written.discard(of)

    # -- what there is -----------------------------------------------------------------------

    def of(self, consumer: str) -> dict[int, Aside]:
        """Return what is kept with events of a consumer; not to be changed."""
        return self._known.get(consumer, {})

    def parked_low(self) -> int | None:
        """Return the oldest event that is set aside, by whatever consumer."""
        numbers = [
            number
            for known in self._known.values()
            for number, aside in known.items()
            if aside.kind is not Kind.NOTE
        ]
        return min(numbers, default=None)

    def recalled_of(self, consumer: str) -> int:
        """Return how many events of a consumer were recalled and are not settled."""
        return sum(each.kind is Kind.RECALLED for each in self.of(consumer).values())

    # -- writing -----------------------------------------------------------------------------

    def put(
        self,
        consumer: str,
        sequence: int,
        aside: Aside | None,
        stored: Callable[[], None] | None = None,
    ) -> None:
        """Keep this with an event, or nothing; ``stored`` is called once that is durable."""
        of, known = (consumer, sequence), self._known.setdefault(consumer, {})
        if aside is not None:
            known[sequence] = aside
        elif known.pop(sequence, None) is None and of not in self._written:
            return
        elif of not in self._written:
            self._dirty.pop(of, None)
            return
        told = self._dirty.setdefault(of, [])
        if stored is not None:
            told.append(stored)

    def forget(self, consumer: str) -> None:
        """Keep nothing with events of a consumer."""
        for sequence in list(self.of(consumer)):
            self.put(consumer, sequence, None)

    async def flush(self) -> None:
        """Write what changed; raise NatsError where that is not durable."""
        dirty, self._dirty = self._dirty, {}
        if not dirty:
            return
        results = await asyncio.gather(*(self._write(of) for of in dirty), return_exceptions=True)
        failed: BaseException | None = None
        for (of, told), result in zip(dirty.items(), results, strict=True):
            if isinstance(result, BaseException):
                failed = result
                self._dirty.setdefault(of, [])[:0] = told
                continue
            for stored in told:
                stored()
        if failed is not None:
            raise failed

    async def _write(self, of: Of) -> None:
        consumer, sequence = of
        aside = self._known.get(consumer, {}).get(sequence)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def answered(found: Message | NatsError) -> bool:
            with contextlib.suppress(asyncio.InvalidStateError):
                try:
                    if isinstance(found, NatsError):
                        raise found
                    result_of(found.data)
                    future.set_result(None)
                except NatsError as error:
                    future.set_exception(error)
            return True

        data = b"" if aside is None else orjson.dumps([aside.kind, aside.text, aside.until])
        block = _GONE if aside is None else b""
        subject = f"{self._subject}.{consumer}.{sequence}"
        self._connection.ask(subject, data, answered, block=block)
        await future
        (self._written.discard if aside is None else self._written.add)(of)

    def recalled(self) -> Iterable[tuple[str, int, Aside]]:
        """Yield what processes work on that was set aside."""
        for consumer, known in self._known.items():
            for sequence, aside in known.items():
                if aside.kind is Kind.RECALLED:
                    yield consumer, sequence, aside

    async def close(self) -> None:
        """Hear no more."""
        if self._opening is None:
            return
        self._opening.cancel()
        await asyncio.gather(self._opening, return_exceptions=True)
        with contextlib.suppress(ValueError):
            self._connection.off_return(self._reload)
        await self._connection.unsubscribe(f"{self._subject}.*.*")
