"""How long ``hearth up`` takes, what it holds when idle, what it burns when idle."""

from __future__ import annotations

import time

from hearth.cli.status import memory_bytes
from tests.bench.hearth import RunningHearth
from tests.bench.rows import Row, row
from tests.bench.targets import cpu_seconds

RUNS = 5
_IDLE_SECONDS = 10.0


def rows() -> list[Row]:
    starts, memory, cpu = [], [], []
    for _ in range(RUNS):
        with RunningHearth() as hearth:
            starts.append(hearth.started_in)
            time.sleep(2.0)  # let what start-up left over settle: this is the idle state
            pids = hearth.pids().values()
            memory.append(sum(memory_bytes(pid) for pid in pids) / 2**20)
            before, began = sum(map(cpu_seconds, pids)), time.monotonic()
            time.sleep(_IDLE_SECONDS)
            spent = sum(map(cpu_seconds, pids)) - before
            cpu.append(100 * spent / (time.monotonic() - began))
    return [
        row("`hearth up` to ready", starts, "s", at_most=2.5),
        row("whole memory, idle (PSS)", memory, "MiB", at_most=200),
        row("CPU, idle, of one core", cpu, "%", at_most=2),
    ]
