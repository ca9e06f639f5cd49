"""What Dynatrace answers."""

from __future__ import annotations

import pytest

from hearth.keda.scalers.dynatrace import metric_of, record_of
from hearth.keda.scalers.seam import ScalerError


def test_the_first_value_of_the_first_series():
    assert metric_of({"result": [{"data": [{"values": [4.5, 3]}]}]}) == 4.5


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({"result": []}, "does not contain any results"),
        ({"result": [{"data": []}]}, "does not contain any metric series"),
        ({"result": [{"data": [{"values": []}]}]}, "does not contain any values"),
        ({"result": [{"data": [{"values": [None]}]}]}, "no number"),
    ],
)
def test_what_is_no_value(found, words):
    with pytest.raises(ScalerError, match=words):
        metric_of(found)


@pytest.mark.parametrize("state", ["RUNNING", "NOT_STARTED"])
def test_a_query_that_runs_has_no_value_yet(state):
    assert record_of({"state": state}) is None


def test_the_first_record_has_the_value():
    assert record_of({"state": "SUCCEEDED", "result": {"records": [{"r": 3}]}}) == 3


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("SUCCEEDED", "empty result"),
        ("FAILED", "query failed"),
        ("CANCELLED", "query was cancelled"),
        ("RESULT_GONE", "result expired"),
        ("SLEEPING", "unknown state: SLEEPING"),
    ],
)
def test_a_query_that_has_no_value(state, words):
    with pytest.raises(ScalerError, match=f"error executing DQL query: {words}"):
        record_of({"state": state})
