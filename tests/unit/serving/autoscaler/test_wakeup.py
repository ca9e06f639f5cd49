from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable

import pytest

from hearth.kube.errors import Unavailable
from hearth.kube.meta import Key
from hearth.kube.plan import Patch, Plan
from hearth.kube.resources import DEPLOYMENTS
from serving.autoscaler.wakeup import QUIET_SECONDS, Wakeups

KEY = ("ns", "function")


class ExampleTarget:
    """A Deployment that no Revision stands behind, and everything that is done to it."""

    def __init__(self) -> None:
        self.ready = 0
        self.is_scaled = False
        self.applied: list[Plan] = []
        self.looked: list[Key] = []
        self.retried: list[Key] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.error: Exception | None = None
        self.wakeups = Wakeups(
            self,
            apply=self._apply,
            spawn=self._spawn,
            look=self.looked.append,
            retry=self.retried.append,
        )

    def ready_pods(self, key: Key) -> int:
        return self.ready

    def scale_patch(self, key: Key) -> Patch | None:
        patch = Patch(DEPLOYMENTS, key[1], key[0], {"spec": {"replicas": 1}})
        return None if self.is_scaled else patch

    async def _apply(self, plan: Plan) -> None:
        self.applied.append(plan)
        if self.error is not None:
            raise self.error

    def _spawn(self, name: str, work: Awaitable[None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        assert isinstance(task, asyncio.Task)
        self.tasks.append(task)
        return task

    async def done(self) -> None:
        await asyncio.gather(*self.tasks)


@pytest.fixture
async def target() -> AsyncIterator[ExampleTarget]:
    target = ExampleTarget()
    yield target
    with contextlib.suppress(asyncio.CancelledError):
        await target.done()


async def test_whatever_sleeps_is_scaled_before_its_controller_looks(
    target: ExampleTarget,
) -> None:
    target.wakeups.wake(KEY)
    await target.done()
    (plan,) = target.applied
    assert plan.actions == (Patch(DEPLOYMENTS, "function", "ns", {"spec": {"replicas": 1}}),)
    assert target.looked == []


async def test_it_is_scaled_once_however_often_it_is_asked_for(target: ExampleTarget) -> None:
    target.wakeups.wake(KEY)
    target.wakeups.wake(KEY)
    await target.done()
    assert len(target.applied) == 1
    assert target.looked == [KEY]
    target.wakeups.wake(KEY)
    await target.done()
    assert len(target.applied) == 2


async def test_what_is_scaled_already_is_left_to_its_controller(target: ExampleTarget) -> None:
    target.is_scaled = True
    target.wakeups.wake(KEY)
    assert (target.applied, target.looked) == ([], [KEY])
    assert target.wakeups.quiet_seconds(KEY) == 0


async def test_a_write_that_failed_is_tried_again_with_back_off(target: ExampleTarget) -> None:
    target.error = Unavailable({"message": "away", "code": 503})
    target.wakeups.wake(KEY)
    await target.done()
    assert target.retried == [KEY]


async def test_it_is_quiet_until_a_pod_is_ready(target: ExampleTarget) -> None:
    target.wakeups.wake(KEY)
    assert 0 < target.wakeups.quiet_seconds(KEY) <= QUIET_SECONDS
    assert target.wakeups.quiet_seconds(("ns", "other")) == 0
    target.ready = 1
    assert target.wakeups.quiet_seconds(KEY) == 0
    target.ready = 0
    assert target.wakeups.quiet_seconds(KEY) == 0, "quiet does not come back by itself"
