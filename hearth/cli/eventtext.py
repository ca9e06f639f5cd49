"""The journey of an event as text. Pure."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Json = Mapping[str, Any]

_OUTCOMES = {
    "delivered": "delivered",
    "dead letter": "not taken; the dead letter sink has it",
    "dropped": "DROPPED: not taken, and nobody else takes it",
    "held": "HELD: not taken, and kept; `hearth event redrive` delivers it again",
    "retry": "not taken yet; it is tried again",
    "expired": "not delivered: its time was over",
    "duplicate": "not delivered: the same event had come before",
    "waiting": "waiting to be delivered",
}
_FOLLOWS = {
    "done": "",
    "reply": "answered with an event",
    "dead letter": "given up; on to the dead letter sink",
    "dropped": "given up",
    "held": "given up, and kept",
}
_NOT_SENT = ("expired", "duplicate", "waiting")


def trace_text(told: Json) -> str:
    """Return all journeys of an event and of its replies, one after the other."""
    blocks = [_journey(journey, told["journeys"]) for journey in told["journeys"]]
    text = "\n\n".join("\n".join(lines) for lines in blocks)
    if told["lost"]:
        text += f"\n\n{told['lost']} notes about events were lost since the broker started."
    return text


def _journey(journey: Json, others: Sequence[Json]) -> Iterator[str]:
    attributes = journey["attributes"]
    title = f"event {attributes.get('id')} of type {attributes.get('type')}"
    yield f"{title} from {attributes.get('source')}"
    yield f"  {journey['place']}, offset {journey['position']}, {journey['arrivedAt']}"
    for parent, label in _answered(journey, others):
        yield f"  the answer of {label} to event {parent['attributes'].get('id')}"
    if journey.get("schema"):
        yield f"  its data does not satisfy {journey['schema']}"
    if not journey["subscriptions"]:
        yield "  nobody is subscribed"
    arrived = _moment(journey["arrivedAt"])
    for leg in journey["subscriptions"]:
        yield from _matched(leg, arrived) if leg["matched"] else _missed(leg)
    if journey["notTold"]:
        yield f"  and {journey['notTold']} more that it does not match"


def _answered(journey: Json, others: Sequence[Json]) -> Iterator[tuple[Json, str]]:
    """The events that this one is an answer to, and whose answer it is."""
    name = journey["attributes"].get("id"), journey["attributes"].get("source")
    for other in others:
        for leg in other["subscriptions"]:
            if any((each["id"], each["source"]) == name for each in leg.get("replies", ())):
                yield other, leg["name"]


def _missed(leg: Json) -> Iterator[str]:
    clause = f"{leg['clause']}: " if leg["clause"] else ""
    yield f"  {leg['name']}: does not match"
    yield f"    {clause}{leg['reason']}"


def _matched(leg: Json, arrived: datetime.datetime) -> Iterator[str]:
    yield f"  {leg['name']}: {_OUTCOMES.get(leg['outcome'], leg['outcome'])}"
    replies = list(leg["replies"])
    for attempt in leg["attempts"]:
        yield f"    {_attempt(attempt, arrived)}"
        if attempt["follows"] == "reply":  # told of just after what it answered with
            for reply in [each for each in replies if _is_of(each, attempt)]:
                replies.remove(reply)
                yield f"    {_reply(reply, arrived)}"
    for reply in replies:
        yield f"    {_reply(reply, arrived)}"


def _is_of(reply: Json, attempt: Json) -> bool:
    return bool(reply["replay"] == attempt["replay"] and reply["at"] <= attempt["at"])


def _reply(reply: Json, arrived: datetime.datetime) -> str:
    where = reply["url"] or "the same log"
    text = f"reply {reply['id']} of type {reply['type']}, to {where}"
    return f"{_after(reply['at'], arrived)}  {text}{_replayed(reply)}"


def _attempt(attempt: Json, arrived: datetime.datetime) -> str:
    hop = "" if attempt["hop"] == "subscriber" else f"{attempt['hop']} "
    status, follows = attempt["status"] or "no answer", attempt["follows"]
    took = f"{attempt['seconds'] * 1000:.1f} ms"
    text = f"{hop}attempt {attempt['number']}: {status} after {took}"
    if follows in _NOT_SENT:
        text = f"{hop}not sent"
    elif follows == "at once":
        text = "delivered at once"
    elif attempt["url"]:
        text += f" from {attempt['url']}"
    if attempt["error"]:
        text += f" ({attempt['error']})"
    if follows == "waiting":
        text += f"; at {attempt['retryAt']}"
    elif follows == "retry":
        text += f"; again {_after(attempt['retryAt'], arrived).strip()}"
    elif follows not in ("done", "at once", *_NOT_SENT):
        text += f"; {_FOLLOWS.get(follows, follows)}"
    return f"{_after(attempt['at'], arrived)}  {text}{_replayed(attempt)}"


def _replayed(step: Json) -> str:
    return f" [replay {step['replay']}]" if step["replay"] else ""


def _after(at: str, arrived: datetime.datetime) -> str:
    seconds = (_moment(at) - arrived).total_seconds()
    return f"+{seconds:.3f} s".rjust(12)


def _moment(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
