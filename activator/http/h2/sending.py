"""What a stream sends: in frames, by the windows, and what waits for these. Pure."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol

from activator.http.fields import Field, Trailers
from activator.http.h2.codes import DATA, END_STREAM, Code
from activator.http.h2.encoder import Encoder
from activator.http.h2.framing import Octets, frame_head, headers, rst_stream

# What a stream sends at a time where no other one waits.
TURN_OCTETS = 64 * 1024
# Up to here a piece is put behind its frame's head; a larger one is written by itself.
_COPIED_OCTETS = 1024

Later = Callable[[Callable[[], None]], object]
"""Does something when what is under way is done: an event loop's ``call_soon``."""


def lowered(fields: Iterable[Field]) -> list[Field]:
    """The same fields with names in lower case."""
    return [(name.lower(), value) for name, value in fields]


class Carrier(Protocol):
    """What a lane needs of its connection."""

    encoder: Encoder
    send_window: int
    peer_frame: int
    is_blocked: bool
    window: int
    later: Later
    # Octets that lanes keep, of what has come and of what is to go.
    held: int
    queued: int

    def write(self, data: Octets) -> None:
        """Octets for the peer."""

    def wait(self, lane: SendingLane) -> None:
        """A lane has something queued."""

    def forget(self, lane: SendingLane) -> None:
        """A lane is over."""

    def remember_reset(self, stream: int) -> None:
        """What still comes on this stream is to be passed over."""

    def count_data(self) -> None:
        """A frame of data has been sent."""

    def open_window(self) -> None:
        """Less may be held now, so that the connection's window can be given back."""


