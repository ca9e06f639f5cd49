from __future__ import annotations

import pytest

from activator.http.events import BodyForm, FieldsHead, ResponseHead
from activator.http.h1.writing import response_head as h1_head
from activator.http.h2.codes import StreamFault
from activator.http.h2.decoder import Block
from activator.http.h2.responses import read_response, response_fields, response_head


def read(*fields: tuple[bytes, bytes]) -> ResponseHead:
    return response_head(read_response(1, Block(list(fields), False)))


def test_a_head_is_written_to_http1_as_any_other() -> None:
    head = read((b":status", b"200"), (b"x-a", b"1"), (b"content-length", b"3"))
    head.add(b"X-Added", b"2")
    assert (head.status, head.form) == (200, BodyForm.SIZED)
    assert not head.is_verbatim
    assert h1_head(head) == (
        b"HTTP/1.1 200 OK\r\nx-a: 1\r\ncontent-length: 3\r\nx-added: 2\r\n\r\n"
    )


def test_without_a_length_the_end_tells() -> None:
    assert read((b":status", b"200")).form is BodyForm.OPEN
    assert read((b":status", b"204")).form is BodyForm.SIZED
    assert read((b":status", b"103")).form is BodyForm.SIZED


def test_a_head_that_was_read_once_is_not_changed_by_who_adds_to_it() -> None:
    block = Block([(b":status", b"200"), (b"x-a", b"1")], False)
    for _ in range(2):
        head = response_head(read_response(1, block), b"body")
        head.add(b"x-b", b"2")
        assert head.fields == [(b"x-a", b"1"), (b"x-b", b"2")]
        assert head.body == b"body"


def test_equal_lengths_are_one() -> None:
    lengths = [(b"content-length", b"3")] * 2
    assert read_response(1, Block([(b":status", b"200"), *lengths], False)).length == 3


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param([], id="nothing"),
        pytest.param([(b"x-a", b"1")], id="no-status"),
        pytest.param([(b":status", b"20")], id="short-status"),
        pytest.param([(b":status", b"099")], id="status-below-100"),
        pytest.param([(b":status", b"101")], id="switching"),
        pytest.param([(b":status", b"200"), (b":status", b"200")], id="status-twice"),
        pytest.param([(b"x-a", b"1"), (b":status", b"200")], id="status-behind"),
        pytest.param([(b":status", b"200"), (b"X-A", b"1")], id="uppercase"),
        pytest.param([(b":status", b"200"), (b"x-a", b"1\r\nx-b: 2")], id="line-end"),
        pytest.param([(b":status", b"200"), (b"connection", b"close")], id="connection"),
        pytest.param([(b":status", b"200"), (b"transfer-encoding", b"chunked")], id="coding"),
        pytest.param([(b":status", b"200"), (b"content-length", b"x")], id="length"),
        pytest.param(
            [(b":status", b"200"), (b"content-length", b"1"), (b"content-length", b"2")],
            id="two-lengths",
        ),
    ],
)
def test_what_is_no_response(fields: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(StreamFault):
        read(*fields)


def test_a_head_of_http1_as_fields() -> None:
    wire = b"HTTP/1.1 200 OK\r\nX-A: 1\r\nConnection: x-b\r\nX-B: 2\r\n\r\nbody"
    head = ResponseHead(200, wire, len(wire) - 4, False)
    assert response_fields(head) == [(b":status", b"200"), (b"x-a", b"1")]
    # The second time from memory, which a change does not reach.
    head.add(b"X-C", b"3")
    assert response_fields(head)[-1] == (b"x-c", b"3")
    assert response_fields(FieldsHead(204, [(b"x-a", b"1")])) == [
        (b":status", b"204"),
        (b"x-a", b"1"),
    ]
