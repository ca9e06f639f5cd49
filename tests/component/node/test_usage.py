"""What the node tells of usage, by its socket, without an API server."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest

from hearth.cluster.node import usageserver
from hearth.cluster.node.runtime.api import Usage
from hearth.cluster.node.usageserver import LONGEST_PATH, UsageServer, socket_path

Object = dict[str, Any]


class Machine:
    """A clock, and a container that uses half a core by it."""

    def __init__(self) -> None:
        self.now, self.reads = 1000.0, 0
        self.fails = False

    def clock(self) -> float:
        return self.now

    def usage(self) -> list[Usage]:
        if self.fails:
            raise RuntimeError("no /proc today")
        self.reads, self.now = self.reads + 1, self.now + 0.5
        return [Usage("default", "web", "main", self.now / 2, 4096)]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr(usageserver, "FIRST_SECONDS", 0.0)
    return Machine()


async def ask(path: Path) -> bytes:
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        return await reader.read()
    finally:
        writer.close()


def cpu(document: bytes) -> int:
    uses = {tuple(use["name"]): use for use in orjson.loads(document)["uses"]}
    return int(uses["default", "web", "main"]["cpu"])


async def test_readings_are_made_by_questions_and_shared(machine: Machine, tmp_path: Path) -> None:
    path = socket_path(tmp_path)
    async with UsageServer("node", machine.usage, machine.clock).listening(path):
        assert machine.reads == 0
        answers = await asyncio.gather(*(ask(path) for _ in range(5)))
        assert [cpu(each) for each in answers] == [500_000_000] * 5
        assert machine.reads == 2
        machine.now += 2
        await ask(path)
        assert machine.reads == 3
        machine.now += 3600
        await ask(path)
        assert machine.reads == 5
        assert path.stat().st_mode & 0o777 == 0o600


async def test_what_cannot_be_read_is_told_to_nobody(machine: Machine, tmp_path: Path) -> None:
    path, machine.fails = socket_path(tmp_path), True
    async with UsageServer("node", machine.usage, machine.clock).listening(path):
        assert await ask(path) == b""
        machine.fails = False
        assert cpu(await ask(path)) == 500_000_000


async def test_its_end_waits_for_no_question(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usageserver, "FIRST_SECONDS", 3600.0)
    path = socket_path(tmp_path)
    async with UsageServer("node", machine.usage, machine.clock).listening(path):
        asking = asyncio.create_task(ask(path))
        async with asyncio.timeout(60):
            while not machine.reads:
                await asyncio.sleep(0.001)
    assert await asking == b""


async def test_a_path_too_long_for_a_socket_is_left(machine: Machine, tmp_path: Path) -> None:
    path = tmp_path / ("x" * LONGEST_PATH)
    async with UsageServer("node", machine.usage, machine.clock).listening(path):
        assert not path.exists()
