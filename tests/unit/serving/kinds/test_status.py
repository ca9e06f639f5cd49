"""Which statuses may be written a moment later."""

from __future__ import annotations

from typing import Any

import pytest

from serving.kinds.status import is_without_news


def an_object(**conditions: str) -> dict[str, Any]:
    made = [
        {"type": kind, "status": status, "reason": reason}
        for kind, (status, _, reason) in ((k, v.partition(":")) for k, v in conditions.items())
    ]
    return {"status": {"conditions": made}}


@pytest.mark.parametrize(
    ("stored", "changed", "can_wait"),
    [
        pytest.param({}, an_object(Ready="Unknown"), True, id="the first words"),
        pytest.param(
            an_object(Ready="Unknown:Deploying"), an_object(Ready="Unknown:Queued"), True, id="why"
        ),
        pytest.param(
            an_object(Ready="Unknown"), an_object(Ready="Unknown", A="True"), True, id="a part"
        ),
        pytest.param(an_object(Ready="Unknown"), an_object(Ready="True"), False, id="ready"),
        pytest.param({}, an_object(Ready="False"), False, id="failed at once"),
        pytest.param(an_object(Ready="True"), an_object(Ready="Unknown"), False, id="no longer"),
    ],
)
def test_news_is_what_ready_says(
    stored: dict[str, Any], changed: dict[str, Any], can_wait: bool
) -> None:
    assert is_without_news(stored, changed) is can_wait
