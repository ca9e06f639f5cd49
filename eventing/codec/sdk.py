"""To and from the event class of the ``cloudevents`` SDK, for code of users that has it.

Imported by who needs it: the SDK is an extra (``pip install hearth-serving[events]``). Brokers do
without, see ``codec.binary``.

What the SDK's class cannot hold: a leap second (refused), and fractions of a second beyond
microseconds (cut off). What a Python value means is settled by the data's type: of a JSON type a
string is a JSON string, never text that holds JSON; of another type it is the text; bytes are the
bytes.
"""

from __future__ import annotations

import base64
import datetime
import json
from typing import Any

from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.exceptions import CloudEventValidationError
from cloudevents.core.v03 import event as v03
from cloudevents.core.v1 import event as v1

from eventing.codec.event import (
    AttributeValue,
    CodecError,
    Event,
    check_attributes,
    check_name,
    check_text,
    is_json,
    text_of,
)

_JSON = "application/json"


def to_sdk(event: Event) -> BaseCloudEvent:
    """Return the SDK's event; JSON is parsed, text is decoded, all else stays bytes.

    Raises CodecError for a time that ``datetime`` cannot hold.
    """
    attributes: dict[str, Any] = dict(event.attributes)
    has_time = "time" in attributes
    if has_time:
        attributes["time"] = _moment(text_of(attributes["time"]))
    data = _value(event)
    try:
        if attributes["specversion"] == "0.3":
            made: BaseCloudEvent = v03.CloudEvent(attributes, data)
        else:
            made = v1.CloudEvent(attributes, data)
    except CloudEventValidationError as error:
        raise CodecError(f"the SDK does not take the event: {error}") from error
    if not has_time:
        made.get_attributes().pop("time", None)  # the SDK makes one up
    return made


def _moment(text: str) -> datetime.datetime:
    try:
        return datetime.datetime.fromisoformat(text.upper())
    except ValueError as error:
        raise CodecError(f'"{text}" is no moment in Python', attribute="time") from error


def _value(event: Event) -> Any:
    data, kind = event.data, event.text("datacontenttype")
    if data is None or kind is None:
        return data
    try:
        if is_json(kind):
            return json.loads(data)
        return data.decode() if kind.strip().lower().startswith("text/") else data
    except ValueError:
        return data


def from_sdk(event: BaseCloudEvent) -> Event:
    """Return the event of the SDK's one. Raises CodecError naming the attribute at fault."""
    attributes: dict[str, AttributeValue] = {}
    for name, value in event.get_attributes().items():
        if value is not None:
            check_name(name)
            attributes[name] = _attribute(name, value)
    data = _data(event.get_data(), attributes)
    check_attributes(attributes)
    return Event(attributes, data)


def _attribute(name: str, value: Any) -> AttributeValue:
    if isinstance(value, datetime.datetime):
        if value.tzinfo is None:
            raise CodecError("needs a time zone", attribute=name)
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, bool | int):
        return value
    if not isinstance(value, str):
        raise CodecError(f"has a value of type {type(value).__name__}", attribute=name)
    check_text(name, value)
    return value


def _data(value: Any, attributes: dict[str, AttributeValue]) -> bytes | None:
    """The data as bytes; what is a Python value without a type is JSON, and then says so."""
    if value is None or isinstance(value, bytes):
        return value
    given = attributes.get("datacontenttype")
    if given is not None and not is_json(text_of(given)):
        if not isinstance(value, str):
            kind = type(value).__name__
            raise CodecError(f"data of type {kind} is not {text_of(given)}")
        return value.encode()
    attributes.setdefault("datacontenttype", _JSON)
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except (TypeError, ValueError) as error:
        raise CodecError(f"the data is no JSON: {error}") from error
