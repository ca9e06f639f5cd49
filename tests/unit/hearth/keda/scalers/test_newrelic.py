"""What New Relic answers."""

from __future__ import annotations

import pytest

from hearth.keda.scalers.newrelic import Settings, value_of
from hearth.keda.scalers.params import read_params
from hearth.keda.scalers.seam import ScalerError, TriggerConfig


def settings(**said):
    said = {"account": "1", "nrql": "SELECT", "threshold": "1", "queryKey": "k", **said}
    return read_params(Settings, TriggerConfig("new-relic", said))


def answer(*rows):
    return {"data": {"actor": {"account": {"nrql": {"results": list(rows)}}}}}


def test_the_first_number_of_the_first_row():
    assert value_of(answer({"facet": "a", "count": 4}, {"count": 9}), settings()) == 4


@pytest.mark.parametrize("found", [answer(), answer({"facet": "a"})])
def test_nothing_is_zero_or_an_error(found):
    assert value_of(found, settings()) == 0
    with pytest.raises(ScalerError, match=r"query returned no .*results: SELECT"):
        value_of(found, settings(noDataError="true"))


def test_an_error_inside_an_answer():
    with pytest.raises(ScalerError, match="error running NRQL SELECT: no such event"):
        value_of({"errors": [{"message": "no such event"}]}, settings())
