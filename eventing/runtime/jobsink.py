"""JobSink: each event starts a Job, and may be asked for how that is.

========================================================  ==============================
request                                                   answer
========================================================  ==============================
``POST /jobsinks/NAMESPACE/NAME``                         202 and where to ask, when the
                                                          Job and the event's Secret are
                                                          made; 503 where the API server
                                                          is not there, 500 where it
                                                          takes no such Job
``GET /namespaces/NS/name/NAME/sources/SOURCE/ids/ID``    200 when the Job is complete,
                                                          400 when it has failed, 202
                                                          while it runs, 404 without one
========================================================  ==============================
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from activator.http.events import ResponseHead
from activator.http.fields import Field
from eventing.api import keys
from eventing.api.views import status_annotation
from eventing.codec import CodecError, Event, encode_structured
from eventing.codec.binary import Header
from eventing.engines.seam import Refused
from eventing.runtime.answering import Answering
from eventing.runtime.answers import Respond, answer, reason_field, refusal
from eventing.runtime.deadjobs import DeadJobs
from eventing.runtime.jobs import Started, make_job, make_secret, outcome
from eventing.runtime.places import JOB_SINK, Place
from hearth.kube.client import KubeClient
from hearth.kube.errors import AlreadyExists, ApiError, NotFound, TooManyRequests, Unavailable
from hearth.kube.meta import Object
from hearth.kube.resources import JOBS, SECRETS

log = logging.getLogger(__name__)

_AT_ONCE = 256
"""Events whose Jobs are being made."""
_FULL_SECONDS = 5
_PAUSES = (0.1, 0.4, 1.6)
"""Seconds before the API server is asked again, where it is not there."""


class JobSinks:
    """Makes Jobs; ``find`` reads a JobSink."""

    def __init__(
        self,
        client: KubeClient,
        find: Callable[[Place], Object | None],
        dead: DeadJobs,
        *,
        full: Callable[[Place], str],
    ) -> None:
        """``full`` tells why events of a namespace are not taken now; nothing where they are."""
        self._client = client
        self._find = find
        self._dead = dead
        self._full = full
        self._answering = Answering("jobsink", _AT_ONCE, "too many Jobs are being made")

    # -- events --------------------------------------------------------------------------------

    def receive(
        self, place: Place, headers: Sequence[Header], events: Sequence[Event], respond: Respond
    ) -> None:
        """Take an event; raise Refused or CodecError where it cannot be taken."""
        sink = self._find(place)
        if sink is None:
            respond(answer(404, f"there is no {place}"))
            return
        if len(events) != 1:
            raise CodecError("a Job is started by one event at a time")
        if refused := self._full(place):
            raise Refused(refused, status=429, retry_after=_FULL_SECONDS)
        self._answering.begin(self._take(place, sink, events[0]), respond)

    async def _take(self, place: Place, sink: Object, event: Event) -> ResponseHead:
        texts = event.texts()
        started = Started(place.namespace, place.name, texts["source"], texts["id"])
        content = encode_structured(event)
        if status_annotation(sink, keys.DEAD_LETTER_SINK_ANNOTATION):
            await self._dead.keep(started, content)
        for pause in (*_PAUSES, None):
            try:
                await self._make(sink, started, content)
                break
            except (Unavailable, TooManyRequests) as error:
                if pause is None:
                    return refusal(Refused(f"the Job cannot be made now: {error.message}"))
                await asyncio.sleep(pause)
            except ApiError as error:
                facts = {"sink": str(place), "error": error.message}
                log.warning("a Job cannot be made", extra=facts)
                self._dead.release(started)
                return answer(500, error.message, (reason_field(error.message),))
        return answer(202, fields=(_location(started),))

    async def _make(self, sink: Object, started: Started, event: bytes) -> None:
        """First the Job, which its Secret goes with; what is there already is as good."""
        try:
            job = await self._client.create(JOBS, make_job(sink, started))
        except AlreadyExists:
            job = await self._client.get(JOBS, started.job, started.namespace)
        if outcome(job):
            self._dead.release(started)
            return
        try:
            await self._client.create(SECRETS, make_secret(job, started, event))
        except AlreadyExists:
            return

    # -- questions -----------------------------------------------------------------------------

    def place(self, target: bytes) -> Place | None:
        """Return the JobSink that a question is about; None where it is none."""
        started = Started.at(target)
        return None if started is None else Place(JOB_SINK, started.namespace, started.sink)

    def look_up(self, place: Place, target: bytes, respond: Respond) -> None:
        """Tell how a Job is."""
        started = Started.at(target)
        if started is None or self._find(place) is None:
            respond(answer(404, f"there is no {place}"))
        else:
            self._answering.begin(self._state(started), respond)

    async def _state(self, started: Started) -> ResponseHead:
        try:
            job = await self._client.get(JOBS, started.job, started.namespace)
        except NotFound:
            return answer(404, "no Job was started by such an event")
        except ApiError as error:
            return refusal(Refused(error.message))
        match outcome(job):
            case "Complete":
                return answer(200, fields=((b"reason", b"Complete"),))
            case "Failed":
                return answer(400, fields=((b"reason", b"Failed"),))
        return answer(202, fields=(_location(started),))

    async def close(self) -> None:
        """Let what is being made come to its end, or to nothing."""
        await self._answering.close()


def _location(started: Started) -> Field:
    return b"location", started.location.encode("ascii")
