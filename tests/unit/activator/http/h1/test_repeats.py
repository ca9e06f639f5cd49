"""Field lines that come again and again mean the same each time, whatever else is another."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activator import forwarding
from activator.http.events import RequestHead
from activator.http.fields import Trailers
from activator.http.h1.fieldtable import FieldTable
from activator.http.h1.framing import Hop
from activator.http.h1.requests import RequestReader
from activator.http.refusals import FramingError

SAID = (
    *("method", "target", "authority", "fields", "taken", "length", "has_length", "body"),
    *("blocks", "is_absolute", "upgrade", "expects_continue", "wants_trailers"),
)


@dataclass
class Sink:
    """Notes what the application would see."""

    seen: list[Any] = field(default_factory=list)
    heads: list[RequestHead] = field(default_factory=list)

    def on_request(self, head: RequestHead, hop: Hop) -> None:
        self.heads.append(head)
        said = {name: getattr(head, name) for name in SAID}
        # What an application does with a head is nothing to the next one.
        head.fields = [(b"changed", b"1")]
        head.authority = b"changed"
        head.target = b"/changed"
        self.seen.append((said, hop))

    def on_request_body(self, data: bytes) -> None:
        self.seen.append(data)

    def on_request_end(self, trailers: Trailers) -> None:
        self.seen.append(tuple(trailers))


def reader_of(sink: Sink) -> RequestReader:
    return RequestReader(sink, FieldTable(forwarding.TAKEN, forwarding.DROPPED))


def read(reader: RequestReader, data: bytes) -> bool:
    """Whether it was taken."""
    try:
        reader.feed(data)
    except FramingError:
        return False
    return True


LINES = [
    "Host: a",
    "Host: a\r\nAccept: */*\r\nX-Forwarded-For: 1.2.3.4",
    "Host: a\r\nTE: trailers\r\nConnection: te",
    "Host: a\r\nContent-Length: 0",
    "Host: a\r\nContent-Length: 3",
    "Host: a\r\nTransfer-Encoding: chunked",
    "Host: a\r\nExpect: 100-continue",
    "Host: a\r\nExpect: more",
    "Host: a\r\nConnection: close",
    "Host: a\r\nConnection: upgrade\r\nUpgrade: websocket",
    "Host: a\r\nHost: a",
    "Accept: */*",
    "Host: a\r\nX: \x00",
]
STARTS = [
    *("GET / HTTP/1.1", "GET /other?q HTTP/1.1", "HEAD / HTTP/1.1", "POST / HTTP/1.1"),
    *("BREW / HTTP/1.1", "CONNECT a:1 HTTP/1.1", "OPTIONS * HTTP/1.1", "GET http://b/ HTTP/1.1"),
    *(
        "GET / HTTP/1.0",
        "GET / HTTP/1.2",
        "GET  / HTTP/1.1",
        "GET /#x HTTP/1.1",
        "GET / x HTTP/1.1",
    ),
    *(
        "GET /\x7f HTTP/1.1",
        "GET / HTTP/1.1 ",
        "get / HTTP/1.1",
        "GET /\xe9 HTTP/1.1",
        "/ HTTP/1.1",
    ),
]


def message(start: str, lines: str) -> bytes:
    body = {"Content-Length: 3": "abc", "Transfer-Encoding: chunked": "1\r\na\r\n0\r\n\r\n"}
    content = next((text for name, text in body.items() if name in lines), "")
    return f"{start}\r\n{lines}\r\n\r\n{content}".encode("latin-1")


@given(
    st.sampled_from(LINES),
    st.lists(st.sampled_from(STARTS), min_size=1, max_size=6),
)
def test_a_repeated_request_is_what_it_is_on_a_connection_of_its_own(
    lines: str, starts: list[str]
) -> None:
    together = Sink()
    reader = reader_of(together)
    for start in starts:
        alone = Sink()
        before = len(together.seen)
        taken = read(reader, message(start, lines))
        assert taken == read(reader_of(alone), message(start, lines))
        assert together.seen[before:] == alone.seen
        last = alone.seen[0][1] if alone.seen else None
        if not taken or reader.held is not None or not (last and last.keep_alive):
            return


@pytest.mark.parametrize("times", [1, 2, 3, 4])
def test_other_lines_end_a_repetition(times: int) -> None:
    sink = Sink()
    reader = reader_of(sink)
    for _ in range(times):
        reader.feed(message("GET / HTTP/1.1", "Host: a\r\nX: 1"))
    reader.feed(message("GET / HTTP/1.1", "Host: b\r\nX: 2"))
    said = sink.seen[-1][0]
    assert said["authority"] == b"b" and said["fields"] == [(b"X", b"2")]


def test_a_repetition_is_not_parsed() -> None:
    sink = Sink()
    reader = reader_of(sink)
    for number in range(5):
        reader.feed(message(f"GET /{number} HTTP/1.1", "Host: a"))
    assert [said["target"] for said, _ in sink.seen] == [b"/%d" % n for n in range(5)]
    assert reader.head is sink.heads[1]
