"""samples/keda, samples/http-add-on and samples/coffeeshop, as their READMEs have them."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.component.keda import servers
from tests.e2e.support import SAMPLES, Answer, Hearth, wait_until


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[int]:
    with servers.redis(tmp_path) as port:
        yield port


def ask(port: int, *words: str) -> str:
    """One command to Redis; the value, or the first line of the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        stream = connection.makefile("rw", newline="\r\n")
        stream.write(" ".join(words) + "\n")
        stream.flush()
        line = stream.readline().strip()
        return stream.readline().strip() if line.startswith("$") and line != "$-1" else line


def apply(hearth: Hearth, name: str, redis: int) -> None:
    text = (SAMPLES / "keda" / name).read_text().replace("127.0.0.1:6379", f"127.0.0.1:{redis}")
    hearth.kubectl("apply", "-f", "-", stdin=text)


def replicas(hearth: Hearth, name: str) -> int:
    return int(hearth.get_json("deployment", name)["spec"]["replicas"])


def get(hearth: Hearth, host: str, path: str) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", hearth.port, timeout=60)
    try:
        connection.request("GET", path, headers={"Host": host})
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, response.read().decode(), headers)
    finally:
        connection.close()


def test_a_queue_is_drained_and_its_workers_vanish(hearth: Hearth, redis: int) -> None:
    apply(hearth, "worker.yaml", redis)
    hearth.kubectl("wait", "--for=condition=Ready", "so/worker", "--timeout=90s")
    assert replicas(hearth, "worker") == 0
    ask(redis, "LPUSH", "jobs", *map(str, range(300)))
    wait_until(lambda: replicas(hearth, "worker") == 3, what="a worker for each hundred")
    wait_until(lambda: ask(redis, "GET", "jobs:done") == "300", what="every job, once", seconds=60)
    wait_until(lambda: replicas(hearth, "worker") == 0, what="no worker")
    assert ask(redis, "GET", "jobs:done") == "300"
    hearth.kubectl("delete", "so,deployment", "worker", "--timeout=90s")


def test_a_job_is_started_for_each_entry(hearth: Hearth, redis: int) -> None:
    apply(hearth, "job.yaml", redis)
    hearth.kubectl("wait", "--for=condition=Ready", "sj/batch", "--timeout=90s")
    ask(redis, "LPUSH", "batches", *"abcde")
    wait_until(lambda: ask(redis, "GET", "batches:done") == "5", what="five Jobs", seconds=60)
    jobs = hearth.get_json("jobs", "-l", "scaledjob.keda.sh/name=batch")["items"]
    assert len(jobs) == 5
    hearth.kubectl("delete", "sj", "batch", "--timeout=90s")
    wait_until(lambda: not hearth.get_json("jobs")["items"], what="the Jobs go with it")


def test_requests_wake_what_the_add_on_routes(hearth: Hearth) -> None:
    hearth.kubectl("apply", "-f", str(SAMPLES / "http-add-on"))
    hearth.kubectl("wait", "--for=condition=Ready", "ir/sample-app", "--timeout=90s")
    hearth.kubectl("wait", "--for=condition=Ready", "so/sample-app", "so/xkcd", "--timeout=90s")
    asleep = get(hearth, "sample-app.example.com", "/healthz")
    assert (asleep.status, asleep.body) == (200, "asleep\n")
    assert replicas(hearth, "sample-app") == 0
    woken = get(hearth, "sample-app.example.com", "/")
    assert (woken.status, woken.body) == (200, "Hello World!\n")
    assert woken.headers["x-keda-http-cold-start"] == "true"
    assert get(hearth, "myhost.com", "/test").body == "Hello xkcd!\n"
    assert get(hearth, "myhost.com", "/elsewhere").status == 404
    wait_until(lambda: replicas(hearth, "sample-app") == 0, what="asleep again", seconds=60)
    hearth.kubectl("delete", "-f", str(SAMPLES / "http-add-on"), "--timeout=90s")


def typed(hearth: Hearth, block: int) -> str:
    """What the lines of a block of the coffee shop's README print, but for those that never end."""
    text = (SAMPLES / "coffeeshop" / "README.md").read_text()
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    lines = [body for language, body in fenced if not language][block].splitlines()
    never = re.compile(r"hearth up|export |open |.* -w\b")
    script = "\n".join(line for line in lines if not never.match(line))
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "KUBECONFIG": hearth.kubeconfig,
        "HEARTH_DATA_DIR": str(hearth.data_dir),
        "no_proxy": "*",
    }
    done = subprocess.run(
        ["bash", "-e", "-c", script.replace(":8080", f":{hearth.port}")],
        cwd=SAMPLES.parent,
        env=environment,
        timeout=120,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_the_coffee_shop_by_the_lines_of_its_readme(hearth: Hearth) -> None:
    if shutil.which("curl") is None:
        pytest.skip("there is no curl on the path: what the README has typed was not tested")

    def counts() -> dict[str, int]:
        try:
            found: dict[str, int] = json.loads(get(hearth, "coffeeshop.localhost", "/queue").body)
        except ValueError:  # the board is being started again
            return {"ordered": 0, "made": -1}
        return found

    said = typed(hearth, 0)
    assert "in the queue" in said and '"making"' in said and "choose one of" in said
    assert re.search(r"metrics-api +\d+ +ceil", said) and "/samples/coffeeshop" in said, said
    typed(hearth, 1)
    wait_until(lambda: counts()["made"] == 52, seconds=60, what=f"every coffee: {counts()}")
    assert counts()["ordered"] == 52
    hearth.kubectl("delete", "-f", str(SAMPLES / "coffeeshop"), "--timeout=90s")
