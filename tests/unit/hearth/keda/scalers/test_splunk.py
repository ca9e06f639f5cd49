"""Results of saved searches of Splunk."""

from __future__ import annotations

import pytest

from hearth.keda.scalers.seam import ScalerError
from hearth.keda.scalers.splunk import value_of


def test_the_first_result_counts():
    assert value_of('{"result": {"count": "4.5"}}\n{"result": {"count": "9"}}\n', "count") == 4.5


@pytest.mark.parametrize("text", ["", "{}", '{"result": {"other": "1"}}', "[]", "no json"])
def test_a_field_that_is_not_there(text):
    with pytest.raises(ScalerError, match="field: count not found in search results"):
        value_of(text, "count")


def test_a_field_that_is_no_number():
    with pytest.raises(ScalerError, match="no number: 'many'"):
        value_of('{"result": {"count": "many"}}', "count")
