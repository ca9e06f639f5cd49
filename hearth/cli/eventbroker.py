"""Makes a Broker, for who has no YAML at hand, and waits until events can be sent to it."""

from __future__ import annotations

import asyncio
import contextlib

from hearth.cli.errors import UserError
from hearth.knative.resources import BROKERS
from hearth.kube.access import Access
from hearth.kube.client import KubeClient
from hearth.kube.conditions import Conditions
from hearth.kube.errors import AlreadyExists, ApiError, NotFound
from hearth.kube.meta import Object
from hearth.timeouts import time_limit

CLASS_ANNOTATION = "eventing.knative.dev/broker.class"
_LOOK_SECONDS = 0.05


def create_broker(
    api: Access, name: str, namespace: str, *, broker_class: str | None, seconds: float
) -> str:
    """Return the address of the Broker once it is ready; one that is there already is left as is.

    Raises UserError, which says why it is not ready, or what the API refused.
    """
    return asyncio.run(_create(api, name, namespace, broker_class, seconds))


async def ensured_broker(
    client: KubeClient, name: str, namespace: str, broker_class: str | None = None
) -> tuple[Object, bool]:
    """Return the Broker of that name, and whether it was made just now."""
    annotations = {CLASS_ANNOTATION: broker_class} if broker_class else {}
    metadata = {"name": name, "namespace": namespace, "annotations": annotations}
    broker = {"apiVersion": BROKERS.api_version, "kind": BROKERS.kind, "metadata": metadata}
    with contextlib.suppress(NotFound):  # who may not make one may use one
        return await client.get(BROKERS, name, namespace), False
    with contextlib.suppress(AlreadyExists):
        return await client.create(BROKERS, broker), True
    return await client.get(BROKERS, name, namespace), False


async def _create(
    api: Access, name: str, namespace: str, broker_class: str | None, seconds: float
) -> str:
    async with KubeClient(api, user_agent="hearth-event") as client:
        try:
            broker, _ = await ensured_broker(client, name, namespace, broker_class)
        except ApiError as error:
            raise UserError(error.message) from error
        try:
            async with time_limit(seconds):
                while not Conditions.of(broker).is_true("Ready"):
                    await asyncio.sleep(_LOOK_SECONDS)
                    broker = await client.get(BROKERS, name, namespace)
        except TimeoutError as error:
            raise UserError(
                f"broker {name} is not ready after {seconds:g} s: {_why(broker)}"
            ) from error
    return str(broker["status"]["address"]["url"])


def _why(broker: Object) -> str:
    found = [
        condition
        for condition in (broker.get("status") or {}).get("conditions") or ()
        if condition.get("status") != "True" and condition.get("message")
    ]
    return str(found[0]["message"]) if found else "no controller has looked at it"
