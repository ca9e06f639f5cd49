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
from activator.http.h1.framing import FramingLimits, Hop
from activator.http.h1.requests import RequestReader
from activator.http.refusals import FramingError
from tests.unit.activator.http.h1.malformed import HEADS, Case
from tests.unit.activator.http.h1.malformed_bodies import BODIES
from tests.unit.activator.http.h1.readings import READINGS, Reading

MALFORMED = [*HEADS, *BODIES]
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


def outcome(data: bytes, cuts: list[int]) -> tuple[int, int, int]:
    """Status of the refusal (0 without one), requests begun, requests that are whole."""
    events, status = Recorder(), 0
    reader = RequestReader(events, TABLE)
    try:
        for start, end in pairwise([0, *cuts, len(data)]):
            reader.feed(data[start:end])
    except FramingError as error:
        status = error.refusal.status
    names = [event[0] for event in events.events]
    return status, names.count("head"), names.count("end")


@pytest.mark.parametrize("case", MALFORMED, ids=lambda case: case.name)
def test_what_is_no_request_is_refused_however_it_is_cut(case: Case) -> None:
    size = len(case.data)
    wanted = case.status, case.heads, case.whole
    for step in (1, 2, 3, 7) if size < 1000 else (997, 4096):
        assert outcome(case.data, list(range(step, size, step))) == wanted
    assert outcome(case.data, []) == wanted
    # Behind another request it is the same, and in one piece with it.
    first = b"POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
    assert outcome(first + case.data, []) == (case.status, case.heads + 1, case.whole + 1)


def test_there_are_many_of_them() -> None:
    """The table does not shrink."""
    assert len(MALFORMED) >= 350
    assert len({case.name for case in MALFORMED}) == len(MALFORMED)
    assert len({case.data for case in MALFORMED}) == len(MALFORMED)


@pytest.mark.parametrize("reading", READINGS, ids=lambda reading: reading.name)
def test_what_is_allowed_is_read_in_one_way_however_it_is_cut(reading: Reading) -> None:
    size = len(reading.data)
    for step in (0, 1, 2, 3, 7):
        recorder = read(reading.data, list(range(step, size, step)) if step else [])
        found: list[list[Any]] = []
        for event in recorder.events:
            if event[0] == "head":
                found.append([*event[1:4], b"", None])
            elif event[0] == "body":
                found[-1][3] += event[1]
            else:
                assert event[0] == "end", "it is refused"
                found[-1][4] = event[1]
        assert [tuple(each) for each in found] == list(reading.requests)


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


@pytest.mark.parametrize("step", [1000, 65_536, 262_144])
@pytest.mark.parametrize("is_chunked", [False, True])
@pytest.mark.parametrize("fill", [b"\0", b"\r", b"\r\n", b"\r\n\r\nGET / HTTP/1.1\r\n"])
def test_a_large_body_between_two_requests(step: int, is_chunked: bool, fill: bytes) -> None:
    body = fill * (400_000 // len(fill))
    get = b"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n"
    if is_chunked:
        pieces = [body[at : at + 70_000] for at in range(0, len(body), 70_000)]
        raw = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
        data = post("Transfer-Encoding: chunked") + raw + get
    else:
        data = post(f"Content-Length: {len(body)}") + body + get
    # The line behind it is looked at: two spaces.
    data += b"GET  /3 HTTP/1.1\r\nHost: a\r\n\r\n"
    events = read(data, list(range(step, len(data), step))).events
    assert [event[0] for event in events] == ["head", "body", "end", "head", "end", "error"]
    assert events[1] == ("body", body)


def test_a_piece_of_a_body_is_passed_on_without_a_copy() -> None:
    passed: list[bytes] = []

    class Sink(Recorder):
        def on_request_body(self, data: bytes) -> None:
            passed.append(data)

    reader = RequestReader(Sink(), TABLE)
    reader.feed(post("Content-Length: 300000"))
    piece = bytes(150_000)
    reader.feed(piece)
    reader.feed(piece)
    assert passed[0] is piece and passed[1] is piece
