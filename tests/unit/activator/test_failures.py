"""Answers of our own."""

from __future__ import annotations

import pytest

from activator.failures import (
    ALL_FAILURES,
    NO_ENDPOINTS,
    QUEUE_FULL,
    UNKNOWN_HOST,
    grpc_answer,
    is_grpc,
    refusal_answer,
    text_answer,
)


def test_reasons_are_unique_and_shown() -> None:
    assert len({refusal.reason for refusal in ALL_FAILURES}) == len(ALL_FAILURES)
    for refusal in ALL_FAILURES:
        head = refusal_answer(refusal)
        assert head.status == refusal.status
        assert (b"x-hearth-error", refusal.reason.encode()) in head.fields
        assert head.closes == refusal.closes
        assert head.body == refusal.text.encode()


def test_the_server_halfs_refusals_are_among_them() -> None:
    assert {"bad-request", "head-too-large", "queue-full"} <= {r.reason for r in ALL_FAILURES}


def test_a_text_answer() -> None:
    assert text_answer(200, "ok").wire == (
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-type: text/plain; charset=utf-8\r\n\r\nok"
    )


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (b"application/grpc", True),
        (b"application/grpc+proto", True),
        (b"application/grpc;charset=utf-8", True),
        (b"application/grpc-web", False),
        (b"application/json", False),
    ],
)
def test_which_requests_are_of_grpc(kind: bytes, expected: bool) -> None:
    assert is_grpc([(b"content-type", kind)]) is expected
    assert not is_grpc([])


def test_answers_to_grpc() -> None:
    head = grpc_answer(QUEUE_FULL)
    fields = dict(head.fields)
    assert (head.status, head.body) == (200, b"")
    assert fields[b"grpc-status"] == b"14"
    assert fields[b"grpc-message"] == b"pending request queue full"
    assert fields[b"x-hearth-error"] == b"queue-full"
    assert fields[b"retry-after"] == b"1"
    assert dict(grpc_answer(UNKNOWN_HOST).fields)[b"grpc-status"] == b"12"
    assert dict(grpc_answer(NO_ENDPOINTS).fields)[b"grpc-status"] == b"14"
