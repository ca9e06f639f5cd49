"""A request to a pod: what its handler hears, and what its server gets to see. No socket."""

from __future__ import annotations

import pytest

from activator.http.events import Lost, Reset, ResponseHead
from activator.http.fields import Trailers
from activator.http.h2.client import Call
from activator.http.h2.codes import Code
from activator.http.h2.encoder import Encoder
from activator.http.h2.framing import frame
from tests.unit.activator.http.h2.peers import Client, frames

HEAD = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/"), (b":authority", b"a.b")]


class Handler:
    def __init__(self) -> None:
        self.log: list[object] = []
        self.pauses: Call | None = None

    def on_informational(self, head: ResponseHead) -> None:
        self.log.append(head.status)

    def on_response(self, head: ResponseHead, end: bool) -> None:
        self.log.append((head.status, head.body, end))
        if self.pauses is not None:
            self.pauses.pause()

    def on_response_body(self, data: bytes) -> None:
        self.log.append(data)

    def on_response_end(self, trailers: Trailers) -> None:
        self.log.append(list(trailers))

    def on_lost(self, reset: Reset) -> None:
        self.log.append((reset.cause, reset.has_begun))

    def on_request_window(self, is_open: bool) -> None:
        self.log.append(is_open)


class Calling:
    def __init__(self, *, end: bool = True, is_head: bool = False) -> None:
        self.client = Client()
        self.client.engine.receive(frame(4, 0, 0, b""))
        engine = self.client.engine
        self.handler = Handler()
        self.call = Call(
            engine, engine.next_stream, engine.peer_window, self.handler, is_head=is_head
        )
        engine.add(self.call)
        self.call.write_head(HEAD, b"", end)
        self.client.take()
        self.encoder = Encoder()

    def head(self, status: int, *fields: tuple[bytes, bytes], end: bool = False) -> bytes:
        block = self.encoder.encode([(b":status", b"%d" % status), *fields])
        return frame(1, 5 if end else 4, 1, block)

    def get(self, *said: bytes) -> list[object]:
        self.client.engine.receive(b"".join(said))
        return self.handler.log

    def sent(self) -> list[tuple[int, bytes]]:
        return [(kind, payload) for kind, _, _, payload in frames(self.client.take())]


def data(body: bytes, *, end: bool = False) -> bytes:
    return frame(0, 1 if end else 0, 1, body)


def reset(code: Code) -> bytes:
    return frame(3, 0, 1, bytes((0, 0, 0, code)))


def test_a_small_answer_is_one_call() -> None:
    calling = Calling()
    assert calling.get(calling.head(200), data(b"hello", end=True)) == [(200, b"hello", True)]
    assert not calling.client.engine.lanes


def test_an_answer_with_trailers() -> None:
    calling = Calling()
    trailers = frame(1, 5, 1, calling.encoder.encode([(b"grpc-status", b"0")]))
    log = calling.get(calling.head(103), calling.head(200), data(b"a"), data(b"b"), trailers)
    assert log == [103, (200, b"a", False), b"b", [(b"grpc-status", b"0")]]


def test_a_whole_answer_survives_a_reset_that_says_so() -> None:
    calling = Calling(end=False)
    calling.handler.pauses = calling.call
    log = calling.get(calling.head(200), data(b"a"), data(b"b", end=True), reset(Code.NO_ERROR))
    assert log == [(200, b"a", False)]
    assert not calling.client.engine.lanes
    calling.call.resume()
    assert log == [(200, b"a", False), b"b", []]


def test_half_an_answer_does_not() -> None:
    calling = Calling()
    log = calling.get(calling.head(200), data(b"a"), reset(Code.NO_ERROR))
    assert log == [(200, b"a", False), (Lost.CLOSED, True)]


def test_an_answer_before_the_end_of_the_request_cancels_the_rest() -> None:
    calling = Calling(end=False)
    assert calling.get(calling.head(413, end=True)) == [(413, b"", True)]
    assert calling.sent() == [(3, b"\0\0\0\x08")]
    calling.call.send_body(b"late")
    calling.call.send_end()
    calling.call.reset()
    assert calling.sent() == []


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        (Code.REFUSED_STREAM, Lost.REFUSED),
        (Code.CANCEL, Lost.CLOSED),
        (Code.INTERNAL_ERROR, Lost.CLOSED),
    ],
)
def test_what_a_reset_means(code: Code, cause: Lost) -> None:
    assert Calling().get(reset(code)) == [(cause, False)]


@pytest.mark.parametrize(
    "said",
    [
        pytest.param([(101, False)], id="switching"),
        pytest.param([(103, True)], id="an-end-without-a-response"),
    ],
)
def test_heads_that_are_none(said: list[tuple[int, bool]]) -> None:
    calling = Calling()
    heads = [calling.head(status, end=end) for status, end in said]
    assert calling.get(*heads) == [(Lost.MALFORMED, False)]
    assert calling.sent() == [(3, b"\0\0\0\x01")]


@pytest.mark.parametrize("is_head", [True, False])
def test_a_body_where_none_may_be(is_head: bool) -> None:
    calling = Calling(is_head=is_head)
    head = calling.head(200 if is_head else 204)
    assert calling.get(head, data(b"x", end=True)) == [(Lost.MALFORMED, True)]


def test_a_length_that_is_not_kept() -> None:
    calling = Calling()
    head = calling.head(200, (b"content-length", b"3"))
    assert calling.get(head, data(b"ab"), data(b"", end=True)) == [
        (200, b"ab", False),
        (Lost.MALFORMED, True),
    ]


def test_who_gives_up_hears_no_more() -> None:
    calling = Calling()
    calling.call.abandon(Handler())
    assert calling.sent() == [(3, b"\0\0\0\x08")]
    assert calling.get(calling.head(200), data(b"late", end=True)) == []


def test_a_whole_response_that_nobody_wants_any_more_leaves_nothing_behind() -> None:
    """Its client was too slow for it, and went; the connection serves others."""
    calling = Calling()
    calling.handler.pauses = calling.call
    calling.get(calling.head(200), data(b"head"), data(b"kept"), data(b"more", end=True))
    engine = calling.client.engine
    assert engine.held > 0
    assert engine.lanes == {}
    calling.sent()
    calling.call.reset()
    assert engine.held == 0
    # There is no stream any more that could be reset.
    assert calling.sent() == []
    calling.call.resume()
    assert calling.handler.log == [(200, b"head", False)]
