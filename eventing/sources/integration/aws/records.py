"""Records of DynamoDB Streams as events, in the shape that Knative's connector gives them. Pure."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from eventing.api.integrationevents import DDB_STREAMS
from eventing.codec import Event
from eventing.sources.integration.events import event_of

_LISTS = ("ss", "ns", "bs", "l")
_FIELDS = {"BOOL": "bool", "NULL": "nul"}


def created(record: Mapping[str, Any]) -> float:
    """Return when a record was made, in Unix seconds; it is known to the second."""
    moment = record["dynamodb"].get("ApproximateCreationDateTime")
    return moment.timestamp() if moment is not None else 0.0


def record_event(record: Mapping[str, Any], overrides: Mapping[str, str]) -> Event:
    """Return the event of a record; one that is read again has the same id."""
    data = json.dumps(record_data(record), separators=(",", ":"), ensure_ascii=False).encode()
    when = created(record)
    return event_of(
        DDB_STREAMS, record["eventID"], when, "application/json", data, overrides=overrides
    )


def record_data(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record in JSON: AWS's names with a small letter at their beginning."""
    told: dict[str, Any] = {name: value for name, value in record.items() if isinstance(value, str)}
    change = record["dynamodb"]
    told["dynamodb"] = {
        "approximateCreationDateTime": created(record),
        **{
            field[0].lower() + field[1:]: {k: value_of(v) for k, v in change.get(field, {}).items()}
            for field in ("Keys", "NewImage", "OldImage")
        },
        **{
            field[0].lower() + field[1:]: change[field]
            for field in ("SequenceNumber", "SizeBytes", "StreamViewType")
            if field in change
        },
    }
    return told


def value_of(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return an attribute's value as the AWS SDK for Java writes it: what is empty is there too."""
    [(kind, given)] = value.items()
    told: dict[str, Any] = {_FIELDS.get(kind, kind.lower()): _plain(kind, given)}
    told |= {field: [] for field in _LISTS if field not in told}
    told.setdefault("m", {})
    return {**told, "type": "NUL" if kind == "NULL" else kind}


def _plain(kind: str, given: Any) -> Any:
    match kind:
        case "B":
            return base64.b64encode(given).decode()
        case "BS":
            return [base64.b64encode(each).decode() for each in given]
        case "M":
            return {name: value_of(each) for name, each in given.items()}
        case "L":
            return [value_of(each) for each in given]
        case _:
            return given
