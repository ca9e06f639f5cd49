"""Takes CloudEvents over HTTP: prints each, remembers it, and replies where told to.

Binary, structured and batched mode. ``GET /received`` answers the events it got.
$REPLY_TYPE: reply to each event with one of that type and the same data.
$STATUS: answer that status, and no reply.
"""

import os
import sys

sys.path.insert(0, os.path.join(sys.path[0], ".."))

from tinyhttp import Request, Response, Server, port

TYPE_CHECKING = False  # importing typing would make a cold start longer
if TYPE_CHECKING:
    from typing import Any

    Attributes = dict[str, Any]
    Event = tuple[Attributes, Any]

REPLY_TYPE = os.environ.get("REPLY_TYPE", "")
STATUS = int(os.environ.get("STATUS", "0"))
JSON = [("Content-Type", "application/json")]
REQUIRED = ("specversion", "id", "source", "type")
KEPT = 1000  # events that GET /received can show

received: "list[dict[str, Any]]" = []


class NotAnEvent(Exception):
    """The request carries no CloudEvent."""


def unquote(text: str) -> str:
    """Decodes the value of a ``ce-`` header, which is percent-encoded UTF-8."""
    head, *rest = text.encode("latin-1").split(b"%")
    parts = [head]
    for piece in rest:
        try:
            parts.append(bytes((int(piece[:2], 16),)) + piece[2:])
        except ValueError:
            parts.append(b"%" + piece)
    return b"".join(parts).decode("utf-8", "replace")


def quote(text: str) -> str:
    """Encodes what is not printable ASCII, and ``%`` and ``"``."""
    plain = (chr(b) if 0x21 <= b <= 0x7E and b not in b'%"' else f"%{b:02X}" for b in text.encode())
    return "".join(plain)


def decode_data(body: bytes, media_type: str) -> "Any":
    """Reads JSON; other data is shown as text."""
    if not body:
        return None
    if media_type.partition(";")[0].strip().endswith("json"):
        return json.loads(body)
    return body.decode("utf-8", "replace")


def events_of(request: Request) -> "list[Event]":
    """Reads the events of a request as pairs of attributes and data."""
    media_type = request.headers.get("content-type", "")
    if media_type.startswith("application/cloudevents-batch"):
        return [split(event) for event in json.loads(request.body)]
    if media_type.startswith("application/cloudevents"):
        return [split(json.loads(request.body))]
    attributes = {
        name[3:]: unquote(value)
        for name, value in request.headers.items()
        if name.startswith("ce-")
    }
    if media_type:
        attributes["datacontenttype"] = media_type
    return [(attributes, decode_data(request.body, media_type))]


def split(event: "dict[str, Any]") -> "Event":
    """Parts an event in structured mode into attributes and data."""
    data = event.pop("data", None)
    if "data_base64" in event:
        data = event.pop("data_base64")
    return event, data


def check(attributes: "Attributes") -> None:
    """Raises NotAnEvent where a required attribute is missing."""
    missing = [name for name in REQUIRED if not attributes.get(name)]
    if missing:
        raise NotAnEvent(f"not a CloudEvent: {', '.join(missing)} missing")


def receive(request: Request) -> Response:
    """Remembers and prints the events of a request, and replies where told to."""
    try:
        events = events_of(request)
        for attributes, _ in events:
            check(attributes)
    except (NotAnEvent, ValueError, AttributeError, TypeError) as error:
        return Response(400, f"{error}\n".encode())
    for attributes, data in events:
        entry = {"received": attributes, "data": data}
        received.append(entry)
        print(json.dumps(entry, ensure_ascii=False), flush=True)
    del received[:-KEPT]
    if STATUS:
        return Response(STATUS)
    return reply(*events[0]) if REPLY_TYPE and len(events) == 1 else Response(202)


def reply(attributes: "Attributes", data: "Any") -> Response:
    """Answers with an event in binary mode."""
    headers = [
        ("ce-specversion", "1.0"),
        ("ce-id", quote(f"{attributes['id']}-reply")),
        ("ce-source", "/samples/events"),
        ("ce-type", quote(REPLY_TYPE)),
    ]
    if data is None:
        return Response(200, b"", headers)
    return Response(200, json.dumps(data).encode(), [*headers, *JSON])


def handle(request: Request) -> Response:
    """Takes events by POST and shows them by GET."""
    if request.method == "POST":
        return receive(request)
    if request.path == "/received":
        return Response(200, json.dumps(received).encode(), JSON)
    return Response(200, b"send CloudEvents here by POST\n")


if __name__ == "__main__":
    server = Server()
    server.listen(port())
    import json  # callers can connect while this is being imported

    print(f"events: listening on port {port()}", flush=True)
    server.serve(handle)
