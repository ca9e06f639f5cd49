"""What the board knows, kept in a journal of events, and told to all who watch.

After a restart the journal is read from its beginning: nothing that was answered for is forgotten.
"""

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shop import KINDS, Shop

HEARTBEAT_SECONDS = 1.0  # a page that was closed is found out by what is written to it
BEHIND = 1000  # changes that a page may be behind before it is sent the whole state anew


class Board:
    """The shop, its journal, and those who watch."""

    def __init__(self, folder: Path) -> None:
        self.shop = Shop()
        self.changed = threading.Condition()
        self.number = 0  # of changes since the start
        self.changes: list[str] = []  # the newest of them
        self.journal = (folder / "events.jsonl").open("a+b")
        self._read()

    def _read(self) -> None:
        self.journal.seek(0)
        whole = 0
        for line in self.journal:
            if not line.endswith(b"\n"):  # cut off by a crash, before it was answered for
                break
            entry = json.loads(line)
            self.shop.take(entry["type"], entry["data"])
            whole += len(line)
        self.journal.truncate(whole)

    def take(self, kind: str, data: dict[str, Any]) -> None:
        """Takes an event; on disk when this returns. Others than the shop's are passed over."""
        if kind not in KINDS or not isinstance(data.get("id"), str):
            return
        with self.changed:
            self.journal.write(json.dumps({"type": kind, "data": data}).encode() + b"\n")
            self.journal.flush()
            os.fdatasync(self.journal.fileno())
            order = self.shop.take(kind, data)
            self.number += 1
            self.changes.append(json.dumps({"counts": self.shop.counts(), "order": order}))
            del self.changes[:-BEHIND]
            self.changed.notify_all()

    def counts(self) -> dict[str, int]:
        """Returns the numbers at the top."""
        with self.changed:
            return self.shop.counts()

    def state(self) -> tuple[int, str]:
        """Returns all that is shown, as JSON, and how many changes are in it."""
        with self.changed:
            shown = {"counts": self.shop.counts(), "orders": self.shop.newest()}
            return self.number, json.dumps(shown)

    def since(self, number: int) -> list[str] | None:
        """Waits a while for changes after so many; returns them, or None if they are too many."""
        with self.changed:
            self.changed.wait_for(lambda: self.number > number, HEARTBEAT_SECONDS)
            new = self.number - number
            return None if new > len(self.changes) else self.changes[len(self.changes) - new :]

    def stream(self) -> Iterator[str]:
        """Yields server-sent events, for as long as somebody listens."""
        changes: list[str] | None = None
        number = 0
        while True:
            if changes is None:
                number, state = self.state()
                yield f"event: state\ndata: {state}\n\n"
            elif not changes:
                yield ": still here\n\n"
            changes = self.since(number)
            for text in changes or ():
                yield f"event: order\ndata: {text}\n\n"
            number += len(changes or ())
