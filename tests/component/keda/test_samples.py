"""The samples of KEDA's kinds: the API takes them as they are, and the worker works."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from hearth.kube.resources import Resource
from tests.component.keda.test_admission import running
from tests.ports import free_port

SAMPLES = Path(__file__).parents[3] / "samples"
FILES = sorted(path for name in ("keda", "http-add-on") for path in (SAMPLES / name).glob("*.yaml"))


async def test_every_sample_is_taken(tmp_path: Path) -> None:
    objects = [obj for path in FILES for obj in yaml.safe_load_all(path.read_text())]
    async with running(tmp_path) as client:
        for obj in objects:
            group, _, version = obj["apiVersion"].rpartition("/")
            plural = f"{obj['kind'].lower()}s"
            resource = Resource(group, version, plural, obj["kind"])
            made = await client.create(
                resource, obj | {"metadata": {**obj["metadata"], "namespace": "default"}}
            )
            assert made["metadata"]["uid"]
    assert len(FILES) == 6


def worker(port: int, **env: str) -> subprocess.Popen[str]:
    given = {"PATH": os.environ["PATH"], "REDIS": f"127.0.0.1:{port}", "SECONDS": "0", **env}
    command = [sys.executable, "-S", "-E", str(SAMPLES / "worker" / "worker.py")]
    return subprocess.Popen(
        command, env=given, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def ask(port: int, *words: str) -> str:
    """One command to Redis; the first line of its answer, or the one value."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        stream = connection.makefile("rw", newline="\r\n")
        stream.write(" ".join(words) + "\n")
        stream.flush()
        line = stream.readline().strip()
        return stream.readline().strip() if line.startswith("$") and line != "$-1" else line


def test_each_job_is_done_once(redis_port: int) -> None:
    ask(redis_port, "LPUSH", "once", *map(str, range(200)))
    two = [worker(redis_port, LIST="once", JOBS="1000") for _ in range(2)]
    done = [each.communicate(timeout=60)[0] for each in two]
    assert ask(redis_port, "GET", "once:done") == "200"
    assert sum(int(text.removeprefix("done: ")) for text in done) == 200


def test_a_worker_ends_after_its_share(redis_port: int) -> None:
    ask(redis_port, "LPUSH", "share", "a", "b", "c")
    assert worker(redis_port, LIST="share", JOBS="1").communicate(timeout=60)[0] == "done: 1\n"
    assert ask(redis_port, "LLEN", "share") == ":2"


def test_a_worker_that_is_told_to_end_finishes_its_job(redis_port: int) -> None:
    process = worker(redis_port, LIST="told", SECONDS="0.2")
    ask(redis_port, "LPUSH", "told", "a")
    while ask(redis_port, "LLEN", "told") != ":0":
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "done: 1\n")
    assert ask(redis_port, "GET", "told:done") == "1"


def test_a_redis_that_is_away_is_named() -> None:
    port = free_port()
    process = worker(port)
    assert f"Redis at 127.0.0.1:{port}: " in process.communicate(timeout=60)[1]
    assert process.returncode == 1


@pytest.mark.parametrize("folder", ["keda", "http-add-on"])
def test_each_file_is_told_of(folder: str) -> None:
    text = (SAMPLES / folder / "README.md").read_text()
    files = [path.name for path in FILES if path.parent.name == folder]
    assert [name for name in files if f"`{name}`" not in text] == []
