"""What two other readers make of the same bytes: h11 (Python), and llhttp without what is ours."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import h11
import llhttp
from h11._state import MIGHT_SWITCH_PROTOCOL

from activator.http.events import BodyForm, RequestHead
from activator.http.fields import Trailers
from activator.http.h1.fieldtable import FieldTable
from activator.http.h1.framing import Hop
from activator.http.h1.requests import RequestReader
from activator.http.h1.responses import ResponseReader
from activator.http.h1.watching import BadResponse
from activator.http.refusals import FramingError

TABLE = FieldTable()


@dataclass
class Outcome:
    """Messages that are whole, each with what names it and its body; and what came of the rest."""

    messages: list[tuple[bytes, bytes]] = field(default_factory=list)
    is_refused: bool = False
    is_over: bool = False
    """Nothing more is read: the connection is to be closed, or speaks something else."""
    is_partial: bool = field(default=False, compare=False)
    """A message has begun; in what is refused one that is cut may have begun earlier."""


# -- requests -------------------------------------------------------------------------------------


class _Sink:
    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.method = self.body = b""

    def on_request(self, head: RequestHead, hop: Hop) -> None:
        self.method, self.body = head.method, head.body
        self.outcome.is_over = not hop.keep_alive or head.upgrade != b"" or hop.h2c is not None
        self.outcome.is_partial = True
        if head.body or not head.length:
            self.on_request_end(())

    def on_request_body(self, data: bytes) -> None:
        self.body += data

    def on_request_end(self, trailers: Trailers) -> None:
        self.outcome.messages.append((self.method, self.body))
        self.outcome.is_partial = False


def ours(data: bytes, cuts: list[int]) -> Outcome:
    outcome = Outcome()
    reader = RequestReader(_Sink(outcome), TABLE)
    try:
        for start, end in pairwise([0, *cuts, len(data)]):
            if start < end:
                reader.feed(data[start:end])
    except FramingError:
        outcome.is_refused = True
    outcome.is_partial = outcome.is_partial or reader.in_head
    return outcome


def by_h11(data: bytes) -> Outcome:
    outcome, connection = Outcome(), h11.Connection(h11.SERVER, max_incomplete_event_size=2**17)
    connection.receive_data(data)
    method = body = b""
    try:
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Request):
                method, body = event.method, b""
                outcome.is_partial = True
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                outcome.messages.append((method, body))
                outcome.is_partial = False
                if connection.their_state is MIGHT_SWITCH_PROTOCOL:
                    outcome.is_over = True
                    return outcome
                connection.send(h11.Response(status_code=204, headers=[]))
                connection.send(h11.EndOfMessage())
                if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                    outcome.is_over = True
                    return outcome
                connection.start_next_cycle()
            else:
                left, _ = connection.trailing_data
                outcome.is_partial = outcome.is_partial or left.strip(b"\r\n") != b""
                return outcome
    except h11.RemoteProtocolError:
        outcome.is_refused = True
        return outcome


def _listening(base: Any, outcome: Outcome) -> Any:
    class Listening(base):  # type: ignore[misc]
        body = b""

        def on_message_begin(self) -> None:
            self.body = b""
            outcome.is_partial = True

        def on_body(self, data: bytes) -> None:
            self.body += bytes(data)

        def on_headers_complete(self) -> None:
            name = self.method if base is llhttp.Request else self.status
            self.name = str(name).encode()
            outcome.is_over = not self.should_keep_alive

        def on_message_complete(self) -> None:
            outcome.messages.append((self.name, self.body))
            outcome.is_partial = False

    return Listening()


def by_llhttp(data: bytes) -> Outcome:
    outcome = Outcome()
    parser = _listening(llhttp.Request, outcome)
    try:
        parser.execute(data)
    except llhttp.ClosedConnectionError:
        outcome.is_over = True
    except llhttp.Error:
        outcome.is_refused = True
    outcome.is_over = outcome.is_over or parser.is_upgrading
    return outcome


# -- responses ------------------------------------------------------------------------------------


def our_response(data: bytes, cuts: list[int], *, ends: bool) -> Outcome:
    """Of the first response to a GET, with the connection's end behind it or without."""
    outcome, reader = Outcome(), ResponseReader()
    reader.begin(RequestHead.of(b"GET", b"/", b"a"), False)
    status = body = b""
    try:
        for start, end in pairwise([0, *cuts, len(data)]):
            piece = data[start:end]
            while piece and not status:
                head = reader.head(piece)
                if head is None:
                    piece = b""
                elif head.status < 200:
                    piece, reader.rest = reader.rest, b""
                else:
                    status, body, piece = b"%d" % head.status, head.body, b""
                    outcome.is_over = head.form is BodyForm.OPEN
                    break
            else:
                if piece:
                    body += reader.body(piece)
        if ends and not reader.complete:
            reader.end()
    except BadResponse:
        outcome.is_refused = True
    if reader.complete and not outcome.is_refused:
        outcome.messages.append((status, body))
    return outcome


def h11_response(data: bytes, *, ends: bool) -> Outcome:
    outcome = Outcome()
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=2**17)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(data)
    if ends:
        connection.receive_data(b"")
    status = body = b""
    try:
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Response):
                status = b"%d" % event.status_code
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                outcome.messages.append((status, body))
                return outcome
            elif not isinstance(event, h11.InformationalResponse):
                return outcome
    except h11.RemoteProtocolError:
        outcome.is_refused = True
        return outcome


def llhttp_response(data: bytes, *, ends: bool) -> Outcome:
    """Of the final response, as the others: llhttp takes interim ones for messages, too."""
    outcome = Outcome()
    parser = _listening(llhttp.Response, outcome)
    try:
        parser.execute(data)
        if ends:
            parser.finish()
    except llhttp.ClosedConnectionError:
        outcome.is_over = True
    except llhttp.Error:
        outcome.is_refused = True
    is_interim = re.compile(rb"1(?!01)..").fullmatch
    outcome.messages = [each for each in outcome.messages if not is_interim(each[0])]
    return outcome
