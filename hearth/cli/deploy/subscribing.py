"""The Triggers of a function: made once it serves, and waited for, so that no event is missed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence

from hearth.functions.deploying.progress import condition
from hearth.knative.resources import BROKERS, TRIGGERS
from hearth.kube import meta
from hearth.kube.cache import WatchCache
from hearth.kube.client import KubeClient
from hearth.kube.errors import ApiError, NotFound
from hearth.kube.meta import Object
from hearth.timeouts import time_limit

Say = Callable[[str], None]

_MANAGER = "hearth-deploy"


async def subscribe(
    client: KubeClient, triggers: Sequence[Object], seconds: float, say: Say
) -> None:
    """Make Triggers and wait until they take events; say which does not, and why."""
    waits = []
    for trigger in triggers:
        broker, namespace = str(trigger["spec"]["broker"]), meta.namespace(trigger)
        await client.apply(TRIGGERS, trigger, field_manager=_MANAGER)
        say(f"events of {broker}: {meta.name(trigger)}")
        if await _is_there(client, broker, namespace):
            waits.append(trigger)
        else:
            say(
                f"  there is no Broker {broker} in namespace {namespace} yet: "
                f"hearth event create-broker {broker}"
            )
    if not waits:
        return
    names = {meta.name(each) for each in waits}
    for name, why in (await _not_ready(client, meta.namespace(waits[0]), names, seconds)).items():
        say(f"  {name} takes none yet: {why}")


async def _is_there(client: KubeClient, broker: str, namespace: str) -> bool:
    """Whether there is such a Broker; who may not look takes it for granted."""
    try:
        await client.get(BROKERS, broker, namespace)
    except NotFound:
        return False
    except ApiError:
        return True
    return True


async def _not_ready(
    client: KubeClient, namespace: str, names: Collection[str], seconds: float
) -> dict[str, str]:
    """Return why Triggers were not ready when the time was up; empty once all are."""
    cache = WatchCache(client, TRIGGERS, namespace=namespace)
    changed = asyncio.Event()
    running = asyncio.create_task(cache.run())
    left: dict[str, str] = dict.fromkeys(names, "it is not known how it is")
    try:
        async with time_limit(seconds):
            await cache.synced()
            cache.on_change(lambda _old, _new: changed.set())
            while True:
                changed.clear()
                found = {name: _why_not(cache.get(namespace, name)) for name in names}
                left = {name: why for name, why in found.items() if why}
                if not left:
                    return left
                await changed.wait()
    except TimeoutError:
        return left
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def _why_not(trigger: Object | None) -> str:
    if trigger is None:
        return "it is gone"
    ready = condition(trigger, "Ready")
    is_seen = (trigger.get("status") or {}).get("observedGeneration") == meta.generation(trigger)
    if ready.get("status") == "True" and is_seen:
        return ""
    return str(ready.get("message") or ready.get("reason") or "it has no condition yet")
