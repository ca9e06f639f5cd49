"""What the subscriptions of a process share."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

from eventing.api import keys
from eventing.runtime.accounting import MemoryBudget
from eventing.runtime.client import DeliveryClient
from eventing.runtime.sharing import Share
from hearth.kube.clock import Clock, wall_clock
from hearth.observability.traces.tracer import Tracer


def _begun() -> asyncio.Event:
    begun = asyncio.Event()
    begun.set()
    return begun


@dataclass(slots=True)
class Services:
    """``clock`` tells seconds since 1970, ``chance`` a number in [0, 1)."""

    client: DeliveryClient
    budget: MemoryBudget
    clock: Clock = wall_clock
    chance: Callable[[], float] = random.random
    passing: Callable[[], float] = monotonic
    """Seconds on a clock that is never set."""
    tracer: Tracer = field(default_factory=lambda: Tracer("broker", keys.SYSTEM_NAMESPACE))
    begin: asyncio.Event = field(default_factory=_begun)
    """Set when deliveries may begin: an event may be on its way to what we serve ourselves."""
    share: Share = field(default_factory=Share)
