"""What every test is held to: it leaves no task and no process behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# The machine may be busy with other tests: examples are bounded by number, never by time.
settings.register_profile(
    "hearth", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60
)
# By ``make fuzz``: as long as one likes.
settings.register_profile("long", settings.get_profile("hearth"), max_examples=20_000)
settings.load_profile("hearth")

# As every process of Hearth does: with the usual 1,024 files a thousand clients are too many.
_, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (_hard, _hard))


def _children() -> set[int]:
    found: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a thread that just ended
            found |= {int(pid) for pid in (task / "children").read_text().split()}
    return found


@pytest.fixture(autouse=True)
def _no_process_left() -> Iterator[None]:
    before = _children()
    yield
    left = _children() - before
    assert not left, f"the test left processes behind: {sorted(left)} of {os.getpid()}"


@pytest.fixture
async def _tasks_at_start() -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    yield
    left = {task for task in asyncio.all_tasks() - before if task is not asyncio.current_task()} - {
        task for task in before
    }
    assert not left, f"the test left tasks behind: {[task.get_name() for task in left]}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if isinstance(item, pytest.Function) and asyncio.iscoroutinefunction(item.obj):
            item.fixturenames.insert(0, "_tasks_at_start")
