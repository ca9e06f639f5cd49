"""What Datadog and its cluster agent answer."""

from __future__ import annotations

import json

import httpx
import pytest

from hearth.keda.scalers.datadog import Settings, agents_value, answered, value_of
from hearth.keda.scalers.http import Answer
from hearth.keda.scalers.params import read_params
from hearth.keda.scalers.seam import ScalerError, TriggerConfig


def settings(**said):
    return read_params(Settings, TriggerConfig("datadog", {"query": "a{b}", **said}))


def series(*points):
    return {"pointlist": [[1000.0 + i, value] for i, value in enumerate(points)]}


def answer(status: int, found: object, **headers: str) -> Answer:
    return Answer(status, httpx.Headers(headers), json.dumps(found).encode(), "here")


@pytest.mark.parametrize(
    ("found", "said", "value"),
    [
        ([series(1, 2, None)], {}, 2),
        ([series(1, 2, 3)], {"lastAvailablePointOffset": "1"}, 2),
        ([series(1), series(4)], {"queryAggregator": "max"}, 4),
        ([series(1), series(4)], {"queryAggregator": "average"}, 2.5),
        ([], {"metricUnavailableValue": "7"}, 7),
        ([series(None)], {"metricUnavailableValue": "0"}, 0),
    ],
)
def test_the_newest_values(found, said, value):
    assert value_of({"status": "ok", "series": found}, settings(**said)) == value


@pytest.mark.parametrize(
    ("found", "said", "words"),
    [
        ({"series": []}, {}, "no Datadog metrics returned"),
        ({"series": [series(None)]}, {}, "no Datadog metrics returned"),
        ({"series": [series(1), series(2)]}, {}, "query returned more than 1 series"),
        ({"series": [series(1)]}, {"lastAvailablePointOffset": "3"}, "index is smaller"),
        ({"status": "error", "error": "bad query"}, {}, "error when retrieving.*bad query"),
    ],
)
def test_what_is_no_value(found, said, words):
    with pytest.raises(ScalerError, match=words):
        value_of(found, settings(**said))


@pytest.mark.parametrize(
    ("status", "words"),
    [(403, "unauthorized to connect"), (422, "error when retrieving"), (500, "error when retr")],
)
def test_refusals(status, words):
    with pytest.raises(ScalerError, match=words):
        answered(answer(status, {}), settings())


def test_the_rate_limit_says_when_it_ends():
    limited = {"X-Ratelimit-Limit": "10", "X-Ratelimit-Period": "60", "X-Ratelimit-Reset": "5"}
    with pytest.raises(ScalerError, match=r"10 queries per 60 seconds .* happen in 5 seconds"):
        answered(answer(429, {}, **limited), settings())


@pytest.mark.parametrize("status", [200, 422])
def test_what_stands_for_a_value_that_is_not_there(status):
    found = answer(status, {"series": []})
    assert answered(found, settings(metricUnavailableValue="3")) == 3


@pytest.mark.parametrize(("said", "value"), [(2, 2), ("1500m", 1.5)])
def test_the_agent_has_numbers_and_quantities(said, value):
    assert agents_value(answer(200, {"items": [{"value": said}]}), settings()) == value


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (answer(200, {"items": []}), "got: 'Null'"),
        (answer(200, {"items": [{"value": "many"}]}), "got: 'many'"),
        (answer(404, {}), "unexpected status code 404"),
        (answer(422, {}), "unexpected status code 422"),
    ],
)
def test_what_of_the_agent_is_no_value(found, words):
    with pytest.raises(ScalerError, match=words):
        agents_value(found, settings())
