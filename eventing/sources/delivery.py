"""Where the adapter of one source sends to: what it finds in its variables."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

from eventing.codec import Event
from eventing.kinds.binding import CA_CERTS, CE_OVERRIDES, SINK
from eventing.runtime.policy import DeliveryPolicy
from eventing.sources.sender import SOURCE_POLICY, Sender, Sent
from eventing.sources.tokens import mounted_token
from eventing.sources.tracing import SendTracing, told_config
from hearth.kube.access import Authorization
from hearth.observability.traces.tracer import Tracer


@dataclass(frozen=True, slots=True)
class Delivery:
    """Where events go, and what is set on them."""

    sink: str
    sender: Sender
    overrides: Mapping[str, str] = field(default_factory=dict)
    authorization: Authorization | None = None
    """What the sink is shown, where it asks for a token."""
    namespace: str = ""
    """Whose events they are."""

    async def send(self, event: Event) -> Sent:
        """Send an event, again where that helps."""
        shown = await self.authorization.header() if self.authorization is not None else None
        return await self.sender.send(
            self.sink, event, authorization=shown, namespace=self.namespace
        )


@contextlib.asynccontextmanager
async def delivering(
    environment: Mapping[str, str], component: str, policy: DeliveryPolicy = SOURCE_POLICY
) -> AsyncIterator[Delivery]:
    """Read ``K_SINK`` and its like; raise ValueError where they say nothing.

    ``component`` is what traces call the adapter.
    """
    sink = environment.get(SINK, "")
    if not sink:
        raise ValueError(f"{SINK} is not set: there is nowhere to send to")
    overrides = json.loads(environment.get(CE_OVERRIDES) or "{}").get("extensions") or {}
    namespace = environment.get("POD_NAMESPACE", "")
    tracer = Tracer(component, namespace)
    tracer.configure(told_config(environment))
    tracing = SendTracing(tracer)
    try:
        authorities = environment.get(CA_CERTS)
        async with Sender(policy, ca_certs=authorities, tracing=tracing) as sender:
            yield Delivery(sink, sender, overrides, mounted_token(), namespace)
    finally:
        await asyncio.to_thread(tracer.close)
