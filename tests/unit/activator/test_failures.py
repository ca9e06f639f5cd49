"""Answers of our own."""

from __future__ import annotations

from activator.failures import ALL_FAILURES, refusal_answer, text_answer


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
