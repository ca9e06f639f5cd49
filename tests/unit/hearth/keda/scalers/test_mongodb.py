"""Addresses and queries of MongoDB."""

from __future__ import annotations

import pytest

from hearth.keda.scalers.mongodb import Settings, filter_of
from hearth.keda.scalers.params import read_params
from hearth.keda.scalers.seam import ScalerError, TriggerConfig

SAID = {
    "dbName": "jobs",
    "collection": "c",
    "query": "{}",
    "queryValue": "1",
    "host": "h",
    "port": "27017",
    "username": "me",
    "password": "a/b@c",
}


def uri(**said):
    return read_params(Settings, TriggerConfig("mongodb", {**SAID, **said})).uri()


def test_addresses():
    assert uri() == "mongodb://me:a%2Fb%40c@h:27017/jobs"
    assert uri(scheme="mongodb+srv") == "mongodb+srv://me:a%2Fb%40c@h/jobs"
    assert uri(connectionString="mongodb://other") == "mongodb://other"


def test_queries_are_extended_json():
    found = filter_of(
        '{"at": {"$gt": {"$date": "2026-01-02T03:04:05Z"}}, "n": {"$numberLong": "5"}}'
    )
    assert found["at"]["$gt"].year == 2026
    assert found["n"] == 5


@pytest.mark.parametrize("query", ["", "{}", "[]", "no json", '{"a": {"$oid": "x"}}'])
def test_what_is_no_query(query):
    with pytest.raises(ScalerError, match="failed to parse query"):
        filter_of(query)
