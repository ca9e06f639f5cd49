"""Control groups of this machine: counters, limits and what became of who broke them."""

from __future__ import annotations

import asyncio
import os
import sys
import uuid
from collections.abc import Iterator

import pytest

from hearth.cluster.node.runtime.cgroups.files import Limits
from hearth.cluster.node.runtime.cgroups.group import Group
from hearth.cluster.node.runtime.cgroups.place import find_place

_HOG = "x = [bytearray(1 << 20) for _ in range(200)]"
_KILLED = "import os; os.kill(os.getpid(), 9)"
_FORKS = """
import os
made = 0
try:
    while made < 50:
        if os.fork() == 0:
            os.pause() if hasattr(os, "pause") else os.read(os.pipe()[0], 1)
        made += 1
except BlockingIOError:
    pass
print(made, flush=True)
os.killpg(0, 9)
"""


@pytest.fixture
def group() -> Iterator[Group]:
    place, why = find_place(f"hearth-test-{uuid.uuid4().hex[:8]}")
    if place is None:
        pytest.skip(f"this machine lets us make no control group: {why}")
    made = place.child("one")
    made.make()
    made.limit(Limits(cpu_millis=1000, memory_bytes=32 << 20, pids=10))
    yield made
    assert made.remove() and place.remove()


async def run_in(group: Group, code: str) -> tuple[int, str]:
    join = " ".join(f'echo 0 >"{file}";' for file in group.join_files())
    process = await asyncio.create_subprocess_exec(
        "sh", "-c", join + ' exec "$@"', "sh", sys.executable, "-S", "-c", code,
        stdout=asyncio.subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def test_counts_what_is_used(group: Group) -> None:
    code, _ = await run_in(group, "sum(range(2_000_000))")
    counters = group.read()
    assert code == 0 and counters is not None
    assert 0.01 < counters.cpu_seconds < 10
    assert counters.oom_kills == 0 and counters.pids == 0


@pytest.mark.parametrize("is_gone", [False, True])
@pytest.mark.parametrize(("code", "is_memory"), [(_HOG, True), (_KILLED, False)])
async def test_a_kill_for_memory_is_told_from_others(
    group: Group, code: str, *, is_memory: bool, is_gone: bool
) -> None:
    with group.watch_memory() as watch:
        ended, _ = await run_in(group, code)
        watch.look()
        if is_gone:
            assert group.remove()
            assert group.read() is None
        assert ended == -9
        assert await watch.has_killed() is is_memory


async def test_a_fork_bomb_ends_at_the_limit(group: Group) -> None:
    _, output = await run_in(group, _FORKS)
    assert int(output) <= 9


def test_the_own_group_is_read_and_that_of_nobody_is_none() -> None:
    own = Group.of(os.getpid())
    assert own is not None and own.folders == Group.of().folders  # type: ignore[union-attr]
    assert Group.of(2**22 + 1) is None
