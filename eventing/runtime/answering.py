"""Answers that take a while: worked out side by side, no more than so many at once."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence

from activator.http.events import ResponseHead
from activator.http.fields import Field, field_lines
from eventing.engines.seam import Refused
from eventing.runtime.answers import Respond, answer
from eventing.runtime.client import Answer, DeliveryClient
from eventing.runtime.request import post
from eventing.runtime.target import Target
from hearth.kube.guards import caught

_FAULT = answer(500, "internal error")


class Answering:
    """The answers of one kind of places that are being worked out."""

    def __init__(self, name: str, most: int, busy: str) -> None:
        """``busy`` is said when there are ``most`` already."""
        self._name = name
        self._most = most
        self._busy = busy
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, work: Coroutine[None, None, ResponseHead], respond: Respond) -> None:
        """Have an answer worked out; raise Refused where there are too many."""
        if len(self._tasks) >= self._most:
            work.close()
            raise Refused(self._busy, status=429)
        task = asyncio.create_task(self._answered(work, respond), name=self._name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: work.close())  # where it was given up before it began

    async def _answered(self, work: Coroutine[None, None, ResponseHead], respond: Respond) -> None:
        try:
            head = await work
        except Exception:
            caught(self._name)
            head = _FAULT
        respond(head)

    async def close(self) -> None:
        """Give up what is being worked out."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def ask(
    client: DeliveryClient,
    target: Target,
    fields: Sequence[Field],
    body: bytes,
    *,
    timeout_seconds: float,
) -> Answer:
    """Send one POST and wait for what comes back."""
    request = post(target, (field_lines(fields),), body)
    answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    def resolve(got: Answer) -> None:
        if not answered.done():
            answered.set_result(got)

    client.send(target, request, resolve, timeout_seconds=timeout_seconds)
    return await answered
