"""Fields to heads and back. What is refused stands in the component tests, case by case."""

from __future__ import annotations

import pytest

from activator.http.events import UNKNOWN, FieldBlock, RequestHead
from activator.http.h1.fieldtable import FieldTable
from activator.http.h2.codes import Code, StreamFault
from activator.http.h2.decoder import Block
from activator.http.h2.requests import read_request, read_trailers, request_fields
from activator.http.refusals import FramingError

TABLE = FieldTable(taken=(b"x-taken",), dropped=(b"x-dropped",))
HEAD = [
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", b"/a?b"),
    (b":authority", b"a.b:80"),
]


def read(*fields: tuple[bytes, bytes], end: bool = False) -> RequestHead:
    return read_request(1, Block([*HEAD, *fields], False), TABLE, end)


def test_a_head() -> None:
    head = read((b"x-a", b"1"), (b"cookie", b"a=b"), (b"te", b"trailers"), (b"cookie", b"c=d"))
    assert (head.method, head.target, head.authority) == (b"POST", b"/a?b", b"a.b:80")
    assert head.fields == [(b"x-a", b"1"), (b"cookie", b"a=b; c=d")]
    assert (head.length, head.has_length, head.wants_trailers) == (UNKNOWN, False, True)
    assert head.taken is None


def test_what_the_application_asked_for() -> None:
    head = read((b"x-taken", b"1"), (b"x-dropped", b"2"), (b"x-taken", b"3"))
    assert head.taken == {b"x-taken": b"1, 3"}
    assert head.fields == []


def test_lengths() -> None:
    assert read((b"content-length", b"7")).length == 7
    head = read((b"content-length", b"0"), end=True)
    assert (head.length, head.has_length) == (0, False)
    assert read(end=True).length == 0
    with pytest.raises(StreamFault) as fault:
        read((b"content-length", b"7"), end=True)
    assert fault.value.code is Code.PROTOCOL_ERROR


def test_a_block_is_read_once_and_every_head_is_its_own() -> None:
    block = Block([*HEAD, (b"x-a", b"1")], False)
    first, second = (read_request(number, block, TABLE, True) for number in (1, 3))
    first.authority = b"other"
    first.fields = []
    first.blocks = (FieldBlock.of([(b"x-b", b"2")]),)
    assert second.authority == b"a.b:80"
    assert second.fields == [(b"x-a", b"1")]
    assert read_request(5, block, TABLE, False).length == UNKNOWN


def test_every_slot_of_a_head_is_copied() -> None:
    head = read()
    # Compiled, a class does not tell its slots.
    names = [name for name in dir(RequestHead) if not name.startswith("__")]
    slots = [name for name in names if not callable(getattr(RequestHead, name))]
    assert "method" in slots
    for slot in slots:
        assert hasattr(head, slot), slot


def test_trailers_that_may_not_be_passed_on_are_left_out() -> None:
    block = Block([(b"x-t", b"1"), (b"content-length", b"9"), (b"x-no", b"2")], False)
    assert read_trailers(1, block, frozenset((b"x-no",))) == [(b"x-t", b"1")]


def test_a_head_to_be_sent() -> None:
    head = RequestHead.of(b"POST", b"/p", b"a.b", blocks=(FieldBlock.of([(b"X-B", b"2")]),))
    head.fields = [(b"X-A", b"1 "), (b"x-c", b"3")]
    head.length, head.has_length = 4, True
    head.wants_trailers = head.expects_continue = True
    assert request_fields(head) == [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", b"/p"),
        (b":authority", b"a.b"),
        (b"x-b", b"2"),
        (b"x-a", b"1"),
        (b"x-c", b"3"),
        (b"content-length", b"4"),
        (b"te", b"trailers"),
        (b"expect", b"100-continue"),
    ]


def test_what_was_read_is_sent_as_it_came() -> None:
    fields = [(b"x-a", b"1"), (b"content-type", b"application/grpc"), (b"te", b"trailers")]
    assert sorted(request_fields(read(*fields))) == sorted([*HEAD, *fields])


def test_an_expectation_that_is_not_known_is_refused_and_the_known_one_passed_on() -> None:
    known = read((b"expect", b"100-Continue"))
    assert known.expects_continue
    with pytest.raises(FramingError) as error:
        read((b"expect", b"y 100-continue"))
    assert error.value.refusal.status == 417
