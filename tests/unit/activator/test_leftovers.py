"""Slots of requests that were given up: whatever ends one ends it once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from activator.backends import Backend
from activator.http.events import Lost, Reset, ResponseHead
from activator.http.timers import Expiring, Timers
from activator.leftovers import Leftovers
from activator.members import HAUNTED_SECONDS
from activator.pods import Pod


class World:
    """A backend, a stream and timers that only note what is asked of them."""

    def __init__(self) -> None:
        self.throttler = self
        self.demand = 1
        self.released = list[Pod]()
        self.admitted = self.resets = 0
        self.deadlines = list[tuple[Expiring, float]]()
        self.handler: Any = None
        self.pod = Pod(("h", 1))
        leftovers = Leftovers(cast(Timers, self))
        leftovers.leave(cast(Backend, self), self.pod, cast(Any, self))

    def clock(self) -> float:
        return 100.0

    def watch(self, item: Expiring, deadline: float) -> None:
        self.deadlines.append((item, deadline))

    def abandon(self, handler: Any) -> None:
        self.handler = handler

    def reset(self) -> None:
        self.resets += 1

    def release(self, pod: Pod) -> None:
        self.released.append(pod)

    def admit(self) -> None:
        self.admitted += 1


def test_it_is_kept_for_as_long_as_what_a_killed_activator_leaves() -> None:
    world = World()
    assert [deadline for _, deadline in world.deadlines] == [100.0 + HAUNTED_SECONDS]
    assert world.released == []


ENDS: dict[str, Callable[[Any], None]] = {
    "answer": lambda handler: handler.on_response(ResponseHead.of(200), True),
    "end": lambda handler: handler.on_response_end(()),
    "loss": lambda handler: handler.on_lost(Reset(Lost.CLOSED, "", has_begun=False)),
    "time": lambda handler: handler.expire(101.0),
}


@pytest.mark.parametrize("first", ENDS)
@pytest.mark.parametrize("second", ENDS)
def test_it_is_given_back_once(first: str, second: str) -> None:
    world = World()
    ENDS[first](world.handler)
    ENDS[second](world.handler)
    assert (world.released, world.admitted, world.resets) == ([world.pod], 1, 1)


def test_what_comes_in_between_ends_nothing() -> None:
    world = World()
    world.handler.on_informational(ResponseHead.of(103))
    world.handler.on_response(ResponseHead.of(200), False)
    world.handler.on_response_body(b"x")
    world.handler.on_request_window(False)
    assert (world.released, world.resets) == ([], 0)


def test_nobody_is_let_in_where_nobody_waits() -> None:
    world = World()
    world.demand = 0
    world.handler.on_response_end(())
    assert (world.released, world.admitted) == ([world.pod], 0)
