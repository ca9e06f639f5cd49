"""Our readers beside h11 and plain llhttp, on malformed messages and mutations of them.

What is taken for a message by two of them is the same message. Where one takes what another does
not, the difference is named in a list below; one that is not named fails. Bounded here, and as long
as one likes by ``make fuzz``.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.unit.activator.http.h1.malformed import HEADS
from tests.unit.activator.http.h1.malformed_bodies import BODIES
from tests.unit.activator.http.h1.malformed_responses import RESPONSES
from tests.unit.activator.http.h1.peers import (
    Outcome,
    by_h11,
    by_llhttp,
    h11_response,
    llhttp_response,
    our_response,
    ours,
)
from tests.unit.activator.http.h1.readings import READINGS

pytestmark = pytest.mark.fuzz

Explanation = tuple[str, Callable[[bytes], object]]


def says(pattern: bytes) -> Callable[[bytes], object]:
    return re.compile(pattern, re.IGNORECASE | re.MULTILINE | re.DOTALL).search


_LINE = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+ [^ \r\n]+ HTTP/1\.[01]"


def has_odd_hosts(data: bytes) -> bool:
    """Any head that may be one, wherever it begins."""
    starts = [found.start() for found in re.finditer(_LINE, data)]
    heads = [data[start:].split(b"\r\n\r\n")[0] for start in starts]
    return any(len(re.findall(rb"\r\nhost:", head.lower())) != 1 for head in heads)


def has_odd_line(data: bytes) -> bool:
    """Something that another reader takes for a request line."""
    return any(
        re.fullmatch(_LINE, line) is None and re.search(rb"HTTP/[0-9]|^[!-~]+[ \t]", line)
        for line in re.split(rb"\r\n|\n|\r", data)
    )


def has_odd_status_line(data: bytes) -> bool:
    line = data.split(b"\r\n")[0]
    return re.fullmatch(rb"HTTP/1\.[01] [1-9][0-9]{2}(?: [\t -~\x80-\xff]*)?", line) is None


def has_more(data: bytes) -> bool:
    """Something behind what may be a head."""
    return data.partition(b"\r\n\r\n")[2] != b""


# Why a request is refused here that another reader takes.
STRICTER: list[Explanation] = [
    ("a Host that is missing or doubled (RFC 9112, section 3.2)", has_odd_hosts),
    ("a request line that is not three words with a space between (section 3)", has_odd_line),
    ("a target of no form there is (section 3.2)", says(rb"^[^ \r\n]+ (?![/])[^ \r\n]* HTTP/")),
    ("a fragment, or octets that no target has", says(rb"^[^ \r\n]+ [^ \r\n]*[#\x80-\xff]")),
    ("CONNECT, which nobody is to use here", says(rb"CONNECT ")),
    ("a name that CGI takes for one about framing", says(rb"\n(?:content_length|transfer_enc)")),
    ("an expectation that is not known (RFC 9110, section 10.1.1)", says(rb"\nexpect:")),
    ("a coding other than chunked, or with ornaments", says(rb"\ntransfer-encoding:")),
    ("an offer of h2c that another reader takes for any upgrade", says(rb"h2c")),
]
STRICTER_THAN_H11: list[Explanation] = [
    *STRICTER,
    ("a line end that is a bare LF (section 2.2)", says(rb"(?<!\r)\n")),
    ("a bare CR, which ends no line here", says(rb"\r(?!\n)")),
    ("a folded line (section 5.2)", says(rb"\r\n[ \t]")),
    ("lengths that are equal, or a list of such", says(rb"\ncontent-length:")),
    (
        "a name or value with octets that it may not have",
        says(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-]"),
    ),
    ("space before a colon", says(rb"[ \t]:")),
]
STRICTER_THAN_LLHTTP: list[Explanation] = STRICTER

# Why a request is taken here that another reader refuses, or takes for the last one.
KINDER_THAN_H11: list[Explanation] = [
    ("empty lines before a request (section 2.2)", says(rb"(?:\A|\n)\r\n")),
    ("HTTP/1.0 with keep-alive, which h11 always ends with the response", says(rb"HTTP/1\.0\r\n")),
    ("an Upgrade that Connection does not name, which is none", says(rb"\nupgrade:")),
    ("a body behind an offer to upgrade", says(rb"\nconnection:[^\n]*upgrade")),
    ("octets behind the last request", says(rb"\nconnection:[^\n]*close")),
    ("a target with octets that h11 does not take", says(rb"^[^ \r\n]+ [^ \r\n]*[\x80-\xff]")),
    ("a Host that the gateway looks at, not the reader", says(rb"\nhost:")),
    ("extensions of chunks", says(rb"^[0-9a-f]+;")),
]
KINDER_THAN_LLHTTP: list[Explanation] = [
    ("a method that llhttp has not in its list (RFC 9110, section 9.1)", says(_LINE)),
    ("octets behind a request that closes", says(rb"\nconnection:[^\n]*close")),
]


def explained(data: bytes, explanations: list[Explanation]) -> bool:
    return any(holds(data) for _, holds in explanations)


# -- messages -------------------------------------------------------------------------------------

_GET = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"
_BITS = [
    *(b"\r\n", b"\n", b"\r", b" ", b"\t", b"\0", b"\x0b", b"\xff", b"\x7f", b":", b";", b","),
    *(b"=", b'"', b"+", b"-", b"_", b"0", b"3", b"a", b"x", b"chunked", b"HTTP/1.0", b"HTTP/1.1"),
    *(b"0\r\n\r\n", b"3\r\nabc\r\n", b"POST", b"Host: b\r\n", b"Content-Length: 3\r\n"),
    *(b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n", b"Connection: keep-alive\r\n"),
    *(b"Connection: upgrade\r\nUpgrade: x\r\n", b"Expect: 100-continue\r\n", _GET),
]


@st.composite
def mutated(draw: st.DrawFn, seeds: list[bytes], most: int) -> bytes:
    data = b"".join(draw(st.lists(st.sampled_from(seeds), min_size=1, max_size=most)))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        bit = draw(st.sampled_from(_BITS))
        removed = draw(st.sampled_from((0, 0, 1, 2, 5, len(bit))))
        inserted = bit if draw(st.integers(0, 3)) else b""
        data = data[:at] + inserted + data[at + removed :]
    return data


_REQUESTS = [case.data for case in (*HEADS, *BODIES) if len(case.data) < 1000]
_REQUESTS += [reading.data for reading in READINGS]
_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"
_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: 1\r\n\r\n"
_ANSWERS = [bad.data for bad in RESPONSES if len(bad.data) < 1000] + [
    *(_OK, _CHUNKED, b"HTTP/1.1 100 Continue\r\n\r\n" + _OK, b"HTTP/1.0 200 OK\r\n\r\nabc"),
    *(b"HTTP/1.1 204 No Content\r\n\r\n", b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n"),
]

CUTS = st.lists(st.integers(0, 400), max_size=5)


def compare(
    data: bytes,
    mine: Outcome,
    theirs: Outcome,
    stricter: list[Explanation],
    kinder: list[Explanation],
) -> None:
    """Whether the same messages are seen, as far as both see any; the rest has to be explained."""
    both = min(len(mine.messages), len(theirs.messages))
    assert mine.messages[:both] == theirs.messages[:both], "one message, two readings"
    if len(mine.messages) < len(theirs.messages) and not mine.is_over:
        assert mine.is_refused, "another reader sees a message where nothing is refused"
        assert explained(data, stricter), "refused here, and nobody knows why"
    if len(mine.messages) > len(theirs.messages):
        assert explained(data, kinder), "taken here, and nobody knows why"


@given(mutated(_REQUESTS, 3), CUTS)
def test_requests_are_read_as_by_others(data: bytes, cuts: list[int]) -> None:
    mine = ours(data, [])
    inside = sorted({cut for cut in cuts if cut < len(data)})
    assert ours(data, inside) == mine
    compare(data, mine, by_h11(data), STRICTER_THAN_H11, KINDER_THAN_H11)
    compare(data, mine, by_llhttp(data), STRICTER_THAN_LLHTTP, KINDER_THAN_LLHTTP)


# -- responses ------------------------------------------------------------------------------------

# Why a response is refused here that another reader takes.
BAD_FOR_US: list[Explanation] = [
    ("a status line that is none (RFC 9112, section 4)", has_odd_status_line),
    ("a coding other than chunked, or with ornaments", says(rb"\ntransfer-encoding:")),
    ("octets behind the end: the connection might be another's", has_more),
    ("an upgrade that nobody asked for", says(rb"HTTP/1\.[01] 101")),
    ("a line end that is a bare LF", says(rb"(?<!\r)\n")),
    ("a bare CR", says(rb"\r(?!\n)")),
    ("a folded line", says(rb"\r\n[ \t]")),
    ("lengths that differ, or are none", says(rb"\ncontent-length:")),
    ("chunks or trailers that are malformed", says(rb"chunked")),
    ("a name or value with octets that it may not have", says(rb"[^\t\r\n -~\x80-\xff]")),
    ("a name that is none", says(rb"\n[^:\r\n]*[^!#$%&'*+\-.^_`|~0-9A-Za-z:\r\n]")),
    ("a line without a colon or a name", says(rb"\n(?::|[^:\r\n]+\r\n)")),
]
# Why one is taken here that another reader refuses.
GOOD_FOR_US: list[Explanation] = [
    ("equal lengths, which are one (RFC 9110, section 8.6)", says(rb"\ncontent-length:")),
    ("fields about framing in an interim head, which are left out", says(rb"HTTP/1\.[01] 1")),
    ("a body where none is allowed, left out with its connection", says(rb"HTTP/1\.[01] [23]04")),
    ("a status or phrase that h11 does not take", says(rb"\AHTTP/1\.[01] [0-9]{3}")),
]


@given(mutated(_ANSWERS, 2), CUTS, st.booleans())
@example(b"HTTP/1.1 103  H\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", [], False)
def test_responses_are_read_as_by_others(data: bytes, cuts: list[int], ends: bool) -> None:
    mine = our_response(data, [], ends=ends)
    inside = sorted({cut for cut in cuts if cut < len(data)})
    again = our_response(data, inside, ends=ends)
    # What comes behind a response, in a piece of its own, ends the connection and not the response.
    if mine.messages and again.messages:
        assert again.messages == mine.messages
    for theirs in (h11_response(data, ends=ends), llhttp_response(data, ends=ends)):
        if mine.messages and theirs.messages:
            assert mine.messages[0] == theirs.messages[0], "one response, two readings"
        elif theirs.messages:
            assert explained(data, BAD_FOR_US), "refused here, and nobody knows why"
        elif mine.messages:
            assert explained(data, GOOD_FOR_US), "taken here, and nobody knows why"
