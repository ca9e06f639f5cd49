"""Which failures of a call to a webhook are tried again, without a webhook."""

from __future__ import annotations

from typing import Any, Self

import aiohttp
import pytest

from hearth.cluster.admission.caller import Caller, CallError
from hearth.cluster.admission.registrations import Target

TARGET = Target(url="https://hook.example/")


def unwritten(cause: OSError) -> aiohttp.ClientOSError:
    """What aiohttp raises when the body of a request cannot be written."""
    error = aiohttp.ClientOSError(
        cause.errno, "Can not write request body for https://hook.example/"
    )
    error.__cause__ = cause
    return error


class Session:
    """Fails as often as it has errors, then answers; counts how often it was asked."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.asked = 0
        self.status = 200

    def post(self, *_: Any, **__: Any) -> Self:
        self.asked += 1
        return self

    async def __aenter__(self) -> Self:
        if self.errors:
            raise self.errors.pop(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def read(self) -> bytes:
        return b"answer"


class SessionCaller(Caller):
    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session

    def _open(self) -> Any:
        return self.session


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(aiohttp.ServerDisconnectedError(), id="disconnected"),
        pytest.param(
            unwritten(aiohttp.ClientConnectionResetError("Cannot write to closing transport")),
            id="closing-before-the-body",
        ),
        pytest.param(unwritten(BrokenPipeError(32, "Broken pipe")), id="broken-pipe"),
    ],
)
async def test_a_kept_connection_that_closed_is_no_failure(error: Exception) -> None:
    session = Session(error)
    assert await SessionCaller(session).post(TARGET, b"{}", timeout_seconds=1) == b"answer"
    assert session.asked == 2


async def test_a_webhook_that_closes_twice_is_a_failure() -> None:
    reset = aiohttp.ClientConnectionResetError("Cannot write to closing transport")
    session = Session(unwritten(reset), unwritten(reset))
    with pytest.raises(CallError, match="read tcp: connection reset by peer"):
        await SessionCaller(session).post(TARGET, b"{}", timeout_seconds=1)
    assert session.asked == 2
