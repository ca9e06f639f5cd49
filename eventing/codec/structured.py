"""Structured and batched mode: the event as a JSON object (``application/cloudevents+json``).

JSON data is handed on as the very text it was written in, never parsed and printed again: a
number keeps its digits, a string its quotes.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable
from typing import Any, NoReturn

import orjson

from eventing.codec.event import (
    TEXT_ATTRIBUTES,
    AttributeValue,
    CodecError,
    Event,
    check_attributes,
    check_name,
    check_text,
    is_json,
    text_of,
)

CONTENT_TYPE = b"application/cloudevents+json; charset=utf-8"

_BLANK = r"[ \t\r\n]*+"
_PLAIN_MEMBER = re.compile(
    rf'"([a-z0-9]++)"{_BLANK}:{_BLANK}"([^"\\\x00-\x1f]*+)"{_BLANK}(?:,{_BLANK}(?=")|(?=\}}))'
)
"""A member that is a string without escapes, and what parts it from the next one: most are such."""
_SPACE = re.compile(r"[ \t\r\n]*")
_INT_DIGITS = len("-2147483648")
_INT_MIN, _INT_MAX = -(2**31), 2**31 - 1
_DATA_MEMBERS = frozenset({"data", "data_base64"})


def _not_json(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


def _integer(digits: str) -> int | float:
    """Attributes have 32 bits, and data keeps its text: longer ones need not be exact.

    Python refuses to read integers of thousands of digits, JSON does not.
    """
    return int(digits) if len(digits) <= _INT_DIGITS else float(digits)


_decoder = json.JSONDecoder(parse_constant=_not_json, parse_int=_integer)


def decode_structured(body: bytes) -> Event:
    """Return the event of a structured-mode message. Raises CodecError."""
    text = _text(body)
    event, end = _event(text, _skip(text, 0))
    _expect_end(text, end)
    return event


def decode_batch(body: bytes) -> list[Event]:
    """Return the events of a batch: each valid, all of one specversion. Raises CodecError."""
    text = _text(body)
    at = _skip(text, 0)
    if text[at : at + 1] != "[":
        raise CodecError("a batch is a JSON array of events")
    events: list[Event] = []
    at = _skip(text, at + 1)
    while text[at : at + 1] != "]":
        event, at = _event(text, at)
        events.append(event)
        at = _separator(text, at, closing="]")
    _expect_end(text, at + 1)
    if len({event.attributes["specversion"] for event in events}) > 1:
        raise CodecError("a batch holds events of one version", attribute="specversion")
    return events


def encode_batch(events: Iterable[Event]) -> bytes:
    """Return the body of a batched-mode message."""
    return b"[" + b",".join(map(encode_structured, events)) + b"]"


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CodecError(f"the body is not valid UTF-8: {error.reason}") from None


def _skip(text: str, at: int) -> int:
    blank = _SPACE.match(text, at)
    return blank.end() if blank else at


def _expect_end(text: str, at: int) -> None:
    if _skip(text, at) != len(text):
        raise CodecError("the body goes on after the end of the event")


def _separator(text: str, at: int, *, closing: str) -> int:
    """Past a comma to the next element, or to the closing bracket."""
    at = _skip(text, at)
    if text[at : at + 1] == ",":
        at = _skip(text, at + 1)
        if text[at : at + 1] == closing:
            raise CodecError("the body is not valid JSON: a comma before the end")
    elif text[at : at + 1] != closing:
        raise CodecError(f"the body is not valid JSON at character {at}")
    return at


def _value(text: str, at: int) -> tuple[Any, int]:
    try:
        return _decoder.raw_decode(text, at)
    except RecursionError:
        raise CodecError("the body's JSON is nested too deeply") from None
    except ValueError as error:
        raise CodecError(f"the body is not valid JSON: {error}") from None


def _event(text: str, at: int) -> tuple[Event, int]:
    """Walks one JSON object, keeping the exact text of its ``data``."""
    if text[at : at + 1] != "{":
        raise CodecError("an event is a JSON object")
    members: dict[str, Any] = {}
    raw_data = ""
    at = _skip(text, at + 1)
    while text[at : at + 1] != "}":
        plain = _PLAIN_MEMBER.match(text, at)
        if plain is not None and (name := plain[1]) not in members and name != "data":
            members[name] = plain[2]
            at = plain.end()
            continue
        name, at = _value(text, at)
        at = _skip(text, at)
        if not isinstance(name, str) or text[at : at + 1] != ":":
            raise CodecError(f"the body is not valid JSON at character {at}")
        start = _skip(text, at + 1)
        value, at = _value(text, start)
        if name in members:
            raise CodecError("given more than once", attribute=name)
        members[name] = value
        if name == "data":
            raw_data = text[start:at]
        at = _separator(text, at, closing="}")
    return _assemble(members, raw_data), at + 1


def _assemble(members: dict[str, Any], raw_data: str) -> Event:
    attributes: dict[str, AttributeValue] = {}
    for name, value in members.items():
        if name in _DATA_MEMBERS or value is None:
            continue  # null means: not set
        check_name(name)
        attributes[name] = _attribute(name, value)
    check_attributes(attributes)
    return Event(attributes, _data(members, raw_data, attributes))


def _attribute(name: str, value: Any) -> AttributeValue:
    if isinstance(value, str):
        check_text(name, value)
        return value
    if name in TEXT_ATTRIBUTES:
        raise CodecError("must be a string", attribute=name)
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        if not _INT_MIN <= value <= _INT_MAX:
            raise CodecError("integers have 32 bits", attribute=name)
        return value
    if isinstance(value, float) and value.is_integer():
        raise CodecError("integers have 32 bits, and no fraction or exponent", attribute=name)
    raise CodecError("must be a string, an integer or a boolean", attribute=name)


def _data(
    members: dict[str, Any], raw_data: str, attributes: dict[str, AttributeValue]
) -> bytes | None:
    encoded, plain = members.get("data_base64"), members.get("data")
    if encoded is not None:
        if plain is not None:
            raise CodecError("data and data_base64 exclude each other", attribute="data_base64")
        return _base64("data_base64", encoded)
    if attributes.get("specversion") == "0.3" and attributes.get("datacontentencoding") == "base64":
        del attributes["datacontentencoding"]
        return _base64("data", plain)
    if "data" not in members:
        return None
    given = attributes.get("datacontenttype")
    if is_json(None if given is None else text_of(given)):
        # The JSON format implies the type; outside of it, it must be said.
        attributes.setdefault("datacontenttype", "application/json")
        return raw_data.encode("utf-8", "surrogatepass")
    if isinstance(plain, str):
        return plain.encode("utf-8", "surrogatepass")
    return raw_data.encode("utf-8", "surrogatepass")


def _base64(member: str, value: Any) -> bytes:
    if not isinstance(value, str):
        raise CodecError("must be a base64 string", attribute=member)
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise CodecError("is not valid base64", attribute=member) from None


def encode_structured(event: Event) -> bytes:
    """Return the event as one JSON object; JSON data is embedded as it is."""
    members: dict[str, Any] = dict(event.attributes)
    if event.data:
        members |= data_member(event)
    return orjson.dumps(members)


def data_member(event: Event) -> dict[str, Any]:
    """Return the members that hold an event's data: JSON and text as ``data``, else base64."""
    data = event.data or b""
    content_type = event.text("datacontenttype")
    # Without a type the data is opaque: only the JSON format would read it as JSON.
    if content_type is not None and is_json(content_type) and _is_valid_json(data):
        return {"data": orjson.Fragment(data)}
    if content_type is not None and _is_text(content_type):
        try:
            return {"data": data.decode("utf-8")}
        except UnicodeDecodeError:
            pass
    encoded = base64.b64encode(data).decode("ascii")
    if event.attributes.get("specversion") == "0.3":
        return {"data": encoded, "datacontentencoding": "base64"}
    return {"data_base64": encoded}


def _is_valid_json(data: bytes) -> bool:
    try:
        orjson.loads(data)
    except orjson.JSONDecodeError:
        return False
    return True


def _is_text(content_type: str) -> bool:
    media_type, _, parameters = content_type.lower().partition(";")
    return media_type.strip().startswith("text/") and (
        "charset" not in parameters or "utf-8" in parameters
    )
