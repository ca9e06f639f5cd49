"""Writing while others write the same: who was first is no complaint."""

from __future__ import annotations

import pytest

from hearth.kube import keptfiles
from hearth.kube.errors import AlreadyExists, ApiError, Conflict, Unavailable
from hearth.kube.keptfiles import tried


class Answers:
    """Gives one answer of an API server after the other."""

    def __init__(self, *answers: ApiError | None) -> None:
        self.left = list(answers)

    async def write(self) -> None:
        answer = self.left.pop(0)
        if answer is not None:
            raise answer


@pytest.mark.parametrize("kind", [AlreadyExists, Conflict])
async def test_where_another_was_first_nothing_is_said(
    kind: type[ApiError], caplog: pytest.LogCaptureFixture
) -> None:
    answers = Answers(kind({"message": "there is one", "code": 409}))
    assert not await tried(answers.write, {})
    assert caplog.messages == []


async def test_a_server_that_is_away_is_asked_again_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(keptfiles, "_RETRY_SECONDS", 0.0)
    answers = Answers(Unavailable({"message": "away", "code": 503}), None)
    assert await tried(answers.write, {"secret": "a/b"})
    assert caplog.messages == ["not written yet"]
    assert answers.left == []
