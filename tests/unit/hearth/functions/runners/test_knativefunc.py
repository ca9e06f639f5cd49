"""What Hearth adds to Knative func's middleware: what a function raises is logged, not answered."""

from __future__ import annotations

from typing import Any

import pytest

from hearth.functions.runners.knativefunc import guarded, made_by


class Answer:
    """What was sent; as func-python's, ``http`` takes what is no event."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    async def __call__(self, event: Any) -> None:
        raise AssertionError("no event was sent")

    async def http(self, message: dict[str, Any]) -> None:
        self.sent.append(message)


class Function:
    async def handle(self, scope: Any, receive: Any, send: Any) -> None:
        raise ValueError("secret words")


async def test_what_a_function_raises_is_logged_and_not_answered(
    caplog: pytest.LogCaptureFixture,
) -> None:
    answer = Answer()
    new = made_by(Function)
    await new().handle({}, None, answer)
    assert new.__name__ == "new"
    assert [each.get("status") for each in answer.sent] == [500, None]
    assert answer.sent[1]["body"] == b"the function failed"
    assert "ValueError: secret words" in caplog.text
    assert "Traceback" in caplog.text


async def test_an_answer_that_has_begun_is_left() -> None:
    """The server ends it then."""

    async def handle(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError

    async def refusing(message: dict[str, Any]) -> None:
        raise RuntimeError("it has begun")

    await guarded(handle)({}, None, refusing)
    assert guarded(handle).__name__ == "handle"
