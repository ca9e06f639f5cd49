"""The request reader: what is a request, what is not, and that no cut changes the outcome."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activator.http.events import UNKNOWN, RequestHead
from activator.http.fields import Trailers
from activator.http.h1.fieldtable import FieldTable
from activator.http.h1.requests import FramingLimits, Hop, RequestReader
from activator.http.refusals import FramingError

TABLE = FieldTable(taken=(b"x-taken",), dropped=(b"x-dropped",))


class Recorder:
    """Events as plain values, pieces of one body joined: how it was cut must not matter."""

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []
        self.heads: list[RequestHead] = []
        self.hops: list[Hop] = []

    def on_request(self, head: RequestHead, hop: Hop) -> None:
        self.heads.append(head)
        self.hops.append(hop)
        self.events.append(
            ("head", head.method, head.target, head.authority, tuple(head.fields), head.length)
        )
        if head.body:
            self.events.append(("body", head.body))
        if head.body or not head.length:
            self.events.append(("end", ()))

    def on_request_body(self, data: bytes) -> None:
        if self.events[-1][0] == "body":
            data = self.events.pop()[1] + data
        self.events.append(("body", data))

    def on_request_end(self, trailers: Trailers) -> None:
        self.events.append(("end", tuple(trailers)))


def read(data: bytes, cuts: list[int] | None = None, **limits: int) -> Recorder:
    recorder = Recorder()
    reader = RequestReader(recorder, TABLE, FramingLimits(**limits))
    edges = [0, *sorted(cuts or []), len(data)]
    for start, end in pairwise(edges):
        if start < end:
            try:
                reader.feed(data[start:end])
            except FramingError as error:
                recorder.events.append(("error", error.refusal.reason))
                break
    return recorder


def post(*lines: str, body: str = "") -> bytes:
    return ("\r\n".join(["POST / HTTP/1.1", "Host: a", *lines, "", ""]) + body).encode("latin-1")


# RFC 9112 and the known ways of hiding one request in another: (bytes, reason of the refusal).
REFUSED = [
    pytest.param(
        post("Content-Length: 3", "Transfer-Encoding: chunked"), "bad-request", id="cl-te"
    ),
    pytest.param(
        post("Transfer-Encoding: chunked", "Content-Length: 3"), "bad-request", id="te-cl"
    ),
    pytest.param(
        post("Content-Length: 3", "Content-Length: 4", body="abcd"), "bad-request", id="cl-differs"
    ),
    pytest.param(
        post("Content-Length: 3", "Content-Length: 3", body="abc"), "bad-request", id="cl-twice"
    ),
    pytest.param(post("Content-Length: 3, 3", body="abc"), "bad-request", id="cl-list"),
    pytest.param(post("Content-Length: +3", body="abc"), "bad-request", id="cl-plus"),
    pytest.param(post("Content-Length: -3", body="abc"), "bad-request", id="cl-minus"),
    pytest.param(post("Content-Length: 0x3", body="abc"), "bad-request", id="cl-hex"),
    pytest.param(post("Content-Length: 3 3", body="abc"), "bad-request", id="cl-space"),
    pytest.param(post("Content-Length: ", body="abc"), "bad-request", id="cl-empty"),
    pytest.param(post("Content-Length: " + "9" * 40), "bad-request", id="cl-overflow"),
    pytest.param(post("Transfer-Encoding: xchunked"), "bad-request", id="te-unknown"),
    pytest.param(post("Transfer-Encoding: identity"), "bad-request", id="te-identity"),
    pytest.param(post("Transfer-Encoding: chunked, identity"), "bad-request", id="te-not-last"),
    pytest.param(post("Transfer-Encoding: chunked, chunked"), "bad-request", id="te-list"),
    pytest.param(
        post("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
        "bad-request",
        id="te2",
    ),
    pytest.param(
        post("Transfer-Encoding: chunked", "Transfer-Encoding: identity"), "bad-request", id="te-te"
    ),
    pytest.param(post("Transfer-Encoding: \x0bchunked"), "bad-request", id="te-vertical-tab"),
    pytest.param(post('Transfer-Encoding: "chunked"'), "bad-request", id="te-quoted"),
    pytest.param(post("Transfer-Encoding: "), "bad-request", id="te-empty"),
    pytest.param(
        post("Transfer-Encoding: gzip, chunked"), "unsupported-transfer-coding", id="te-gzip"
    ),
    pytest.param(post("Transfer-Encoding : chunked"), "bad-request", id="space-before-colon"),
    pytest.param(post("Transfer-Encoding\t: chunked"), "bad-request", id="tab-before-colon"),
    pytest.param(post("X: a", " Transfer-Encoding: chunked"), "bad-request", id="folded"),
    pytest.param(post("X: a", "\tfolded"), "bad-request", id="folded-by-tab"),
    pytest.param(b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", "bad-request", id="space-before-first"),
    pytest.param(post("X: a\nTransfer-Encoding: chunked"), "bad-request", id="bare-lf"),
    pytest.param(post("X: a\rTransfer-Encoding: chunked"), "bad-request", id="bare-cr"),
    pytest.param(b"GET / HTTP/1.1\nHost: a\n\n", "bad-request", id="lf-line-ends"),
    pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\n\n", "bad-request", id="lf-at-the-end"),
    pytest.param(b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "bad-request", id="lf-before"),
    pytest.param(post("X: a\x00b"), "bad-request", id="nul"),
    pytest.param(post("X: a\x01b"), "bad-request", id="control"),
    pytest.param(post("X\xff: b"), "bad-request", id="obs-text-in-name"),
    pytest.param(post(": b"), "bad-request", id="no-name"),
    pytest.param(post("no colon"), "bad-request", id="no-colon"),
    pytest.param(b"GET / HTTP/1.1\r\n\r\n", "bad-request", id="no-host"),
    pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "bad-request", id="two-hosts"),
    pytest.param(b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", "bad-request", id="hosts-1.0"),
    pytest.param(
        b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "bad-request",
        id="te-1.0",
    ),
    pytest.param(b"GET / HTTP/0.9\r\nHost: a\r\n\r\n", "bad-request", id="version-0.9"),
    pytest.param(b"GET /\r\n\r\n", "bad-request", id="no-version"),
    pytest.param(b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", "unsupported-version", id="version-2"),
    pytest.param(b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", "unsupported-version", id="version-1.2"),
    pytest.param(b"GET / HTTP/3.0\r\nHost: a\r\n\r\n", "unsupported-version", id="version-3"),
    pytest.param(b"GET / HTTP/1.11\r\nHost: a\r\n\r\n", "bad-request", id="version-1.11"),
    pytest.param(b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "bad-request", id="two-spaces"),
    pytest.param(b"GET /  HTTP/1.1\r\nHost: a\r\n\r\n", "bad-request", id="two-spaces-after"),
    pytest.param(b" GET / HTTP/1.1\r\nHost: a\r\n\r\n", "bad-request", id="space-first"),
    pytest.param(b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", "bad-request", id="tab-for-space"),
    pytest.param(b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", "bad-request", id="space-last"),
    pytest.param(b"GET / http/1.1\r\nHost: a\r\n\r\n", "bad-request", id="version-in-small"),
    pytest.param(b"get / HTTP/1.1\r\nHost: a\r\n\r\n", "bad-request", id="method-in-small"),
    pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "unsupported-version", id="http2-preface"),
    pytest.param(b"GET nowhere HTTP/1.1\r\nHost: a\r\n\r\n", "bad-request", id="target"),
    pytest.param(b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", "bad-request", id="fragment"),
    pytest.param(b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", "bad-request", id="star-without-options"),
    pytest.param(b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n", "bad-request", id="raw-byte-in-target"),
    pytest.param(b"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", "bad-request", id="scheme"),
    pytest.param(b"GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", "bad-request", id="userinfo"),
    pytest.param(b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", "connect-refused", id="connect"),
]


@pytest.mark.parametrize(("data", "reason"), REFUSED)
def test_refused_as_a_whole_and_byte_by_byte(data: bytes, reason: str) -> None:
    for cuts in ([], list(range(1, len(data)))):
        assert read(data, cuts).events[-1] == ("error", reason)


CHUNKS = [
    pytest.param("zz\r\nabc\r\n0\r\n\r\n", id="size-no-number"),
    pytest.param("0x3\r\nabc\r\n0\r\n\r\n", id="size-0x"),
    pytest.param("-3\r\nabc\r\n0\r\n\r\n", id="size-negative"),
    pytest.param(" 3\r\nabc\r\n0\r\n\r\n", id="size-space-before"),
    pytest.param("3 \r\nabc\r\n0\r\n\r\n", id="size-space-after"),
    pytest.param("3\nabc\r\n0\r\n\r\n", id="size-lf"),
    pytest.param("3\r\nabc\n0\r\n\r\n", id="data-lf"),
    pytest.param("3\r\nabcd\r\n0\r\n\r\n", id="data-too-long"),
    pytest.param("3;a\nb\r\nabc\r\n0\r\n\r\n", id="extension-lf"),
    pytest.param("3;a\rb\r\nabc\r\n0\r\n\r\n", id="extension-cr"),
    pytest.param("f" * 17 + "\r\nabc", id="size-overflow"),
    pytest.param("0\r\nT: x\n\r\n", id="trailer-lf"),
    pytest.param("0\r\nT : x\r\n\r\n", id="trailer-space"),
]


@pytest.mark.parametrize("body", CHUNKS)
def test_malformed_chunks_are_refused(body: str) -> None:
    data = post("Transfer-Encoding: chunked", body=body)
    for cuts in ([], list(range(1, len(data)))):
        assert read(data, cuts).events[-1] == ("error", "bad-request")


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(post("Content-Length: 3", body="abc"), id="length"),
        pytest.param(
            post("Transfer-Encoding: chunked", body="3\r\nabc\r\n0\r\nT: x\r\n\r\n"), id="chunked"
        ),
        pytest.param(b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n", id="no-body"),
    ],
)
def test_a_request_line_is_looked_at_wherever_it_begins(first: bytes) -> None:
    data = first + b"GET  /2 HTTP/1.1\r\nHost: a\r\n\r\n"
    for cuts in ([], list(range(1, len(data)))):
        events = read(data, cuts).events
        assert [event[0] for event in events].count("head") == 1
        assert events[-1] == ("error", "bad-request")


def test_two_spaces_elsewhere_are_nobodys_business() -> None:
    data = post("X:  a  b", "Content-Length: 19", body="GET  / HTTP/1.1\r\n\r\n")
    assert [event[0] for event in read(data).events] == ["head", "body", "end"]


def test_empty_lines_before_a_request_are_passed_over() -> None:
    data = b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"
    for cuts in ([], list(range(1, len(data)))):
        assert [event[0] for event in read(data, cuts).events] == ["head", "end"]


def test_what_is_between_chunks_is_bounded() -> None:
    long = post("Transfer-Encoding: chunked", body="1;" + "e" * 70_000 + "\r\na\r\n0\r\n\r\n")
    for cuts in ([], list(range(1, len(long), 1000))):
        assert read(long, cuts).events[-1] == ("error", "bad-request")
    usual = post("Transfer-Encoding: chunked", body="1;e=1\r\na\r\n" * 20_000 + "0\r\n\r\n")
    assert [event[0] for event in read(usual, list(range(1, len(usual), 1000))).events] == [
        "head",
        "body",
        "end",
    ]


def test_fields_that_an_application_takes_aside_or_drops() -> None:
    head = read(post("X-Taken: 1", "x-taken: 2", "X-Dropped: 3", "X: 4")).heads[0]
    assert head.taken == {b"x-taken": b"1, 2"}
    assert head.fields == [(b"X", b"4")]
    assert read(post()).heads[0].taken is None


def test_a_plain_request() -> None:
    events = read(b"GET /a?b=c HTTP/1.1\r\nHost: h:80\r\nX-One:  1\r\nX-One: 2\r\n\r\n").events
    assert events == [
        ("head", b"GET", b"/a?b=c", b"h:80", ((b"X-One", b"1"), (b"X-One", b"2")), 0),
        ("end", ()),
    ]


def test_an_absolute_target_names_the_host() -> None:
    recorder = read(b"GET http://other:81?q HTTP/1.1\r\nHost: h\r\n\r\n")
    assert recorder.events[0][2:4] == (b"/?q", b"other:81")
    assert recorder.heads[0].is_absolute


def test_options_for_the_whole_server() -> None:
    assert read(b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n").events[0][2] == b"*"


def test_trailers_that_would_change_the_request_are_left_out() -> None:
    data = post(
        "Transfer-Encoding: chunked",
        body="0\r\nX-Sum: 1\r\nHost: b\r\nAuthorization: x\r\n\r\n",
    )
    assert read(data).events[-1] == ("end", ((b"X-Sum", b"1"),))


def test_connection_names_more_fields_to_drop_but_never_framing() -> None:
    recorder = read(
        post(
            "Connection: X-Drop, close, Content-Length",
            "X-Drop: 1",
            "X-Keep: 1",
            "Content-Length: 0",
        )
    )
    assert recorder.heads[0].fields == [(b"X-Keep", b"1")]
    assert recorder.heads[0].has_length
    assert not recorder.hops[0].keep_alive


def test_limits() -> None:
    assert read(post("X: " + "a" * 200), head_octets=100).events == [("error", "head-too-large")]
    many = post(*(f"X{n}: 1" for n in range(20)))
    assert read(many, fields=10).events == [("error", "head-too-large")]
    trailers = "0\r\n" + "".join(f"X{n}: 1\r\n" for n in range(20)) + "\r\n"
    data = post("Transfer-Encoding: chunked", body=trailers)
    assert read(data, fields=10).events[-1] == ("error", "head-too-large")


def test_a_head_that_never_ends_is_cut_off() -> None:
    data = b"GET / HTTP/1.1\r\nX: " + b"a" * 5000
    assert read(data, list(range(1, 5000, 100)), head_octets=1000).events == [
        ("error", "head-too-large")
    ]


@pytest.mark.parametrize("framing", ["Content-Length: 47", "Transfer-Encoding: chunked"])
def test_a_body_behind_an_offer_to_upgrade_is_a_body(framing: str) -> None:
    """llhttp would take it for the new protocol; it must not be read as a request."""
    hidden = "GET /smuggled HTTP/1.1\r\nHost: a\r\nX: 1234567\r\n\r\n"
    assert len(hidden) == 47
    body = hidden if "Length" in framing else f"2f\r\n{hidden}\r\n0\r\nX-T: 1\r\n\r\n"
    data = post("Connection: Upgrade", "Upgrade: websocket", framing, body=body)
    after = b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n"
    for cuts in ([], list(range(1, len(data + after)))):
        events = read(data + after, cuts).events
        assert [event[0] for event in events] == ["head", "body", "end", "head", "end"]
        assert events[1] == ("body", hidden.encode())
        assert events[3][2] == b"/next"


def test_an_upgrade_holds_what_follows_until_it_is_decided() -> None:
    recorder = Recorder()
    reader = RequestReader(recorder, TABLE)
    offer = b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
    reader.feed(offer + b"GET /2 HT")
    reader.feed(b"TP/1.1\r\nHost: a\r\n\r\n")
    assert recorder.heads[0].upgrade == b"websocket"
    assert len(recorder.heads) == 1
    assert reader.held == b"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n"
    reader.resume()
    assert recorder.heads[1].target == b"/2"


def test_nothing_is_read_behind_a_request_that_closes() -> None:
    first = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    events = read(first + b"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n", [len(first)]).events
    assert [event[0] for event in events] == ["head", "end"]
    assert read(first + b"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n").events == events


tokens = st.text(alphabet="abcXYZ019-", min_size=1, max_size=8)
values = st.text(
    alphabet=st.characters(min_codepoint=33, max_codepoint=255, exclude_characters="\x7f"),
    max_size=20,
)


@st.composite
def requests(draw: st.DrawFn) -> tuple[bytes, bytes, bool]:
    """(bytes, body, chunked) of one well-formed request."""
    lines = [f"X-{draw(tokens)}: {draw(values)}" for _ in range(draw(st.integers(0, 4)))]
    pieces = draw(st.lists(st.binary(min_size=1, max_size=30), max_size=4))
    body = b"".join(pieces)
    chunked = draw(st.booleans())
    if chunked:
        raw = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
        return post("Transfer-Encoding: chunked", *lines) + raw, body, True
    return post(f"Content-Length: {len(body)}", *lines) + body, body, False


@given(st.lists(requests(), min_size=1, max_size=4), st.data())
def test_any_cut_gives_the_same_events(made: list[tuple[bytes, bytes, bool]], data: Any) -> None:
    stream = b"".join(raw for raw, _, _ in made)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=12))
    whole = read(stream)
    assert read(stream, cuts).events == whole.events
    heads = [event for event in whole.events if event[0] == "head"]
    assert [head[5] for head in heads] == [
        UNKNOWN if chunked else len(body) for _, body, chunked in made
    ]
    assert b"".join(event[1] for event in whole.events if event[0] == "body") == b"".join(
        body for _, body, _ in made
    )


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=8))
def test_no_bytes_break_anything_but_the_connection(data: bytes, cuts: list[int]) -> None:
    start = b"POST / HTTP/1.1\r\nHost: a\r\n"
    for stream in (data, start + data):
        inside = [cut for cut in cuts if cut <= len(stream)]
        outcomes = [read(stream, c).events for c in ([], inside)]
        complete = [[e for e in events if e[0] == "end"] for events in outcomes]
        assert complete[0] == complete[1]


@pytest.mark.parametrize(("lowers", "name"), [(False, b"X-Request-Id"), (True, b"x-request-id")])
def test_names_come_as_they_were_sent_or_in_lower_case(lowers: bool, name: bytes) -> None:
    recorder = Recorder()
    RequestReader(recorder, FieldTable(lowers=lowers)).feed(post("X-Request-Id: Seven"))
    assert recorder.heads[0].fields == [(name, b"Seven")]


def test_a_body_that_is_there_comes_with_its_head() -> None:
    data = post("Content-Length: 5", body="seven")
    assert [head.body for head in read(data).heads] == [b"seven"]
    # Two in one piece, and one that comes in two.
    assert [head.body for head in read(data * 2).heads] == [b"seven"] * 2
    assert [head.body for head in read(data, [len(data) - 1]).heads] == [b""]
    assert read(data).events == read(data, [len(data) - 1]).events


def test_names_that_are_not_remembered_are_known_all_the_same() -> None:
    table = FieldTable(taken=(b"x-taken",))
    reader = RequestReader(Recorder(), table)
    for number in range(1200):
        reader.feed(post(f"X-Name-{number}: 1", "x-TAKEN: 1", "X-" + "a" * 100 + ": 1"))
    assert len(table.seen) == 1000
    recorder = Recorder()
    RequestReader(recorder, table).feed(post("x-TAKEN: 1", "X-Name-1199: 1"))
    assert recorder.heads[0].taken == {b"x-taken": b"1"}
    assert recorder.heads[0].fields == [(b"X-Name-1199", b"1")]
