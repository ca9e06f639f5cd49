"""Which statuses may be written a moment later."""

from __future__ import annotations

from typing import Any

import pytest

from serving.kinds.status import is_ready_otherwise, is_without_news, names_otherwise


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


@pytest.mark.parametrize(
    ("after", "is_so"),
    [
        pytest.param(an_object(Ready="Unknown", A="True"), False, id="a part"),
        pytest.param(an_object(Ready="True"), True, id="ready"),
        pytest.param(an_object(Ready="Unknown:Why"), True, id="why"),
        pytest.param(
            {**an_object(Ready="Unknown"), "metadata": {"labels": {"a": "b"}}}, True, id="labels"
        ),
    ],
)
def test_who_goes_by_ready_is_not_told_of_other_words(after: dict[str, Any], is_so: bool) -> None:
    before = {"metadata": {}, **an_object(Ready="Unknown")}
    assert is_ready_otherwise(before, {"metadata": {}, **after}) is is_so


@pytest.mark.parametrize(
    ("status", "is_so"),
    [
        pytest.param({}, False, id="nothing"),
        pytest.param({"observedGeneration": 2}, False, id="other words"),
        pytest.param({"latestCreatedRevisionName": "b"}, True, id="created"),
        pytest.param({"latestReadyRevisionName": "b"}, True, id="ready"),
        pytest.param({"conditions": [{"type": "Ready", "status": "False"}]}, True, id="failed"),
    ],
)
def test_who_goes_by_the_latest_revisions_is_told_of_them(
    status: dict[str, Any], is_so: bool
) -> None:
    assert names_otherwise({"metadata": {}}, {"metadata": {}, "status": status}) is is_so
