"""What ArangoDB's cursor has."""

from __future__ import annotations

import pytest

from hearth.keda.scalers.arangodb import value_of
from hearth.keda.scalers.seam import ScalerError


def test_the_value_of_the_only_document():
    assert value_of({"result": [{"value": 4.5}]}) == 4.5


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "more than one values received"),
        ([{"value": 1}, {"value": 2}], "more than one values received"),
        ([5], "not in the specified format"),
        ([{"value": "many"}], "no number"),
    ],
)
def test_what_is_no_value(rows, words):
    with pytest.raises(ScalerError, match=words):
        value_of({"result": rows})
