"""Events as AWS takes them: their text, their attributes, and what tells one from another. Pure."""

from __future__ import annotations

import re
import uuid
from typing import Any

from eventing.codec import Event, render_head
from eventing.sinks.seam import NotTaken

_FIRST = ("specversion", "id", "source", "type", "subject", "time", "dataschema")
_MOST_ATTRIBUTES = 10
"""Of a message."""
_GROUP = re.compile(r"[A-Za-z0-9!-/:-@\[-`{-~]{1,128}")
_SUBJECT = re.compile(r"[!-~][ -~]{0,99}")
_METADATA_BYTES = 1800
"""AWS allows 2 KB."""


def identity_of(event: Event) -> str:
    """Return what is the same whenever this event is sent, and for no other."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{event.text('source')} {event.text('id')}"))


def text_of(event: Event) -> str:
    """Return the data as the text of a message; raise NotTaken where it is none."""
    try:
        text = (event.data or b"").decode()
    except UnicodeDecodeError as error:
        raise NotTaken("the data is no text (UTF-8), and messages are") from error
    if not text:
        raise NotTaken("the event has no data, and a message may not be empty")
    return text


def message_attributes(event: Event) -> dict[str, Any]:
    """Return the event's attributes as those of a message: ten at most, its own ones first."""
    texts = event.texts()
    content_type = texts.pop("datacontenttype", "")
    named = {f"ce-{name}": texts.pop(name) for name in _FIRST if texts.get(name)}
    if content_type:
        named["content-type"] = content_type
    named |= {f"ce-{name}": value for name, value in sorted(texts.items()) if value}
    return {
        name: {"DataType": "String", "StringValue": value}
        for name, value in list(named.items())[:_MOST_ATTRIBUTES]
    }


def fifo_fields(event: Event, name: str) -> dict[str, str]:
    """Return what a FIFO queue or topic asks for: order by key, and no duplicates."""
    if not name.endswith(".fifo"):
        return {}
    group = event.text("partitionkey") or event.text("source") or ""
    if _GROUP.fullmatch(group) is None:
        group = str(uuid.uuid5(uuid.NAMESPACE_URL, group))
    return {"MessageGroupId": group, "MessageDeduplicationId": identity_of(event)}


def subject_fields(event: Event) -> dict[str, str]:
    """Return the event's subject as that of a notification, where it can be one."""
    subject = event.text("subject") or ""
    return {"Subject": subject} if _SUBJECT.fullmatch(subject) else {}


def object_key(event: Event) -> str:
    """Return the name of the object: the attribute ``file``, else one of the event's own."""
    return event.text("file") or identity_of(event)


def object_metadata(event: Event) -> dict[str, str]:
    """Return the attributes as metadata of an object, encoded as in headers, if there is room."""
    lines = render_head(event).decode("ascii").split("\r\n")[:-1]
    pairs = dict(line.split(": ", 1) for line in lines)
    pairs.pop("content-type", None)
    return pairs if sum(len(k) + len(v) for k, v in pairs.items()) <= _METADATA_BYTES else {}
