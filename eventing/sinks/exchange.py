"""What the adapter answers: 204 once an event is where it belongs, and not before."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from activator.http.events import ResponseHead
from eventing.aws.faults import AwsFault, problem_of
from eventing.codec import Event
from eventing.codec.binary import Header
from eventing.runtime.answering import Answering
from eventing.runtime.answers import Respond, answer, reason_field
from eventing.runtime.places import Place
from eventing.sinks.seam import EventSink, NotTaken, status_of

log = logging.getLogger(__name__)

_AT_ONCE = 100
_TRIES = 3
"""How often in a row the user's fault is met before the adapter ends, and its end is told."""


class SinkExchange:
    """Gives events to a sink. Several of one request are taken all, or are sent again all."""

    def __init__(self, sink: EventSink) -> None:
        self._sink = sink
        self._answering = Answering("sink", _AT_ONCE, "too many events are being taken")
        self._faults = 0
        self.broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Ends with the AwsFault that the user has to mend."""

    def receive(
        self, place: Place, headers: Sequence[Header], events: Sequence[Event], respond: Respond
    ) -> None:
        """Take events; raise Refused where there are too many."""
        self._answering.begin(self._taken(events), respond)

    async def _taken(self, events: Sequence[Event]) -> ResponseHead:
        try:
            for event in events:
                await self._sink.put(event)
        except NotTaken as error:
            return answer(400, str(error), (reason_field(str(error)),))
        except Exception as error:
            problem = problem_of(error, self._sink.asked)
            log.warning("an event was not taken: %s", problem.text)
            self._note(problem.text if problem.is_definite else None)
            return answer(status_of(problem), problem.text, (reason_field(problem.text),))
        self._faults = 0
        return answer(204)

    def _note(self, fault: str | None) -> None:
        self._faults = 0 if fault is None else self._faults + 1
        if fault is not None and self._faults >= _TRIES and not self.broken.done():
            self.broken.set_exception(AwsFault(fault))

    async def close(self) -> None:
        """Take no more."""
        await self._answering.close()
