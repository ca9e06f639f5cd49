"""HTTP/2 through the gateway: small GETs, and calls like gRPC's, one connection of 50 streams.

The peer is one Envoy worker, in turns with the gateway. Load comes from h2load; an application that
speaks HTTP/2 is nghttpd, whose answers have trailers as gRPC's have.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench.peers import HOST, envoy, find_envoy
from tests.bench.rows import Row, row
from tests.bench.targets import Target, cpu_seconds, end, gateway, python
from tests.ports import free_port

RUNS, REQUESTS, STREAMS = 5, 60_000, 50
MESSAGE = b"\x00\x00\x00\x00\x07\n\x05world"
_GRPC = ("content-type: application/grpc", "te: trailers", "grpc-accept-encoding: identity, gzip")


@dataclass(frozen=True, slots=True)
class Load:
    """What one run of h2load saw, and the CPU that the target spent per request."""

    rate: float
    cpu_us: float
    errors: int


def rows() -> list[Row]:
    """The table's rows."""
    missing = [name for name in ("h2load", "nghttpd") if shutil.which(name) is None]
    if missing:
        hint = "Debian: apt-get install nghttp2-client nghttp2-server"
        print(f"http2: skipped, there is no {' and no '.join(missing)} ({hint})", file=sys.stderr)
        return []
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "index.html").write_bytes(MESSAGE)
        old = stack.enter_context(python("tests.bench.warm_app")).port
        new = stack.enter_context(_nghttpd(folder)).port
        binary = find_envoy()

        def both(port: int, *, http2: bool) -> dict[str, Target]:
            more = ("http2",) if http2 else ()
            found = {"hearth": stack.enter_context(gateway(port, 1000, *more))}
            if binary is not None:
                found["envoy"] = stack.enter_context(envoy(binary, port, http2=http2))
            return found

        gets = _runs(both(old, http2=False), [])
        body = ["-d", str(folder / "index.html")]
        for line in _GRPC:
            body += ["-H", line]
        calls = _runs(both(new, http2=True), body)
    return [
        *_rows("HTTP/2 small GET, to HTTP/1.1", gets),
        *_rows("calls like gRPC's, to HTTP/2", calls),
    ]


def _runs(targets: dict[str, Target], more: list[str]) -> dict[str, list[Load]]:
    found: dict[str, list[Load]] = {name: [] for name in targets}
    for target in targets.values():
        _h2load(target, more)
    for _ in range(RUNS):
        for name, target in targets.items():
            found[name].append(_h2load(target, more))
    return found


def _rows(what: str, loads: dict[str, list[Load]]) -> Iterator[Row]:
    peers = {name: each for name, each in loads.items() if name != "hearth"}
    for name, unit in (("rate", "requests/s"), ("cpu_us", "us")):
        runs = [getattr(load, name) for load in loads["hearth"]]
        medians = {
            peer: float(statistics.median(getattr(load, name) for load in each))
            for peer, each in peers.items()
        }
        label = what if name == "rate" else f"CPU per request: {what}"
        yield row(label, runs, unit, peers=medians)
    if "envoy" in loads:
        pairs = zip(loads["hearth"], loads["envoy"], strict=True)
        ratios = [ours.rate / theirs.rate for ours, theirs in pairs]
        yield row(f"{what}: against one Envoy worker", ratios, "x", at_least=0.5)
    failed = [float(load.errors) for load in loads["hearth"]]
    yield row(f"{what}: failed", failed, "", at_most=0)


def _h2load(target: Target, more: list[str]) -> Load:
    before = cpu_seconds(target.pid)
    command = ["h2load", "-n", str(REQUESTS), "-c", "1", "-m", str(STREAMS), "-t", "1"]
    done = subprocess.run(
        [
            *command,
            "-H",
            f":authority: {HOST}",
            *more,
            f"http://127.0.0.1:{target.port}/index.html",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    spent = cpu_seconds(target.pid) - before
    rate = float(re.search(r"finished in \S+, ([\d.]+) req/s", done.stdout)[1])  # type: ignore[index]
    good = int(re.search(r"status codes: (\d+) 2xx", done.stdout)[1])  # type: ignore[index]
    return Load(rate, spent / REQUESTS * 1e6, REQUESTS - good)


@contextlib.contextmanager
def _nghttpd(folder: Path) -> Iterator[Target]:
    port = free_port()
    process = subprocess.Popen(
        ["nghttpd", "--no-tls", "--trailer", "grpc-status: 0", "-d", str(folder), str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(200):
            with socket.socket() as sock:
                if sock.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.02)
        yield Target(port, process.pid)
    finally:
        end(process)
