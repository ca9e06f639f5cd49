"""``hearth event seek``: move a Trigger in its log, after it is known what that does."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass

import typer

from hearth.cli.asking import Json
from hearth.cli.errors import UserError
from hearth.cli.eventadmin import BrokerProcess
from hearth.cli.eventqueries import check_output


@dataclass(frozen=True, slots=True)
class Seek:
    """What is to be moved, and where to."""

    trigger: str
    begin: str
    dry_run: bool
    yes: bool
    """Whether nobody is asked."""


def beginning(
    begin: str | None,
    *,
    at: str | None,
    id: str | None,
    offset: str | None,
    earliest: bool,
    latest: bool,
) -> str:
    """Return the one place that was named, as the broker reads it; raise UserError."""
    named = [
        begin,
        None if at is None else f"time:{at}",
        None if id is None else f"id:{id}",
        None if offset is None else f"offset:{offset}",
        "earliest" if earliest else None,
        "latest" if latest else None,
    ]
    given = [each for each in named if each is not None]
    if len(given) != 1:
        raise UserError(
            "where to? give one of --from, --at, --id, --offset, --earliest and --latest"
        )
    return given[0]


def seek(broker: BrokerProcess, wanted: Seek, output: str) -> int:
    """Count, ask, move; return the exit code."""
    check_output(output, "text", "json")
    body: Json = {"trigger": wanted.trigger, "from": wanted.begin}
    found = broker.post("/seek", {**body, "dryRun": "true"})
    if output == "text":
        print(describe(found, dry_run=wanted.dry_run), flush=True)
    if not wanted.dry_run:
        if not wanted.yes and (found["again"] or found["skipped"]) and not _agrees():
            return 1
        # Where it was when it was counted, not so long before now.
        found = broker.post("/seek", {**body, "from": found["begin"], "dryRun": "false"})
        if output == "text":
            print(f"{found['subscription']} was moved")
    if output == "json":
        print(json.dumps(found, indent=2))
    return 0


def _agrees() -> bool:
    if not sys.stdin.isatty():
        raise UserError("nobody is there to be asked: --yes moves it all the same")
    return typer.confirm("Go on?", err=True)


def describe(found: Json, *, dry_run: bool) -> str:
    """Return in words what a move does."""
    first = found["first"]
    where = (
        "after all events there are"
        if first is None
        else f"at offset {first['position']}, {first['arrival']}"
    )
    would = "would begin" if dry_run else "is to begin"
    return (
        f"{found['subscription']} {would} {where}: {_events(found['again'])} delivered once more, "
        f"{_events(found['skipped'])} never delivered, {_events(found['ahead'])} to come as before"
    )


def _events(count: int) -> str:
    return f"{count} event" if count == 1 else f"{count} events"
