"""Kubernetes Events, written in the background: they never delay what they tell of.

They are worth less than anything else that is written. So they wait until what they tell of is
done, and where there are many they are written at a slow pace until no more come; what is too much
is dropped, as client-go drops what its recorder cannot hold, warnings last.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import deque

from hearth.kube.client import KubeClient
from hearth.kube.clock import Clock, rfc3339, wall_clock
from hearth.kube.errors import ApiError, NotFound, is_terminating
from hearth.kube.eventcorrelation import MAX_MESSAGE, Correlator, Note
from hearth.kube.meta import Object, name, namespace, uid
from hearth.kube.plan import Event
from hearth.kube.resources import EVENTS

log = logging.getLogger(__name__)

DELAY_SECONDS = 0.5
"""What came of the same change is written before its Events, and Events are written together."""
AT_ONCE, PAUSE_SECONDS, QUIET_SECONDS = 25, 0.05, 1.0
"""So many are written without a pause, and all once none has come for a while."""
MAX_WAITING = 1000
"""client-go's maxQueuedEvents; as many warnings fit in besides."""

_serial = itertools.count(1)


class EventRecorder:
    """``record`` returns at once; ``run`` writes. ``host`` is the node that Events come from."""

    def __init__(
        self,
        client: KubeClient,
        *,
        host: str = "",
        clock: Clock = wall_clock,
        delay_seconds: float = DELAY_SECONDS,
    ) -> None:
        self._client = client
        self._host = host
        self._clock = clock
        self._delay_seconds = delay_seconds
        self._correlator = Correlator()
        self._waiting: deque[Note] = deque()
        self._wakeup = asyncio.Event()
        self._recorded_at = 0.0

    def record(self, event: Event, component: str, *, container: str = "") -> None:
        """Take an Event; past the limit it is dropped, being worth less than the memory."""
        now = self._clock()
        body = make_event(event, component, now=now, host=self._host, container=container)
        note = self._correlator.note(body, now)
        if note is None or note.is_waiting:
            return
        if len(self._waiting) >= MAX_WAITING * (2 if event.type == "Warning" else 1):
            log.debug("event dropped", extra={"reason": event.reason})
            return
        note.is_waiting = True
        self._waiting.append(note)
        self._recorded_at = asyncio.get_running_loop().time()
        self._wakeup.set()

    async def run(self) -> None:
        """Write what gathers, until cancelled."""
        while True:
            await self._wakeup.wait()
            self._wakeup.clear()
            await asyncio.sleep(self._delay_seconds)
            for number in itertools.count():
                if not self._waiting:
                    break
                await self._write(self._waiting.popleft())
                await asyncio.sleep(self._pause(number))

    def _pause(self, written: int) -> float:
        quiet = asyncio.get_running_loop().time() - self._recorded_at
        return 0.0 if written < AT_ONCE or quiet > QUIET_SECONDS else PAUSE_SECONDS

    async def _write(self, note: Note) -> None:
        note.is_waiting = False
        try:
            if note.is_written:
                where = name(note.body), namespace(note.body)
                await self._client.patch(EVENTS, *where, note.changes())
            else:
                await self._client.create(EVENTS, note.body)
                note.written()
        except NotFound:
            pass  # the namespace went away together with the object, or the Event did
        except ApiError as error:
            if not is_terminating(error):
                log.warning("event not recorded", extra={"error": error.message})
        self._correlator.settled(note)


def make_event(
    event: Event, component: str, *, now: float, host: str = "", container: str = ""
) -> Object:
    """Make the object. Its name is unique in time and process; old ones expire by themselves."""
    about = event.obj
    moment = rfc3339(now)
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{name(about)}.{int(now * 1e9) + next(_serial):x}",
            "namespace": namespace(about) or "default",
        },
        "involvedObject": {
            "apiVersion": about.get("apiVersion", ""),
            "kind": about.get("kind", ""),
            "name": name(about),
            "namespace": namespace(about),
            "uid": uid(about),
            **({"fieldPath": f"spec.containers{{{container}}}"} if container else {}),
        },
        "type": event.type,
        "reason": event.reason,
        "message": event.message[:MAX_MESSAGE].encode(errors="replace").decode(),
        "source": {"component": component, **({"host": host} if host else {})},
        "firstTimestamp": moment,
        "lastTimestamp": moment,
        "count": 1,
        "reportingComponent": component,
        "reportingInstance": host,
    }
