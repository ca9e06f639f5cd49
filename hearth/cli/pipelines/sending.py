"""The event that ``hearth pipeline run`` sends: whether a script is for it, and its way there."""

from __future__ import annotations

import contextlib
import io
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hearth.cli.errors import UserError
from hearth.cli.pipelines.place import Place
from hearth.pipelines.api import keys
from hearth.pipelines.reading import read_script
from hearth.pipelines.sdk.matching import matches, split

_OWN = ("id", "source", "type", "subject")


@dataclass(frozen=True, slots=True)
class Sending:
    """The event of ``hearth pipeline run``."""

    event: str
    payload: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    follow: bool = False


def event_of(sending: Sending) -> dict[str, str]:
    """Return the attributes of the event; raise UserError where it can be none."""
    try:
        source, kind = split(sending.event)
    except ValueError as error:
        raise UserError(f"--event {error}") from error
    source = "hearth/cli" if source == "*" else source
    return {"id": str(uuid.uuid4()), "source": source, "type": kind, **sending.attributes}


def check_event(script: str, event: Mapping[str, str], what: str) -> None:
    """Raise UserError where nothing in a script is for the event."""
    handlers = read_script(script)
    if not any(matches(each.pattern, dict(each.attributes), event) for each in handlers):
        said = (
            each.pattern + "".join(f" {name}={value}" for name, value in each.attributes)
            for each in handlers
        )
        raise UserError(
            f"nothing in {what} is for {event['source']}:{event['type']}: "
            f"it has @on for {', '.join(said)}"
        )


def payload_of(text: str) -> str:
    """Return the event's data for ``hearth event send``: JSON as it is, else the file of that name.

    Raises UserError where there is none, or too much.
    """
    if text.lstrip()[:1] in ("{", "[", ""):
        size = len(text.encode())
    else:
        text = text if text.startswith("@") else f"@{text}"
        try:
            size = Path(text[1:]).stat().st_size
        except OSError as error:
            raise UserError(
                f"--payload {text[1:]}: {error.strerror}; give a file, or JSON that begins with {{"
            ) from error
    if size > keys.PAYLOAD_BYTES:
        raise UserError(
            f"--payload: {size} bytes; {keys.PAYLOAD_BYTES} are the most that an event of a "
            "pipeline carries: put what is large where jobs can fetch it"
        )
    return text or "{}"


def send(place: Place, broker: str, event: Mapping[str, str], payload: str) -> None:
    """Send the event to a Broker, as ``hearth event send`` does."""
    from hearth.cli.events import EventOptions
    from hearth.cli.events import send as send_event

    more = {name: value for name, value in event.items() if name not in _OWN}
    options = EventOptions(
        to=f"{place.namespace}/{broker}",
        type=event["type"],
        source=event["source"],
        id=event["id"],
        subject=event.get("subject"),
        data=payload,
        content_type=None,
        extensions=[f"{name}={value}" for name, value in more.items()],
        namespace=place.namespace,
    )
    with contextlib.redirect_stdout(io.StringIO()):
        refused = send_event(place.data_dir, place.kubeconfig, options)
    if refused:
        raise UserError(f"the Broker {broker} did not take the event")
