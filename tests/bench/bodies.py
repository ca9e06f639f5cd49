"""Bodies through the gateway, both ways: 64 KB and 1 MB beside an Envoy worker; memory at 2 GB.

In turns with the peer, by wrk (HTTP/1.1) and h2load (HTTP/2 from clients, to an application of
either version), each run's CPU time beside its rate.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench import carrying
from tests.bench.http2 import _nghttpd
from tests.bench.memory import forget_peak, peak
from tests.bench.peers import HOST, envoy, find_envoy
from tests.bench.rows import Row, row
from tests.bench.targets import Target, cpu_seconds, gateway, python

RUNS, SECONDS = 5, 2
SIZES = {"64 KB": 64 * 1024, "1 MB": 1024 * 1024}
LARGE = 2 * 1024**3
_UPLOAD = """
local file = io.open("%s", "rb")
wrk.method = "POST"
wrk.body = file:read("*a")
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What one run saw, and the CPU that the target spent per request."""

    rate: float
    cpu_us: float
    errors: int


@dataclass(frozen=True, slots=True)
class Kind:
    """One way of carrying a body."""

    name: str
    size: int
    is_upload: bool
    by_h2: bool


def rows() -> list[Row]:
    """The table's rows."""
    missing = [name for name in ("wrk", "h2load", "nghttpd") if shutil.which(name) is None]
    if missing:
        hint = "Debian: apt-get install wrk nghttp2-client nghttp2-server"
        print(f"bodies: skipped, there is no {' and no '.join(missing)} ({hint})", file=sys.stderr)
        return []
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for size in SIZES.values():
            (folder / str(size)).write_bytes(bytes(size))
            (folder / f"{size}.lua").write_text(_UPLOAD % (folder / str(size)))
        old = stack.enter_context(python("tests.bench.bodies_app")).port
        new = stack.enter_context(_nghttpd(folder)).port
        found = list(_against_envoy(stack, folder, old, is_h2_app=False))
        found += _against_envoy(stack, folder, new, is_h2_app=True)
        target = stack.enter_context(gateway(old, 1))
        found += [_memory(target, is_upload=False), _memory(target, is_upload=True)]
    return found


def kinds(*, is_h2_app: bool) -> Iterator[Kind]:
    for by_h2 in (True,) if is_h2_app else (False, True):
        version = "HTTP/2" if by_h2 else "HTTP/1.1"
        onward = ", to HTTP/2" if is_h2_app else ", to HTTP/1.1" if by_h2 else ""
        for size_name, size in SIZES.items():
            for is_upload in (False, True):
                way = "sent" if is_upload else "fetched"
                yield Kind(f"{size_name} {way}, {version}{onward}", size, is_upload, by_h2)


def _against_envoy(
    stack: contextlib.ExitStack, folder: Path, app_port: int, *, is_h2_app: bool
) -> Iterator[Row]:
    more = ("http2",) if is_h2_app else ()
    targets = {"hearth": stack.enter_context(gateway(app_port, 1000, *more))}
    binary = find_envoy()
    if binary is not None:
        targets["envoy"] = stack.enter_context(envoy(binary, app_port, http2=is_h2_app))
    for kind in kinds(is_h2_app=is_h2_app):
        loads: dict[str, list[Load]] = {name: [] for name in targets}
        for _ in range(RUNS):
            for name, target in targets.items():
                loads[name].append(measured(target, folder, kind))
        yield from _rows(kind.name, loads)


def _rows(name: str, loads: dict[str, list[Load]]) -> Iterator[Row]:
    ours = loads.pop("hearth")
    peers = {peer: _median(each, "rate") for peer, each in loads.items()}
    yield row(name, [load.rate for load in ours], "requests/s", peers=peers)
    cpu = {peer: _median(each, "cpu_us") for peer, each in loads.items()}
    yield row(f"CPU per request: {name}", [load.cpu_us for load in ours], "us", peers=cpu)
    for each in loads.values():
        ratios = [mine.rate / theirs.rate for mine, theirs in zip(ours, each, strict=True)]
        yield row(f"{name}: against one Envoy worker", ratios, "x", at_least=1.0)
    yield row(f"{name}: failed", [float(load.errors) for load in ours], "", at_most=0)


def _median(loads: list[Load], field: str) -> float:
    return float(statistics.median(getattr(load, field) for load in loads))


def measured(target: Target, folder: Path, kind: Kind) -> Load:
    """One run of the load generator."""
    before = cpu_seconds(target.pid)
    done = (_h2load if kind.by_h2 else _wrk)(target, folder, kind)
    spent = cpu_seconds(target.pid) - before
    rate, count, errors = done
    return Load(rate, spent / count * 1e6, errors)


def _wrk(target: Target, folder: Path, kind: Kind) -> tuple[float, int, int]:
    command = ["wrk", "-t1", "-c16", f"-d{SECONDS}s", "-H", f"Host: {HOST}"]
    if kind.is_upload:
        command += ["-s", str(folder / f"{kind.size}.lua")]
    done = _run([*command, f"http://127.0.0.1:{target.port}/{kind.size}"])
    count, seconds = re.search(r"(\d+) requests in ([\d.]+)s", done).groups()  # type: ignore[union-attr]
    failed = re.findall(r"(?:Non-2xx or 3xx responses:|timeout|read|write) (\d+)", done)
    return int(count) / float(seconds), int(count), sum(map(int, failed))


def _h2load(target: Target, folder: Path, kind: Kind) -> tuple[float, int, int]:
    command = ["h2load", "-D", str(SECONDS), "-c", "4", "-m", "4", "-t", "1"]
    command += ["-H", f":authority: {HOST}"]
    if kind.is_upload:
        command += ["-d", str(folder / str(kind.size))]
    done = _run([*command, f"http://127.0.0.1:{target.port}/{kind.size}"])
    rate = float(re.search(r"finished in \S+, ([\d.]+) req/s", done)[1])  # type: ignore[index]
    good = int(re.search(r"status codes: (\d+) 2xx", done)[1])  # type: ignore[index]
    failed = re.search(r"(\d+) failed, (\d+) errored, (\d+) timeout", done)
    assert failed is not None
    return rate, good, sum(map(int, failed.groups()))


def _run(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


# -- memory ---------------------------------------------------------------------------------------


def _memory(gateway: Target, *, is_upload: bool) -> Row:
    carry = carrying.send if is_upload else carrying.fetch
    carry(gateway.port, HOST, 1024)
    before = forget_peak(gateway.pid)
    carry(gateway.port, HOST, LARGE)
    grown = (peak(gateway.pid) - before) / 1e6
    way = "sent" if is_upload else "fetched"
    return row(f"memory for a body of 2 GB {way}, HTTP/1.1", [grown], "MB", at_most=20)
