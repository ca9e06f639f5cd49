"""What is kept of an event that is not delivered yet, in case the process ends before it is."""

from __future__ import annotations

from typing import Protocol

from eventing.engines.event import StoredEvent
from eventing.runtime.delivery import Delivery
from eventing.runtime.notes import HeldNote, Progress, write_note


class Keeps(Protocol):
    """Who keeps what must outlast the process, or has nowhere to go."""

    def note(self, event: StoredEvent, text: str) -> None:
        """Keep a text with an event till it is settled."""

    def hold(self, event: StoredEvent, note: HeldNote) -> bool:
        """Keep an event that nobody takes; False where there is no room."""


def keep_progress(keeps: Keeps | None, item: Delivery, due: float) -> None:
    """Keep how far the attempts are; ``due`` is when the next one is, in seconds since 1970.

    A reply is not kept: after a restart the subscriber is asked for it again.
    """
    if keeps is not None and item.reply is None:
        progress = Progress(item.hop, item.attempts, due, item.failure)
        keeps.note(item.event, write_note(progress))
