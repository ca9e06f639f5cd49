"""When the client sends a request again by itself."""

from __future__ import annotations

import pytest

from hearth.kube.client import wait_asked_for


@pytest.mark.parametrize(
    ("status", "retry_after", "seconds"),
    [
        pytest.param(429, "1", 1.0, id="priority and fairness"),
        pytest.param(503, "3", 3.0, id="a server that starts"),
        pytest.param(429, "600", 10.0, id="no longer than our own bound"),
        pytest.param(429, "0", 0.0, id="at once"),
        pytest.param(429, None, None, id="a disruption budget names no time"),
        pytest.param(500, None, None, id="a failure"),
        pytest.param(409, "1", None, id="a conflict is the reconciler's to look at"),
        pytest.param(429, "Wed, 21 Oct 2026 07:28:00 GMT", None, id="a date"),
        pytest.param(429, "-1", None, id="nonsense"),
        pytest.param(200, "1", None, id="an answer"),
    ],
)
def test_what_is_put_off(status: int, retry_after: str | None, seconds: float | None) -> None:
    assert wait_asked_for(status, retry_after) == seconds
