"""What a reconciler decided to do, as data, and the one place where it is done."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hearth.kube import clock
from hearth.kube.client import MERGE_PATCH, KubeClient
from hearth.kube.errors import AlreadyExists, Conflict, NotFound, Retryable
from hearth.kube.meta import Object, name, namespace, uid
from hearth.kube.resources import EVENTS, Resource


@dataclass(frozen=True, slots=True)
class Create:
    resource: Resource
    obj: Object


@dataclass(frozen=True, slots=True)
class Update:
    """Replaces the object; its resourceVersion guards against writing over others' changes."""

    resource: Resource
    obj: Object


@dataclass(frozen=True, slots=True)
class UpdateStatus:
    resource: Resource
    obj: Object


@dataclass(frozen=True, slots=True)
class Patch:
    resource: Resource
    name: str
    namespace: str
    patch: Any
    content_type: str = MERGE_PATCH
    subresource: str = ""


@dataclass(frozen=True, slots=True)
class Delete:
    """Deletes one object; that it is gone already is as good."""

    resource: Resource
    namespace: str
    name: str
    propagation: str = "Background"
    uid: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """A Kubernetes Event about an object; ``type`` is Normal or Warning."""

    obj: Object
    type: str
    reason: str
    message: str


Action = Create | Update | UpdateStatus | Patch | Delete | Event


@dataclass(frozen=True, slots=True)
class Plan:
    """Actions of one stage may run side by side; stages run one after the other."""

    actions: tuple[Action, ...] = ()
    requeue_after: float | None = None
    then: tuple[Action, ...] = ()
    """Actions to run after ``actions``: for what must not be seen before them."""

    def __bool__(self) -> bool:
        return bool(self.actions or self.then)


Seen = Callable[[Resource, Object], None]
"""Told of every object the server answered, for instance to put it into a cache."""


async def apply_plan(
    client: KubeClient, plan: Plan, *, manager: str, seen: Seen | None = None
) -> float | None:
    """Carries a plan out. Raises Retryable where the world moved on meanwhile."""
    for stage in (plan.actions, plan.then):
        await _run_stage(client, stage, manager, seen)
    return plan.requeue_after


async def _run_stage(
    client: KubeClient, stage: tuple[Action, ...], manager: str, seen: Seen | None
) -> None:
    if len(stage) == 1:
        await _act(client, stage[0], manager, seen)
        return
    outcomes = await asyncio.gather(
        *(_act(client, action, manager, seen) for action in stage), return_exceptions=True
    )
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome


async def _act(client: KubeClient, action: Action, manager: str, seen: Seen | None) -> None:
    try:
        match action:
            case Delete():
                await _delete(client, action)
            case Event():
                await record_event(client, action, component=manager)
            case _:
                answer = await _write(client, action, manager)
                if seen is not None:
                    seen(action.resource, answer)
    except (Conflict, AlreadyExists) as error:
        raise Retryable(error.message) from error


async def _write(
    client: KubeClient, action: Create | Update | UpdateStatus | Patch, manager: str
) -> Object:
    match action:
        case Create():
            return await client.create(action.resource, action.obj, field_manager=manager)
        case Update():
            return await client.update(action.resource, action.obj)
        case UpdateStatus():
            return await client.update_status(action.resource, action.obj)
    return await client.patch(
        action.resource,
        action.name,
        action.namespace or None,
        action.patch,
        content_type=action.content_type,
        subresource=action.subresource,
    )


async def _delete(client: KubeClient, action: Delete) -> None:
    try:
        await client.delete(
            action.resource,
            action.name,
            action.namespace or None,
            propagation=action.propagation,
            uid=action.uid,
        )
    except NotFound:
        return


_serial = itertools.count(1)


async def record_event(client: KubeClient, event: Event, *, component: str) -> None:
    """Writes one Event. The name is unique in time and process; old ones expire by themselves."""
    now = clock.wall_clock()
    about = event.obj
    space = namespace(about) or "default"
    moment = clock.rfc3339(now)
    serial = f"{int(now * 1e9) + next(_serial):x}"
    body: Object = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{name(about)}.{serial}", "namespace": space},
        "involvedObject": {
            "apiVersion": about.get("apiVersion", ""),
            "kind": about.get("kind", ""),
            "name": name(about),
            "namespace": namespace(about),
            "uid": uid(about),
        },
        "type": event.type,
        "reason": event.reason,
        "message": event.message[:1024],
        "source": {"component": component},
        "firstTimestamp": moment,
        "lastTimestamp": moment,
        "count": 1,
    }
    try:
        await client.create(EVENTS, body)
    except NotFound:  # the namespace went away together with the object
        return
