"""One run of wrk against one target, and the CPU time that the target spent for it."""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tests.bench.targets import Target, cpu_seconds

DIFFERING = """\
local number = 0
request = function()
  number = number + 1
  wrk.headers["X-Request-Id"] = string.format("%016x", number)
  return wrk.format("GET", "/items/" .. number)
end
"""
"""A script for requests of which each has a path and a field of its own."""


@dataclass(frozen=True, slots=True)
class Load:
    """What one run saw; ``cpu_us`` is the target's for one request."""

    rate: float
    p50_us: float
    p99_us: float
    cpu_us: float
    errors: int


def is_missing() -> bool:
    """Whether there is no wrk, which is then said."""
    missing = shutil.which("wrk") is None
    if missing:
        print("skipped, there is no wrk (Debian: apt-get install wrk)", file=sys.stderr)
    return missing


def run(
    target: Target,
    connections: int,
    seconds: int,
    host: str,
    *,
    core: int | None = None,
    script: str = "",
    scheme: str = "http",
    field: str = "",
) -> Load:
    """Ask for ``/`` as fast as one thread can, on this core if one is named, or by a script.

    ``field`` is one more of each request's.
    """
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency"]
    if field:
        command += ["-H", field]
    url = f"{scheme}://127.0.0.1:{target.port}/"
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        before = cpu_seconds(target.pid)
        done = subprocess.run(
            [*command, "-s", file.name, "-H", f"Host: {host}", url],
            capture_output=True,
            text=True,
            check=True,
            preexec_fn=_on_core(core),
        )
        spent = cpu_seconds(target.pid) - before
    count, took = re.search(r"(\d+) requests in ([\d.]+)s", done.stdout).groups()  # type: ignore[union-attr]
    failed = re.findall(r"(?:Non-2xx or 3xx responses:|timeout|read|write) (\d+)", done.stdout)
    return Load(
        rate=int(count) / float(took),
        p50_us=_percentile(done.stdout, 50),
        p99_us=_percentile(done.stdout, 99),
        cpu_us=spent / int(count) * 1e6,
        errors=sum(map(int, failed)),
    )


def median(loads: Iterable[Load], field: str) -> float:
    return float(statistics.median(getattr(load, field) for load in loads))


def _on_core(core: int | None) -> Callable[[], None] | None:
    return None if core is None else lambda: os.sched_setaffinity(0, {core})


def _percentile(text: str, number: int) -> float:
    found = re.search(rf"^\s+{number}%\s+([\d.]+)(us|ms|s)", text, re.M)
    assert found is not None, text
    return float(found[1]) * {"us": 1, "ms": 1e3, "s": 1e6}[found[2]]
