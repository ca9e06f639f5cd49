"""Carries plans out: the only writer of the controllers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial
from typing import Any

from hearth.kube.client import KubeClient
from hearth.kube.errors import (
    AlreadyExists,
    Conflict,
    Forbidden,
    NamespaceEnding,
    NameTaken,
    NotFound,
    Retryable,
    is_terminating,
)
from hearth.kube.meta import Object, controller_of, name, namespace
from hearth.kube.plan import Create, Delete, Event, Patch, Plan, Update, UpdateStatus, Write
from hearth.kube.resources import Resource

Seen = Callable[[Resource, Object], None]
"""Told of every object the server answered with, for instance to put it into a cache."""
Around = Callable[[Write], AbstractAsyncContextManager[None]]
"""Brackets a write: may have it wait, and may tell others of it while it is under way."""
Record = Callable[[Event], None]
"""Takes an Event to be written in the background."""


def _nobody_sees(_resource: Resource, _obj: Object) -> None:
    """Without caches an answer is for nobody."""


def _nothing_around(_write: Write) -> AbstractAsyncContextManager[None]:
    return nullcontext()


async def apply_plan(
    client: KubeClient,
    plan: Plan,
    *,
    manager: str,
    record: Record,
    seen: Seen = _nobody_sees,
    around: Around = _nothing_around,
) -> None:
    """Carry a plan out. Raise ``Retryable`` where the objects were changed meanwhile.

    The actions of a stage run side by side; its Events are recorded when all of them are done.
    """
    write = partial(_act, client, manager=manager, seen=seen, around=around)
    for stage in (plan.actions, plan.then):
        if not stage:
            continue
        await _run_stage([write(action) for action in stage if not isinstance(action, Event)])
        for action in stage:
            if isinstance(action, Event):
                record(action)


async def _run_stage(writes: list[Coroutine[Any, Any, None]]) -> None:
    if len(writes) == 1:  # the common case, without a task of its own
        await writes[0]
        return
    for outcome in await asyncio.gather(*writes, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


async def _act(
    client: KubeClient, write: Write, *, manager: str, seen: Seen, around: Around
) -> None:
    try:
        async with around(write):
            if isinstance(write, Delete):
                await _delete(client, write)
            else:
                seen(write.resource, await _write(client, write, manager=manager))
    except AlreadyExists as error:
        if isinstance(write, Create):
            await _check_owner(client, write, error)
        raise Retryable(error.message) from error
    except Conflict as error:
        raise Retryable(error.message) from error
    except Forbidden as error:
        if isinstance(write, Create) and is_terminating(error):
            raise NamespaceEnding(error.status, namespace(write.obj)) from error
        raise


async def _check_owner(client: KubeClient, create: Create, error: AlreadyExists) -> None:
    """Raise NameTaken where what is there is not what was made just now, or by another replica."""
    wanted = controller_of(create.obj)
    if wanted is None:
        return
    try:
        there = await client.get(create.resource, name(create.obj), namespace(create.obj) or None)
    except NotFound:
        return
    found = controller_of(there)
    if found is None or found["uid"] != wanted["uid"]:
        kind = create.resource.kind
        text = f'There is an existing {kind} "{name(there)}" that we do not own.'
        raise NameTaken({**error.status, "message": text}) from error


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
