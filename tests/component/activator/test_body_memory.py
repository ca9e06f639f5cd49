"""Large bodies go through little memory: that of a process of its own, by the kernel's count.

The benchmark ``bodies`` does the same with 2 GB. Only a small body goes before, so the buffers that
a large one needs are counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.bench import carrying
from tests.bench.gateway_process import HOST
from tests.bench.memory import forget_peak, peak

MB = 1024 * 1024
WHOLE, MOST = 160 * MB, 20 * MB
_ROOT = Path(__file__).resolve().parents[3]


@contextlib.asynccontextmanager
async def process(module: str, *arguments: object) -> AsyncIterator[tuple[int, int]]:
    """A process that prints its port: the port, and its id."""
    made = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *map(str, arguments)),
        stdout=asyncio.subprocess.PIPE,
        cwd=_ROOT,
    )
    try:
        assert made.stdout is not None
        yield int(await asyncio.wait_for(made.stdout.readline(), 60)), made.pid
    finally:
        made.kill()
        await made.wait()


@pytest.mark.parametrize(
    "carry",
    [
        pytest.param(carrying.fetch, id="fetched"),
        pytest.param(carrying.send, id="sent"),
        pytest.param(functools.partial(carrying.send, chunked=True), id="sent-in-chunks"),
    ],
)
async def test_a_large_body_goes_through_little_memory(carry: Any) -> None:
    async with (
        process("tests.bench.bodies_app") as (app_port, _),
        process("tests.bench.gateway_process", app_port, 1) as (port, pid),
    ):
        await asyncio.to_thread(carry, port, HOST, 1024)
        before = forget_peak(pid)
        await asyncio.to_thread(carry, port, HOST, WHOLE)
        assert peak(pid) - before < MOST
