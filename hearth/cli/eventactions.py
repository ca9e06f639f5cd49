"""``hearth event redrive`` and ``replay``: have events delivered once more, say how it goes."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass

from hearth.cli.asking import Json
from hearth.cli.errors import UserError
from hearth.cli.eventadmin import BrokerProcess
from hearth.cli.eventqueries import check_output

_LOOK_SECONDS = 0.2
_TOLD_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Redrive:
    """Which held events, and what becomes of them."""

    id: str | None
    trigger: str | None
    everything: bool
    discard: bool


def redrive(broker: BrokerProcess, chosen: Redrive, output: str) -> int:
    """Deliver held events anew, or give them up; return the exit code."""
    check_output(output, "text", "json")
    body: Json = {"discard": str(chosen.discard).lower()}
    if chosen.id is not None:
        body["id"] = chosen.id
    if chosen.trigger is not None:
        body["trigger"] = chosen.trigger
    if len(body) == 1 and not chosen.everything:
        raise UserError("which events? give an ID, a --trigger, or --all")
    events = broker.post("/redrive", body)["events"]
    if output == "json":
        print(json.dumps(events, indent=2))
        return 0
    done = "given up" if chosen.discard else "on its way again"
    for event in events:
        print(f"{event['attributes']['id']} for {event['subscription']}: {done}")
    if not events:
        print("No such event is held. `hearth event dead-letters` lists what is, as STATE held.")
    return 0


@dataclass(frozen=True, slots=True)
class Replay:
    """What is to be delivered once more."""

    trigger: str
    begin: str
    most: int | None
    dry_run: bool


def replay(broker: BrokerProcess, wanted: Replay, output: str) -> int:
    """Count, deliver, and wait for the end; return the exit code."""
    check_output(output, "text", "json")
    body: Json = {"trigger": wanted.trigger, "from": wanted.begin}
    if wanted.most is not None:
        body["most"] = str(wanted.most)
    found = broker.post("/replay", {**body, "dryRun": str(wanted.dry_run).lower()})
    if output == "text":
        print(_what(found, dry_run=wanted.dry_run), flush=True)
    if wanted.dry_run:
        if output == "json":
            print(json.dumps(found, indent=2))
        return 0
    try:
        found = _until_it_ends(broker, found)
    except KeyboardInterrupt:
        print(f"Replay {found['id']} goes on in the broker.", file=sys.stderr)
        raise
    if output == "json":
        print(json.dumps(found, indent=2))
    else:
        print(_outcome(found))
    return 0 if found["delivered"] == found["matching"] else 1


def _until_it_ends(broker: BrokerProcess, found: Json) -> Json:
    told_at = time.monotonic()
    while found["running"]:
        time.sleep(_LOOK_SECONDS)
        [found] = broker.get("/replays", {"id": found["id"]})["replays"]
        if found["running"] and time.monotonic() - told_at >= _TOLD_SECONDS:
            told_at = time.monotonic()
            print(f"{found['delivered']} of {found['matching']} delivered", file=sys.stderr)
    return found


def _what(found: Json, *, dry_run: bool) -> str:
    count = f"{found['matching']} of {found['events']} events match"
    where = f"{found['subscription']}, {found['url'] or 'which has no address'}"
    if dry_run:
        return f"{count}: so many would be delivered once more to {where}"
    return f"{count}: replay {found['id']} delivers them once more to {where}"


def _outcome(found: Json) -> str:
    text = f"{found['delivered']} delivered"
    for field, what in (("deadLettered", "dead letters"), ("dropped", "dropped")):
        if found[field]:
            text += f", {found[field]} {what}"
    return f"{text}; it ended early: {found['error']}" if found["error"] else text
