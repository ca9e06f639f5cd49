"""Records of DynamoDB Streams as events."""

from __future__ import annotations

import datetime
import json
from typing import Any

from eventing.sources.integration.aws.records import record_event, value_of

EMPTY: dict[str, Any] = {"ss": [], "ns": [], "bs": [], "l": [], "m": {}}


def test_values_are_written_as_the_java_sdk_does() -> None:
    assert value_of({"S": "a"}) == {"s": "a", **EMPTY, "type": "S"}
    assert value_of({"BOOL": False}) == {"bool": False, **EMPTY, "type": "BOOL"}
    assert value_of({"NULL": True}) == {"nul": True, **EMPTY, "type": "NUL"}
    assert value_of({"B": b"\xff"}) == {"b": "/w==", **EMPTY, "type": "B"}
    assert value_of({"BS": [b"a"]}) == {**EMPTY, "bs": ["YQ=="], "type": "BS"}
    assert value_of({"NS": ["1"]}) == {**EMPTY, "ns": ["1"], "type": "NS"}
    nested = value_of({"M": {"x": {"L": [{"N": "1"}]}}})
    assert nested["m"]["x"]["l"] == [{"n": "1", **EMPTY, "type": "N"}]


def test_an_event_tells_of_a_record() -> None:
    moment = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)
    record = {
        "eventID": "e1",
        "eventName": "INSERT",
        "awsRegion": "r",
        "dynamodb": {
            "ApproximateCreationDateTime": moment,
            "Keys": {"id": {"S": "ü"}},
            "SequenceNumber": "7",
            "SizeBytes": 3,
        },
        "userIdentity": {"type": "Service"},
    }
    event = record_event(record, {"team": "one"})
    assert event.attributes["id"] == "e1" and event.attributes["team"] == "one"
    assert event.attributes["time"] == "2026-01-02T00:00:00Z"
    data = json.loads(event.data or b"")
    assert data == {
        "eventID": "e1",
        "eventName": "INSERT",
        "awsRegion": "r",
        "dynamodb": {
            "approximateCreationDateTime": moment.timestamp(),
            "keys": {"id": {"s": "ü", **EMPTY, "type": "S"}},
            "newImage": {},
            "oldImage": {},
            "sequenceNumber": "7",
            "sizeBytes": 3,
        },
    }
