"""A moment that was promised is waited for, though the loop's timers come early."""

import ast
import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.kube.timers import Timer, pause
from tests.virtualtime import VirtualLoop

ROOT = Path(__file__).parents[4]
EARLY = 0.001


@pytest.fixture
def loop():
    made = VirtualLoop(early_seconds=EARLY)
    yield made
    made.close()


def run(loop, work, seconds=100.0):
    loop.until = loop.now + seconds
    return loop.run_until_complete(work)


def test_the_loop_of_these_tests_is_early(loop):
    run(loop, asyncio.sleep(1))
    assert 1 - EARLY <= loop.now < 1


@given(st.lists(st.floats(-1, 10), min_size=1, max_size=10))
def test_a_timer_comes_once_and_not_before_its_moment(waits):
    loop = VirtualLoop(early_seconds=EARLY)
    came: list[Any] = []

    async def wind():
        for number, seconds in enumerate(waits):
            Timer(seconds, lambda number: came.append((number, loop.now)), number, clock=loop.time)
        await asyncio.sleep(11)

    run(loop, wind())
    loop.close()
    assert sorted(number for number, _ in came) == list(range(len(waits)))
    for number, at in came:
        assert waits[number] <= at <= max(waits[number], 0) + 2 * EARLY


def test_a_cancelled_timer_never_comes(loop):
    came: list[Any] = []

    async def wind():
        before = Timer(1, came.append, "before", clock=loop.time)
        between = Timer(2, came.append, "between", clock=loop.time)
        before.cancel()
        await asyncio.sleep(2)  # early: the loop's timer has fired, and another one is wound
        between.cancel()
        await asyncio.sleep(2)

    run(loop, wind())
    assert came == []


@pytest.mark.parametrize("seconds", [0.0, 0.0004, 1.0, 7.5])
def test_a_pause_is_no_shorter_than_asked_for(loop, seconds):
    run(loop, pause(seconds, clock=loop.time))
    assert seconds <= loop.now <= seconds + 2 * EARLY


def test_no_pause_at_all_lets_others_run(loop):
    ran: list[str] = []

    async def both():
        loop.call_soon(ran.append, "other")
        await pause(-1, clock=loop.time)
        return list(ran)

    assert run(loop, both()) == ["other"]


LOOKS_AT_ITS_CLOCK = {"activator/http/timers.py": "what is due is told by the wheel's own clock"}
NOBODY_WAITS = {
    "activator/http/h1/client.py": "when the last bytes of a tunnel that was cut are given up",
    "activator/reporter.py": "how often autoscalers are told, not when",
    "activator/tunnels.py": "how long a head may take: whom it ends has promised, not we",
}


def test_the_data_planes_wind_no_timer_of_their_own():
    """Each would be a promise that is broken by a millisecond."""
    found = set()
    for part in ("eventing", "activator"):
        for path in (ROOT / part).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Attribute) and node.attr in ("call_later", "call_at"):
                    found.add(path.relative_to(ROOT).as_posix())
    assert found == LOOKS_AT_ITS_CLOCK.keys() | NOBODY_WAITS.keys()
