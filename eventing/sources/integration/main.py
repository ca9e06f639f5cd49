"""The adapter of one IntegrationSource: ``hearth run integrationsource``, in a pod.

The pod is a ContainerSource's. What to do comes in ``K_SOURCE_CONFIG``, where to send in the
variables that a SinkBinding sets.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import uuid
from collections.abc import Callable, Mapping
from time import monotonic

from eventing.api.apiserveradapter import CONFIG
from eventing.kinds.binding import CA_CERTS, CE_OVERRIDES, SINK
from eventing.sources.integration.timer import Timer
from eventing.sources.sender import Sender
from eventing.sources.tokens import mounted_token
from hearth.kube.clock import wall_clock
from hearth.kube.timers import pause

log = logging.getLogger(__name__)


async def run(ready: Callable[[], None], environment: Mapping[str, str] = os.environ) -> None:
    """Send the events of a timer, until cancelled; raise ValueError where there is none."""
    timer = Timer.from_json(environment.get(CONFIG, "{}"))
    sink = environment.get(SINK, "")
    if not sink:
        raise ValueError(f"{SINK} is not set: there is nowhere to send to")
    overrides = json.loads(environment.get(CE_OVERRIDES) or "{}").get("extensions") or {}
    shown = mounted_token()
    async with Sender(ca_certs=environment.get(CA_CERTS)) as sender:
        ready()
        begun, sent = monotonic(), 0
        while not timer.repeats or sent < timer.repeats:
            now = monotonic()
            await pause(
                timer.next_tick(begun, now) - now
            )  # a tick that came early would come twice
            event = timer.event(str(uuid.uuid4()), wall_clock(), overrides)
            header = await shown.header() if shown is not None else None
            told = await sender.send(sink, event, authorization=header)
            sent += 1
            if not told.accepted:
                log.warning("an event was not taken", extra={"sink": sink, "error": str(told)})
        # A process that ends would be started anew, and begin to count anew.
        await asyncio.Event().wait()