class SendingLane(ABC):
    """The half of a stream that goes out."""

    __slots__ = (
        "_ends",
        "_queue",
        "_sent",
        "_trailers",
        "engine",
        "id",
        "is_cut",
        "is_local_closed",
        "is_remote_closed",
        "send_window",
    )

    def __init__(self, engine: Carrier, stream: int, send_window: int) -> None:
        self.engine = engine
        self.id = stream
        self.send_window = send_window
        self.is_local_closed = False
        self.is_remote_closed = False
        # Ended before its time, by whomever.
        self.is_cut = False
        # What waits for a window; and what follows it.
        self._queue: deque[bytes] | None = None
        # Of the first piece there.
        self._sent = 0
        self._ends = False
        self._trailers: Trailers = ()

    @abstractmethod
    def deliver_window(self, is_open: bool) -> None:
        """Whether more should be sent now."""

    @abstractmethod
    def discard(self) -> None:
        """Nobody wants what has come and was kept."""

    def on_local_end(self) -> None:
        """All has been sent, and the peer's message goes on: nothing need be done about it."""
        return

    # -- sending ------------------------------------------------------------------------------

    def write_head(self, fields: Iterable[Field], body: bytes, end: bool) -> None:
        """A head with the first piece of its body."""
        self.write_block(self.engine.encoder.encode(fields), body, end)

    def write_block(self, block: bytes, body: bytes, end: bool) -> None:
        """The same of a head that is encoded, with the table as it is now."""
        engine = self.engine
        size = len(body)
        most = engine.peer_frame
        if not size:
            engine.write(headers(self.id, block, END_STREAM if end else 0, most))
            if end:
                self._end_local()
        elif self._fits(size):
            self.send_window -= size
            engine.send_window -= size
            engine.count_data()
            flag = END_STREAM if end else 0
            data = frame_head(size << 8 | DATA, flag, self.id) + body
            engine.write(headers(self.id, block, 0, most) + data)
            if end:
                self._end_local()
        else:
            engine.write(headers(self.id, block, 0, most))
            self.send_data(body, end)

    def send_data(self, data: bytes, end: bool = False) -> None:
        """A piece of a body."""
        size = len(data)
        if self._fits(size) and (size or end):
            engine = self.engine
            self.send_window -= size
            engine.send_window -= size
            engine.count_data()
            head = frame_head(size << 8 | DATA, END_STREAM if end else 0, self.id)
            if size < _COPIED_OCTETS:
                engine.write(head + data)
            else:
                engine.write(head)
                engine.write(data)
            if end:
                self._end_local()
        elif self._queue is None and size and not self.engine.is_blocked:
            sent = self._send_frames(data, 0, size, end)
            if sent < size:
                self._ends = end
                self._enqueue(data, sent)
            elif end:
                self._end_local()
        elif size or end:
            self._ends = self._ends or end
            if size or self._queue is None:
                self._enqueue(data, 0)

    def _send_frames(self, data: bytes, at: int, most: int, end: bool) -> int:
        """Send of a piece what the windows have room for, at most so much; up to where it is sent.

        Nothing of it is copied.
        """
        engine = self.engine
        largest = engine.peer_frame
        began, size = at, len(data)
        upto = min(size, at + min(self.send_window, engine.send_window, most))
        view = memoryview(data)
        while at < upto:
            stop = min(at + largest, upto)
            flag = END_STREAM if end and stop == size else 0
            engine.write(frame_head((stop - at) << 8 | DATA, flag, self.id))
            engine.write(view[at:stop])
            engine.count_data()
            at = stop
        self.send_window -= at - began
        engine.send_window -= at - began
        return at

    def send_trailers(self, fields: Trailers) -> None:
        """Fields behind the body, which end the message; not to be changed any more."""
        if self._queue is not None:
            self._ends = True
            self._trailers = fields
        else:
            self._write_trailers(fields)

    def cut(self, code: Code) -> None:
        """End it in both directions."""
        engine = self.engine
        self.drop()
        engine.write(rst_stream(self.id, code))
        engine.remember_reset(self.id)
        engine.forget(self)

    def drop(self) -> None:
        """It is over: nothing is kept for it."""
        self.is_cut = True
        self.discard()
        if self._queue:
            self.engine.queued -= self.queued_octets()
        self._queue = None
        self._sent = 0

    def _fits(self, size: int) -> bool:
        engine = self.engine
        return (
            self._queue is None
            and not engine.is_blocked
            and size <= self.send_window
            and size <= engine.send_window
            and size <= engine.peer_frame
        )

    def _write_trailers(self, fields: Trailers) -> None:
        engine = self.engine
        block = engine.encoder.encode_again(fields, None, lambda: lowered(fields))
        engine.write(headers(self.id, block, END_STREAM, engine.peer_frame))
        self._end_local()

    def _enqueue(self, data: bytes, sent: int) -> None:
        self.engine.queued += len(data) - sent
        if self._queue is not None:
            self._queue.append(data)
            return
        self._queue = deque((data,))
        self._sent = sent
        self.engine.wait(self)
        if self.is_waiting:
            self.deliver_window(False)

    def _end_local(self) -> None:
        self.is_local_closed = True
        if self.is_remote_closed:
            self.engine.forget(self)
        else:
            self.on_local_end()

    @property
    def is_waiting(self) -> bool:
        """Whether something is queued."""
        return self._queue is not None

    @property
    def is_bare(self) -> bool:
        """Whether what is queued is an end without octets, which needs no window."""
        return self._queue is not None and not self._queue[0]

    def queued_octets(self) -> int:
        """How much is queued."""
        return sum(map(len, self._queue or ())) - self._sent

    def send_queued(self, most: int = TURN_OCTETS) -> bool:
        """Send some of what is queued, at most so many octets; whether anything was sent."""
        queue, engine = self._queue, self.engine
        if queue is None:
            return False
        data, at = queue[0], self._sent
        ends = self._ends and not self._trailers and len(queue) == 1
        if data:
            stop = self._send_frames(data, at, most, ends)
            if stop == at:
                return False
            engine.queued -= stop - at
            if stop < len(data):
                self._sent = stop
                return True
        elif ends:
            engine.count_data()
            engine.write(frame_head(DATA, END_STREAM, self.id))
        queue.popleft()
        self._sent = 0
        if queue:
            return True
        self._queue = None
        if ends:
            self._end_local()
        elif self._ends:
            self._write_trailers(self._trailers)
        return True
