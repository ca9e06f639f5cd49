"""The response reader: what is a response, what is not, and that no cut changes the outcome."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activator.http.events import BodyForm, RequestHead, ResponseHead
from activator.http.fields import Field
from activator.http.h1.responses import ResponseReader
from activator.http.h1.watching import BadResponse
from tests.unit.activator.http.h1.malformed_responses import RESPONSES, Bad


class Seen:
    """What a receiver got of one response."""

    def __init__(self, reader: ResponseReader) -> None:
        self.reader = reader
        self.interim: list[int] = []
        self.head: ResponseHead | None = None
        self.body = b""
        self.trailers: list[Field] = []

    def feed(self, data: bytes) -> None:
        reader = self.reader
        if self.head is not None:
            self.body += reader.body(data)
        while self.head is None and data:
            head = reader.head(data)
            if head is None:
                return
            if head.status < 200 and head.status != 101:
                self.interim.append(head.status)
                data, reader.rest = reader.rest, b""
                continue
            self.head = head
            self.body += head.body
        if reader.complete:
            self.trailers = reader.take_trailers()

    @property
    def status(self) -> int:
        return self.head.status if self.head is not None else 0


def begin(
    reader: ResponseReader,
    *,
    is_to_head: bool = False,
    may_switch: bool = False,
    takes_chunks: bool = True,
) -> Seen:
    request = RequestHead.of(b"HEAD" if is_to_head else b"GET", b"/", b"a")
    request.upgrade = b"x" if may_switch else b""
    reader.begin(request, takes_chunks)
    return Seen(reader)


def read(data: bytes, cuts: list[int] | None = None, **request: bool) -> Seen:
    seen = begin(ResponseReader(), **request)
    edges = [0, *sorted(cuts or []), len(data)]
    for start, end in pairwise(edges):
        if start < end:
            seen.feed(data[start:end])
    return seen


def everywhere(data: bytes) -> list[list[int]]:
    return [[], list(range(1, len(data)))]


def test_a_usual_response_is_kept_as_it_came() -> None:
    data = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A:b\r\n\r\nhi"
    seen = read(data)
    assert seen.head is not None and seen.head.wire is data
    assert seen.head.is_verbatim
    assert seen.head.fields == [(b"Content-Length", b"2"), (b"X-A", b"b")]
    assert (seen.status, seen.head.reason, seen.body) == (200, b"OK", b"hi")
    assert seen.reader.complete and seen.reader.reusable


def test_one_connection_carries_many_responses() -> None:
    reader = ResponseReader()
    for number in range(3):
        seen = begin(reader)
        seen.feed(b"HTTP/1.1 20%d OK\r\nContent-Length: 1\r\n\r\nx" % number)
        assert (seen.status, seen.body) == (200 + number, b"x")
        assert reader.complete and reader.reusable


def test_hop_by_hop_fields_are_not_among_the_fields() -> None:
    seen = read(
        b"HTTP/1.1 200 OK\r\nConnection: close, X-Mine\r\nX-Mine: 1\r\nKeep-Alive: timeout=5\r\n"
        b"Upgrade: h2c\r\nProxy-Authenticate: x\r\nX-B: 2\r\nContent-Length: 0\r\n\r\n"
    )
    assert seen.head is not None and not seen.head.is_verbatim
    assert seen.head.fields == [(b"X-B", b"2"), (b"Content-Length", b"0")]
    assert not seen.reader.reusable


def test_a_body_that_ends_with_the_connection() -> None:
    seen = read(b"HTTP/1.0 200 OK\r\nX: 1\r\n\r\nabc")
    assert seen.head is not None and seen.head.form is BodyForm.OPEN
    seen.feed(b"defg")
    assert seen.body == b"abcdefg"
    before = seen.reader.complete
    seen.reader.end()
    assert (before, seen.reader.complete, seen.reader.reusable) == (False, True, False)


CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n"
    b"3\r\nabc\r\n2;e\r\nde\r\n0\r\nX: 1\r\nCookie: y\r\n\r\n"
)


def test_chunks_pass_to_who_takes_them() -> None:
    for cuts in everywhere(CHUNKED):
        seen = read(CHUNKED, cuts)
        assert seen.head is not None and seen.head.form is BodyForm.CHUNKED
        assert seen.head.is_verbatim
        assert seen.body == CHUNKED.partition(b"\r\n\r\n")[2]
        assert seen.reader.complete and seen.reader.reusable


def test_chunks_are_undone_for_everybody_else_and_the_connection_is_as_before() -> None:
    for cuts in everywhere(CHUNKED):
        seen = read(CHUNKED, cuts, takes_chunks=False)
        assert seen.head is not None and seen.head.form is BodyForm.OPEN
        assert seen.head.fields == [(b"Trailer", b"X")]
        assert seen.body == b"abcde"
        assert seen.trailers == [(b"X", b"1")]
        again = begin(seen.reader)
        again.feed(CHUNKED)
        assert again.body == CHUNKED.partition(b"\r\n\r\n")[2]


def test_interim_responses_come_before_the_final_one() -> None:
    data = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    final = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    for cuts in everywhere(data + final):
        seen = read(data + final, cuts)
        assert seen.interim == [100, 103]
        assert seen.status == 200 and seen.reader.complete


def test_an_upgrade_ends_http() -> None:
    seen = read(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\nrest", may_switch=True)
    assert (seen.status, seen.body) == (101, b"rest")
    seen.feed(b" of it")
    assert seen.body == b"rest of it"
    assert not seen.reader.reusable


def test_the_end_within_a_response_is_an_error() -> None:
    for data in (
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
    ):
        seen = read(data)
        with pytest.raises(BadResponse):
            seen.reader.end()


@pytest.mark.parametrize("bad", RESPONSES, ids=lambda bad: bad.name)
@pytest.mark.parametrize("takes_chunks", [True, False])
def test_what_is_no_response_is_refused_however_it_is_cut(bad: Bad, takes_chunks: bool) -> None:
    size = len(bad.data)
    for step in (0, 1, 2, 3, 7) if size < 1000 else (0, 997):
        cuts = list(range(step, size, step)) if step else []
        with pytest.raises(BadResponse):
            read(bad.data, cuts, takes_chunks=takes_chunks)


def test_there_are_many_of_them() -> None:
    """The table does not shrink."""
    assert len(RESPONSES) >= 135
    assert len({bad.name for bad in RESPONSES}) == len(RESPONSES)
    assert len({bad.data for bad in RESPONSES}) == len(RESPONSES)


@pytest.mark.parametrize(
    "lines", [b"", b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n"]
)
@pytest.mark.parametrize("status", [100, 102, 103, 199])
def test_an_interim_head_says_nothing_of_a_body_or_of_the_connection(
    status: int, lines: bytes
) -> None:
    start = b"HTTP/1.1 %d X\r\nLink: x\r\n" % status
    data = start + lines + b"Connection: close\r\nKeep-Alive: timeout=5\r\n\r\n"
    reader = ResponseReader()
    reader.begin(RequestHead.of(b"GET", b"/", b"a"), True)
    head = reader.head(data + b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert head is not None and head.is_verbatim
    assert (head.status, head.wire) == (status, start + b"\r\n")
    final = reader.head(reader.rest)
    assert final is not None and final.status == 200
    assert reader.complete and reader.reusable


def test_a_phrase_of_an_applications_own_is_passed_on_and_there_may_be_any_number() -> None:
    for number in range(1200):
        seen = read(b"HTTP/1.1 299 Phrase %d\xe4\r\nContent-Length: 0\r\n\r\n" % number)
        assert (seen.status, seen.reader.complete) == (299, True)
        assert seen.head is not None and seen.head.reason == b"Phrase %d\xe4" % number


def test_chunks_in_http_1_0_are_understood_and_their_connection_is_not_used_again() -> None:
    start = b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n"
    data = start + b"3\r\nabc\r\n0\r\n\r\n"
    for cuts in everywhere(data):
        seen = read(data, cuts, takes_chunks=False)
        assert (seen.body, seen.reader.complete, seen.reader.reusable) == (b"abc", True, False)


@pytest.mark.parametrize("takes_chunks", [True, False])
@pytest.mark.parametrize(
    "framing", [b"Content-Length: 0\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"]
)
def test_a_205_is_framed_as_any_other(framing: bytes, takes_chunks: bool) -> None:
    """RFC 9110, section 15.3.6: it has no content, and says so."""
    data = b"HTTP/1.1 205 Reset Content\r\n" + framing
    for cuts in everywhere(data):
        seen = read(data, cuts, takes_chunks=takes_chunks)
        assert (seen.status, seen.reader.complete, seen.reader.reusable) == (205, True, True)


@pytest.mark.parametrize("length", ["3, 3", "3\r\nContent-Length: 3", "3\r\ncontent-length:3, 3"])
def test_equal_lengths_are_one(length: str) -> None:
    data = b"HTTP/1.1 200 OK\r\nContent-Length: %b\r\nX: 1\r\n\r\nabc" % length.encode()
    for cuts in everywhere(data):
        seen = read(data, cuts)
        assert seen.head is not None
        assert seen.head.fields == [(b"X", b"1"), (b"Content-Length", b"3")]
        assert seen.body == b"abc"
        assert seen.reader.complete and seen.reader.reusable


@pytest.mark.parametrize("status", [b"204 No", b"304 Not", b"200 OK"])
def test_a_body_where_none_is_allowed_is_left_out_with_its_connection(status: bytes) -> None:
    data = b"HTTP/1.1 %b\r\nX: 1\r\nContent-Length: 4\r\n\r\n" % status
    seen = read(data + b"body", is_to_head=status.startswith(b"200"))
    # That of a 204 is always wrong (RFC 9110, section 8.6).
    passed = data.replace(b"Content-Length: 4\r\n", b"") if status.startswith(b"204") else data
    assert seen.head is not None and seen.head.wire == passed
    assert seen.body == b""
    assert seen.reader.complete and not seen.reader.reusable


def test_a_head_that_announces_a_body_makes_its_connection_doubtful() -> None:
    announced = b"HTTP/1.1 %b\r\nContent-Length: 9\r\n\r\n"
    for status, reusable in ((b"200 OK", True), (b"304 Not", True), (b"204 No", False)):
        seen = read(announced % status, is_to_head=True)
        assert seen.reader.is_doubtful
        assert seen.reader.reusable is reusable
    bare = read(b"HTTP/1.1 204 No\r\n\r\n")
    assert bare.reader.reusable and not bare.reader.is_doubtful


def test_a_head_request_has_no_body() -> None:
    reader = ResponseReader()
    seen = begin(reader, is_to_head=True)
    seen.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
    assert reader.complete and reader.reusable
    seen = begin(reader)
    seen.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")
    assert reader.complete and seen.body == b"x"


def test_a_field_can_be_added_to_a_head() -> None:
    head = ResponseHead.of(200, [(b"x-a", b"1")], b"body")
    head.add(b"x-b", b"2")
    assert head.fields == [(b"content-length", b"4"), (b"x-a", b"1"), (b"x-b", b"2")]
    assert head.body == b"body"


@given(
    pieces=st.lists(st.binary(min_size=1, max_size=40), max_size=5),
    chunked=st.booleans(),
    takes_chunks=st.booleans(),
    data=st.data(),
)
def test_any_cut_gives_the_same_response(
    pieces: list[bytes], chunked: bool, takes_chunks: bool, data: st.DataObject
) -> None:
    body = b"".join(pieces)
    if chunked:
        raw = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
        stream = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + raw
    else:
        stream = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=10))
    whole = read(stream, takes_chunks=takes_chunks)
    parts = read(stream, cuts, takes_chunks=takes_chunks)
    assert whole.body == parts.body
    assert whole.body == (raw if chunked and takes_chunks else body)
    assert whole.reader.complete and parts.reader.complete
    assert whole.reader.reusable and parts.reader.reusable


# -- the same again -------------------------------------------------------------------------------

SAME = b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\nX-A: b\r\n\r\nok"


def again(reader: ResponseReader, data: bytes, **request: bool) -> Seen:
    seen = begin(reader, **request)
    seen.feed(data)
    return seen


def test_the_same_response_again_is_the_same() -> None:
    reader = ResponseReader()
    for _ in range(3):
        seen = again(reader, SAME)
        assert (seen.status, seen.body, reader.complete, reader.reusable) == (
            202,
            b"ok",
            True,
            True,
        )
        assert seen.head is not None and seen.head.is_verbatim
        assert seen.head.fields == [(b"Content-Length", b"2"), (b"X-A", b"b")]


def test_a_head_that_its_receiver_changed_is_not_what_comes_next() -> None:
    reader = ResponseReader()
    for _ in range(2):
        seen = again(reader, SAME)
        assert seen.head is not None
        assert (b"x-more", b"1") not in seen.head.fields
        seen.head.add(b"x-more", b"1")


def test_what_is_read_after_the_same_response_is_parsed() -> None:
    reader = ResponseReader()
    others = [
        b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\n\r\n" + SAME,
        SAME[:-1] + b"!",
    ]
    for other in others:
        for data in (SAME, SAME, other, SAME):
            seen, alone = again(reader, data), again(ResponseReader(), data)
            assert (seen.status, seen.body, seen.interim) == (
                alone.status,
                alone.body,
                alone.interim,
            )
            assert reader.reusable and reader.complete


def test_in_pieces_it_is_the_same_too() -> None:
    reader = ResponseReader()
    again(reader, SAME)
    for cut in range(1, len(SAME)):
        seen = begin(reader)
        seen.feed(SAME[:cut])
        seen.feed(SAME[cut:])
        assert (seen.status, seen.body, reader.complete) == (202, b"ok", True)


def test_the_same_bytes_to_another_method_mean_another_thing() -> None:
    reader, head = ResponseReader(), SAME[:-2]
    again(reader, SAME)
    assert again(reader, head, is_to_head=True).body == b""
    assert reader.complete and reader.is_doubtful
    reader = ResponseReader()
    again(reader, SAME)
    again(reader, SAME, is_to_head=True)
    assert not reader.reusable, "a body where there must be none"


def test_a_response_that_ends_its_connection_is_not_remembered() -> None:
    reader = ResponseReader()
    last = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    again(reader, last)
    assert reader.complete and not reader.reusable
    with pytest.raises(BadResponse):
        again(reader, last)
