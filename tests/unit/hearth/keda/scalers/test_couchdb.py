"""Selectors of CouchDB."""

from __future__ import annotations

import pytest

from hearth.keda.scalers.couchdb import request_of
from hearth.keda.scalers.seam import ScalerError


def test_a_selector_and_its_fields():
    assert request_of('{"selector": {"a": 1}}') == {"selector": {"a": 1}, "fields": ["_id"]}
    assert request_of('{"selector": {}, "fields": ["a"]}')["fields"] == ["a"]


@pytest.mark.parametrize("query", ["", "[]", "{}", "no json"])
def test_what_is_no_query(query):
    with pytest.raises(ScalerError, match="error unmarshaling query"):
        request_of(query)
