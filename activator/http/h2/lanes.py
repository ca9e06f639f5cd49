"""One stream of a connection: its two directions, their windows, what is held for them. Pure.

The engine owns lanes and calls them; an application's stream is a lane that knows what its octets
mean. Outwards there is a window of the stream and one of the connection, and what does not fit is
queued; inwards, octets that nobody wants yet are kept, and the peer is given no more room for them.
"""

from __future__ import annotations

from abc import abstractmethod

from activator.http.fields import Trailers
from activator.http.h2.codes import Code, StreamFault
from activator.http.h2.decoder import Block
from activator.http.h2.framing import window_update
from activator.http.h2.sending import Carrier, SendingLane


class Lane(SendingLane):
    """What is the same on either side."""

    __slots__ = (
        "_credit",
        "_inbox",
        "_inbox_end",
        "_is_resuming",
        "coming",
        "is_headed",
        "left",
        "receive_window",
    )

    def __init__(self, engine: Carrier, stream: int, send_window: int) -> None:
        super().__init__(engine, stream, send_window)
        self.receive_window = engine.window
        # Octets that were taken and not given back to the peer's window.
        self._credit = 0
        # Of a body with a known length; negative where nobody has told.
        self.left = -1
        # The head of a response has come.
        self.is_headed = False
        # Pieces of its body that have come in this turn, and are still to be passed on.
        self.coming: list[bytes] | None = None
        # Octets held for an application that has paused, with what they took of the window.
        self._inbox: list[tuple[bytes, int]] | None = None
        self._inbox_end: Trailers | None = None
        self._is_resuming = False

    # -- for the application's side -----------------------------------------------------------

    @abstractmethod
    def begin(self, block: Block, data: bytes, flow: int, end: bool) -> None:
        """A head has come, with what followed it at once. Raises StreamFault."""

    @abstractmethod
    def deliver(self, data: bytes) -> None:
        """A piece of the body."""

    @abstractmethod
    def deliver_end(self, trailers: Trailers) -> None:
        """The end of the peer's message."""

    def take_interim(self, block: Block, end: bool) -> bool:
        """Whether this is a response before the response, and dealt with. Raises StreamFault."""
        return False

    @abstractmethod
    def read_trailers(self, block: Block) -> Trailers:
        """What a block behind a body says. Raises StreamFault."""

    @abstractmethod
    def on_cut(self, code: int, detail: str, *, is_fault: bool) -> None:
        """The peer has cut it, or what it sent is no message (``is_fault``)."""

    def survives(self, code: int) -> bool:
        """Whether a reset by the peer with this code changes nothing in what has come."""
        return False

    # -- receiving ----------------------------------------------------------------------------

    def discard(self) -> None:
        """Nobody wants what has come and was kept."""
        if self._inbox:
            self.engine.held -= sum(flow for _, flow in self._inbox)
        self._inbox = self._inbox_end = self.coming = None

    def take_coming(self) -> None:
        """Pass on what has come of the body in this turn, and is counted."""
        pieces, self.coming = self.coming, None
        if pieces is not None:
            data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            self._take(data, len(data), False)

    def take_data(self, data: bytes, flow: int, end: bool) -> None:
        """A piece of the body, which took ``flow`` octets of the window. Raises StreamFault."""
        if self.left >= 0:
            self.count_left(len(data), end)
        if end:
            self.end_remote()
        self._take(data, flow, end)

    def _take(self, data: bytes, flow: int, end: bool) -> None:
        if self._inbox is not None:
            self._inbox.append((data, flow))
            self.engine.held += flow
            self.engine.open_window()
            if end:
                self._inbox_end = ()
            return
        if data:
            self.deliver(data)
        if end:
            self.deliver_end(())
        elif not self.is_cut:
            self.give_back(flow)

    def take_trailers(self, block: Block) -> None:
        """A block behind the body, which ends the message. Raises StreamFault."""
        self.count_left(0, True)
        trailers = self.read_trailers(block)
        self.end_remote()
        if self._inbox is not None:
            self._inbox_end = trailers
        else:
            self.deliver_end(trailers)

    def end_remote(self) -> None:
        """The peer has said all."""
        self.is_remote_closed = True
        if self.is_local_closed:
            self.engine.forget(self)

    def count_left(self, size: int, end: bool) -> None:
        """Hold a body against the length that was said. Raises StreamFault."""
        left = self.left
        if left < 0:
            return
        if size > left or (end and size != left):
            raise StreamFault(self.id, Code.PROTOCOL_ERROR, "content-length and body differ")
        self.left = left - size

    def give_back(self, flow: int) -> None:
        """Octets have been passed on: the peer may send as many more."""
        self._credit += flow
        engine = self.engine
        engine.open_window()
        if self._credit >= engine.window >> 1 and not self.is_remote_closed:
            engine.write(window_update(self.id, self._credit))
            self.receive_window += self._credit
            self._credit = 0

    def pause(self) -> None:
        """Deliver no more for now."""
        self._is_resuming = False
        if self._inbox is None:
            self._inbox = []

    def resume(self) -> None:
        """Go on delivering, but nothing before this returns."""
        if self._inbox is None or self._is_resuming:
            return
        if not self._inbox and self._inbox_end is None:
            self._inbox = None
            return
        self._is_resuming = True
        self.engine.later(self._resume)

    def _resume(self) -> None:
        if self._is_resuming:
            self._is_resuming = False
            self._release()

    def _release(self) -> None:
        """Deliver what was kept."""
        inbox, self._inbox = self._inbox, None
        end, self._inbox_end = self._inbox_end, None
        if inbox is None:
            return
        engine = self.engine
        for at, (data, flow) in enumerate(inbox):
            if self._is_held():
                # Paused again meanwhile.
                self._inbox = inbox[at:]
                self._inbox_end = end
                return
            engine.held -= flow
            if data:
                self.deliver(data)
            if self.is_cut:
                engine.held -= sum(flow for _, flow in inbox[at + 1 :])
                return
            self.give_back(flow)
        if end is None:
            return
        if self._is_held():
            self._inbox_end = end
        else:
            self.deliver_end(end)

    def _is_held(self) -> bool:
        return self._inbox is not None
