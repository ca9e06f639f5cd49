"""Carries plans out: the only writer of the controllers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hearth.kube.client import KubeClient
from hearth.kube.errors import AlreadyExists, Conflict, NotFound, Retryable
from hearth.kube.meta import Object
from hearth.kube.plan import Create, Delete, Event, Patch, Plan, Update, UpdateStatus, Write
from hearth.kube.resources import Resource

Seen = Callable[[Resource, Object], None]
"""Told of every object the server answered with, for instance to put it into a cache."""
Record = Callable[[Event], None]
"""Takes an Event to be written in the background."""


async def apply_plan(
    client: KubeClient, plan: Plan, *, manager: str, record: Record, seen: Seen | None = None
) -> None:
    """Carry a plan out. Raise ``Retryable`` where the objects were changed meanwhile.

    The actions of a stage run side by side; its Events are recorded when all of them are done.
    """
    for stage in (plan.actions, plan.then):
        if not stage:
            continue
        writes = [action for action in stage if not isinstance(action, Event)]
        await _run_stage(client, writes, manager=manager, seen=seen)
        for action in stage:
            if isinstance(action, Event):
                record(action)


async def _run_stage(
    client: KubeClient, writes: list[Write], *, manager: str, seen: Seen | None
) -> None:
    if len(writes) == 1:  # the common case, without a task of its own
        await _act(client, writes[0], manager=manager, seen=seen)
        return
    outcomes = await asyncio.gather(
        *(_act(client, write, manager=manager, seen=seen) for write in writes),
        return_exceptions=True,
    )
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome


async def _act(client: KubeClient, write: Write, *, manager: str, seen: Seen | None) -> None:
    try:
        if isinstance(write, Delete):
            await _delete(client, write)
            return
        answer = await _write(client, write, manager=manager)
    except (Conflict, AlreadyExists) as error:
        raise Retryable(error.message) from error
    if seen is not None:
        seen(write.resource, answer)


async def _write(
    client: KubeClient, action: Create | Update | UpdateStatus | Patch, *, manager: str
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
