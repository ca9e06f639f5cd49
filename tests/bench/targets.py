"""Programs under load: started, waited for, put on a core, looked at, ended."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Target:
    port: int
    pid: int


@contextlib.contextmanager
def python(module: str, *arguments: str) -> Iterator[Target]:
    """A module of ours that prints its port."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        assert process.stdout is not None
        yield Target(int(process.stdout.readline()), process.pid)
    finally:
        end(process)


def gateway(
    app_port: int, routes: int = 10_000, *more: str
) -> contextlib.AbstractContextManager[Target]:
    """The activator's data plane alone."""
    return python("tests.bench.gateway_process", str(app_port), str(routes), *more)


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Until something listens there."""
    for _ in range(200):
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(f"{process.args!r} does not listen")


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def listener(port: int) -> int:
    """Who listens at a port of this machine."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    sockets = {
        f"socket:[{fields[9]}]"
        for fields in lines
        if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port
    }
    for file in Path("/proc").glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):
            if os.readlink(file) in sockets:
                return int(file.parts[2])
    raise LookupError(f"nobody listens at port {port}")


def pin(pid: int, core: int) -> None:
    """Keep a process, all its threads, on one core."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(int(task.name), {core})


def cpu_seconds(pid: int) -> float:
    """What a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def end(process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
