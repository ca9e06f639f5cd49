"""The component ``pipelines``: takes events, runs scripts and their jobs, tells how they ended.

On ``hearth.kube``'s own controllers and not on kopf: a run is many small steps in a hurry, each of
which reads what the last one wrote, and kopf's import alone is 0.4 s and 61 MB.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from eventing.runtime.policy import DeliveryPolicy
from eventing.runtime.target import Address
from eventing.sources.sender import Sender
from hearth.kube import meta
from hearth.kube.client import KubeClient
from hearth.kube.errors import AlreadyExists, NotFound
from hearth.kube.manager import Manager
from hearth.kube.meta import Object
from hearth.kube.resources import SECRETS
from hearth.pipelines.answers import Answers
from hearth.pipelines.controller import Changes, Control
from hearth.pipelines.server import Server
from hearth.pipelines.settings import Settings

NAME, NAMESPACE = "hearth-pipelines", "knative-eventing"


@dataclass(frozen=True, slots=True)
class PipelinesConfig:
    """How the component is set up."""

    kubeconfig: Path
    settings: Settings
    host: str = "127.0.0.1"
    port: int = 0
    """Where events and scripts reach it."""
    gateway: Address | None = None
    """What takes what is for in-cluster names, where they cannot be resolved."""


async def run(config: PipelinesConfig, ready: Callable[[], None]) -> None:
    """Work until cancelled; ready once events are taken."""
    async with (
        KubeClient.from_kubeconfig(config.kubeconfig, user_agent=NAME) as client,
        Sender(DeliveryPolicy(timeout_seconds=10.0), gateway=config.gateway) as sender,
    ):
        manager, changes = Manager(client, name=NAME), Changes()
        secret = await own_secret(client)
        control = Control(manager, config.settings, partial(token_of, secret), changes)
        control.add()
        Answers(manager, sender).add()
        async with asyncio.TaskGroup() as group:
            synced = asyncio.Event()
            group.create_task(manager.run(synced.set), name=manager.name)
            await synced.wait()
            async with Server(control).serving(config.host, config.port):
                ready()
                await asyncio.Event().wait()


async def own_secret(client: KubeClient) -> bytes:
    """Return what the tokens of runs are made of; made at the first start, and kept."""
    metadata = {"name": NAME, "namespace": NAMESPACE}
    while True:
        try:
            found = await client.get(SECRETS, NAME, NAMESPACE)
            return base64.b64decode(found["data"]["key"])
        except NotFound:
            pass
        data = {"key": base64.b64encode(secrets.token_bytes(32)).decode()}
        with contextlib.suppress(AlreadyExists):
            obj = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}
            await client.create(SECRETS, obj)


def token_of(secret: bytes, run: Object) -> str:
    """Return what the worker of a run shows: the same whenever it is asked for."""
    return hmac.new(secret, meta.uid(run).encode(), hashlib.sha256).hexdigest()
