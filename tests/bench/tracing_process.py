"""The broker of ``broker_process`` with traces switched on and off by itself, in phases.

Usage: tracing_process.py as broker_process.py, with RATE and COLLECTOR. A line of JSON on stderr
for each phase: which one it was, events delivered in it, and CPU seconds of the event loop's thread
and of the process without the thread that exports; the latter's CPU seconds and spans so far.

In each block of phases every kind comes once, in an order that chance chooses, so neither what
slowly changes nor what comes and goes at a rhythm is taken for an effect. ``off`` comes twice: the
second is the control, which must not differ.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import time

from eventing.runtime.addressable import Addressable
from hearth.observability.metrics import SPANS
from hearth.observability.traces.sampling import Sampler
from hearth.observability.traces.tracer import Tracer
from tests.bench.broker_process import run

KINDS = ("off", "control", "nothing sampled", "sampled")
_PHASE_SECONDS = float(os.environ.get("PHASE_SECONDS", "0.2"))
_SETTLE_SECONDS = 0.03
"""After a switch: what is under way then counts for no phase."""
_WARM_EVENTS = 20_000
_HARDLY = 1e-12


def delivered(runtime: Addressable) -> int:
    return sum(sum(each.counts) for each in runtime.counters.dispatch.values())


async def switching(runtime: Addressable, tracer: Tracer) -> None:
    """Until the process is stopped."""
    sampled, hardly, chance = tracer.sampler, Sampler(_HARDLY), random.Random()
    outbox = tracer._outbox
    assert outbox is not None
    exports = time.pthread_getcpuclockid(outbox._thread.ident or 0)
    while delivered(runtime) < _WARM_EVENTS:
        await asyncio.sleep(0.05)
    while True:
        for kind in chance.sample(KINDS, len(KINDS)):
            tracer.is_on = kind in KINDS[2:]
            tracer.sampler = sampled if kind == "sampled" else hardly
            await asyncio.sleep(_SETTLE_SECONDS)
            events, loop, process = delivered(runtime), time.thread_time(), time.process_time()
            exported = time.clock_gettime(exports)
            await asyncio.sleep(_PHASE_SECONDS)
            now = time.clock_gettime(exports)
            told = {
                "kind": kind,
                "events": delivered(runtime) - events,
                "loop": time.thread_time() - loop,
                "process": time.process_time() - process - (now - exported),
                "exporting": now,
                "spans": SPANS.labels("exported")._value.get(),
            }
            print(json.dumps(told), file=sys.stderr, flush=True)


if __name__ == "__main__":
    run(*sys.argv[1:], beside=switching)
