"""Answers of the ingress. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from activator.http.events import ResponseHead
from activator.http.fields import Field
from eventing.codec import Event
from eventing.codec.binary import Header
from eventing.engines.seam import Refused
from eventing.runtime.places import Place

_ALLOW: Field = (b"allow", b"POST, OPTIONS")
_TEXT: Field = (b"content-type", b"text/plain; charset=utf-8")

_REASON_CHARACTERS = 512

Respond = Callable[[ResponseHead], None]
"""Answers a request, unless nobody is there any more."""


def answer(
    status: int, text: str = "", fields: Sequence[Field] = (), *, closes: bool = False
) -> ResponseHead:
    """Return a whole answer with a line of text."""
    kind = (_TEXT,) if text else ()
    body = f"{text}\n".encode() if text else b""
    return ResponseHead.of(status, (_ALLOW, *fields, *kind), body, closes=closes)


def refusal(refused: Refused) -> ResponseHead:
    """Return the answer that nothing is taken now, and when to come again."""
    return answer(refused.status, str(refused), ((b"retry-after", b"%d" % refused.retry_after),))


def reason_field(text: str) -> Field:
    """Return Knative's ``Reason`` of a failure: as much of a text as a header may hold."""
    printable = "".join(each if " " <= each <= "~" else " " for each in text)
    return b"reason", printable[:_REASON_CHARACTERS].strip().encode("ascii")


class LooksUp(Protocol):
    """Tells how something is that was asked for before."""

    def look_up(self, place: Place, target: bytes, respond: Respond) -> None:
        """See to it that a question is answered."""

    def place(self, target: bytes) -> Place | None:
        """Return what a question is about; None where it is none."""


class Exchange(Protocol):
    """Takes events of a kind of places that has no log, and answers in its own way."""

    def receive(
        self, place: Place, headers: Sequence[Header], events: Sequence[Event], respond: Respond
    ) -> None:
        """Take events and see to it that they are answered; may raise as ``append`` does."""
