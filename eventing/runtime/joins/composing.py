"""From what the branches told to the event that is sent on. Pure.

================  ==============================================================================
shape             data: a JSON array with an element for each branch, in their order
================  ==============================================================================
``data``          the data of its reply; an array of them where it replied with several; null
                  where it did not reply
``events``        ``{"branch": 0, "outcome": "replied", "events": [...]}`` with whole events as
                  in the JSON format; ``error`` where the outcome is ``failed``
================  ==============================================================================

Data that is JSON stands there as it is and text as a string; anything else as in CloudEvents' JSON
format, ``{"data_base64": "..."}``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from eventing.api.joins import EVENTS, JoinOptions
from eventing.codec import Event, encode_structured
from eventing.codec.event import TEXT_ATTRIBUTES, AttributeValue
from eventing.codec.structured import data_member
from eventing.runtime.joins.parts import FAILED, MARK, REPLIED

TYPE = "dev.hearth.parallel.joined"
MISSING_ATTRIBUTE = "joinmissing"
"""The branches without a reply, as in ``0,2``."""
_CAUSE = "causationid"
_ERRORS = {"knativeerrorcode": "code", "knativeerrordest": "destination"}
_NOT_CARRIED = (MARK, "knativeerrorcode", "knativeerrordest", "knativeerrordata")


@dataclass(frozen=True, slots=True)
class BranchResult:
    """What one branch told, with the events themselves."""

    outcome: str
    events: Sequence[Event]
    """Its replies; where it has none, what was sent in their place."""


def compose(
    token: str,
    options: JoinOptions,
    original: Event | None,
    results: Sequence[BranchResult],
    *,
    most_bytes: int,
) -> Event:
    """Return the event of a join; data beyond ``most_bytes`` is left out, and said to be."""
    make = _whole if options.shape == EVENTS else _data
    elements = [make(number, result) for number, result in enumerate(results)]
    data = orjson.dumps(elements)
    attributes = _attributes(token, options, original, results)
    if len(data) > most_bytes:
        data = orjson.dumps([_left_out(len(orjson.dumps(each))) for each in elements])
    return Event(attributes, data)


def _attributes(
    token: str, options: JoinOptions, original: Event | None, results: Sequence[BranchResult]
) -> dict[str, AttributeValue]:
    """Those of the event that came that do not describe its data, and those all replies share."""
    attributes: dict[str, AttributeValue] = _carried(original.attributes) if original else {}
    attributes |= _shared([event.attributes for each in _replied(results) for event in each.events])
    if original is not None:
        attributes[_CAUSE] = original.attributes["id"]
    attributes |= {
        "specversion": "1.0",
        "id": token,
        "source": options.source,
        "type": TYPE,
        "datacontenttype": "application/json",
    }
    missing = [str(n) for n, result in enumerate(results) if result.outcome != REPLIED]
    if missing:
        attributes[MISSING_ATTRIBUTE] = ",".join(missing)
    return attributes


def _carried(given: Mapping[str, AttributeValue]) -> dict[str, AttributeValue]:
    """The subject, and extensions."""
    return {
        name: value
        for name, value in given.items()
        if name == "subject" or (name not in TEXT_ATTRIBUTES and name not in _NOT_CARRIED)
    }


def _replied(results: Sequence[BranchResult]) -> list[BranchResult]:
    return [each for each in results if each.outcome == REPLIED]


def _shared(replies: Sequence[Mapping[str, AttributeValue]]) -> dict[str, AttributeValue]:
    if not replies:
        return {}
    first, *others = replies
    return {
        name: value
        for name, value in _carried(first).items()
        if all(other.get(name) == value for other in others)
    }


def _data(number: int, result: BranchResult) -> Any:
    if result.outcome != REPLIED:
        return None
    values = [_value(event) for event in result.events]
    return values[0] if len(values) == 1 else values


def _value(event: Event) -> Any:
    if not event.data:
        return None
    member = data_member(event)
    return member["data"] if "data" in member and len(member) == 1 else member


def _whole(number: int, result: BranchResult) -> Any:
    told: dict[str, Any] = {"branch": number, "outcome": result.outcome, "events": []}
    if result.outcome == REPLIED:
        told["events"] = [orjson.Fragment(_without_mark(event)) for event in result.events]
    elif result.outcome == FAILED and result.events:
        given = result.events[0].attributes
        told["error"] = {name: given[of] for of, name in _ERRORS.items() if of in given}
    return told


def _without_mark(event: Event) -> bytes:
    kept = {name: value for name, value in event.attributes.items() if name != MARK}
    return encode_structured(Event(kept, event.data))


def _left_out(size: int) -> dict[str, Any]:
    return {"error": f"left out: {size} bytes are too many in one event"}
