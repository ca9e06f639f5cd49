"""WebSocket messages echoed through the gateway, in turns with one Envoy worker."""

from __future__ import annotations

import contextlib
import subprocess
import sys

from tests.bench.peers import HOST, envoy, find_envoy
from tests.bench.rows import Row, row
from tests.bench.targets import ROOT, Target, cpu_seconds, gateway, python

RUNS, SECONDS, CONNECTIONS, OCTETS = 5, 3, 32, 64


def rows() -> list[Row]:
    """The table's rows."""
    with contextlib.ExitStack() as stack:
        app = stack.enter_context(python("tests.bench.bodies_app"))
        targets = {"hearth": stack.enter_context(gateway(app.port, 1000))}
        binary = find_envoy()
        if binary is not None:
            targets["envoy"] = stack.enter_context(envoy(binary, app.port))
        runs = [{name: _run(target) for name, target in targets.items()} for _ in range(RUNS)]
    ours = [run["hearth"] for run in runs]
    theirs = [run["envoy"] for run in runs if "envoy" in run]
    name = f"WebSocket messages of {OCTETS} octets echoed, {CONNECTIONS} connections"
    middle = RUNS // 2
    rates = {"envoy": sorted(rate for rate, _ in theirs)[middle]} if theirs else {}
    costs = {"envoy": sorted(cpu for _, cpu in theirs)[middle]} if theirs else {}
    found = [
        row(name, [rate for rate, _ in ours], "messages/s", peers=rates),
        row(f"CPU per message: {name}", [cpu for _, cpu in ours], "us", peers=costs),
    ]
    if theirs:
        ratios = [mine[0] / other[0] for mine, other in zip(ours, theirs, strict=True)]
        found.append(row(f"{name}: against one Envoy worker", ratios, "x", at_least=1.0))
    return found


def _run(target: Target) -> tuple[float, float]:
    """Messages a second, and microseconds of CPU for each."""
    before = cpu_seconds(target.pid)
    arguments = [target.port, HOST, CONNECTIONS, SECONDS, OCTETS]
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.echo_load", *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        cwd=ROOT,
    )
    spent = cpu_seconds(target.pid) - before
    count, seconds = done.stdout.split()
    return int(count) / float(seconds), spent / int(count) * 1e6
