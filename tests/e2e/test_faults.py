"""Bad input and faults: each gives a clear error in the right place, and nothing else suffers."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import os
import random
import signal
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.support import Answer, Hearth, a_service, hearth_command, wait_until

pytestmark = pytest.mark.kubectl


@pytest.fixture(scope="module", autouse=True)
def neighbour(hearth: Hearth) -> None:
    """A healthy service; every test ends by asking it."""
    hearth.apply(a_service("neighbour", annotations={"autoscaling.knative.dev/min-scale": "1"}))
    hearth.kubectl("wait", "--for=condition=Ready", "ksvc/neighbour", "--timeout=90s")


@pytest.fixture(autouse=True)
def nothing_else_suffers(hearth: Hearth) -> Any:
    yield
    assert hearth.request("neighbour").status == 200


def until_failed(hearth: Hearth, name: str) -> dict[str, Any]:
    """The condition that says why no revision came up; `kubectl get` shows that it is not ready."""

    def condition() -> dict[str, Any] | None:
        conditions = hearth.get_json("ksvc", name).get("status", {}).get("conditions", [])
        by_type = {c["type"]: c for c in conditions}
        failed = by_type.get("ConfigurationsReady", {})
        if by_type.get("Ready", {}).get("status") == failed.get("status") == "False":
            return dict(failed)
        return None

    failure: dict[str, Any] = wait_until(condition, seconds=60, what=f"{name} not ready")
    row = hearth.kubectl("get", "ksvc", name).stdout.splitlines()[1].split()
    assert row[-2] == "False" and row[-1].startswith("Revision")
    return failure


def add_image(hearth: Hearth, name: str, script: str, tmp_path: Path) -> str:
    file = tmp_path / f"{name}.py"
    file.write_text(script)
    image = f"faults/{name}"
    hearth.run("image", "add", image, "--workdir", str(tmp_path), "--", sys.executable, str(file))
    return image


def test_unknown_image_says_what_to_do(hearth: Hearth) -> None:
    hearth.apply(a_service("unknown", image="nobody/knows:1"))
    condition = until_failed(hearth, "unknown")
    assert condition["reason"] == "RevisionFailed"
    # Where containers run, it is what the registry says, or that there is none to be reached.
    taught = "hearth image add" if hearth.state["engine"] is None else "nobody/knows:1"
    assert taught in condition["message"]
    hearth.kubectl("delete", "ksvc", "unknown")


def test_a_container_that_exits_is_reported_with_its_last_words(
    hearth: Hearth, tmp_path: Path
) -> None:
    script = "import sys; print('no database'); sys.exit(3)"
    hearth.apply(a_service("exits", image=add_image(hearth, "exits", script, tmp_path)))
    condition = until_failed(hearth, "exits")
    assert "no database" in condition["message"]
    hearth.kubectl("delete", "ksvc", "exits")


def test_a_service_that_never_listens_misses_its_deadline(hearth: Hearth, tmp_path: Path) -> None:
    script = "import time; time.sleep(3600)"
    image = add_image(hearth, "deaf", script, tmp_path)
    service = a_service(
        "deaf", image=image, annotations={"serving.knative.dev/progress-deadline": "5s"}
    )
    hearth.apply(service)
    condition = until_failed(hearth, "deaf")
    assert "timed out progressing" in condition["message"] or "exceeded" in condition["message"]
    hearth.kubectl("delete", "ksvc", "deaf")


def test_a_flood_of_logs_is_bounded(hearth: Hearth, tmp_path: Path) -> None:
    script = "import itertools\nfor n in itertools.count(): print(n, 'x' * 1000)"
    image = add_image(hearth, "flood", script, tmp_path)
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "flood", "namespace": "default"},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "c", "image": image}],
        },
    }
    hearth.apply(pod)
    folder = hearth.data_dir / "pods"

    def size() -> int:
        found = 0
        for file in folder.rglob("*.log*"):
            with contextlib.suppress(FileNotFoundError):  # it has just become the older one
                found += file.stat().st_size if "flood" in str(file) else 0
        return found

    wait_until(lambda: size() > 5_000_000, what="5 MB of log")
    for _ in range(20):
        assert hearth.request("neighbour").status == 200
    assert size() < 60_000_000
    hearth.kubectl("delete", "pod", "flood", "--grace-period=0", "--force")


def test_a_process_that_ignores_sigterm_is_killed_after_its_grace(
    hearth: Hearth, tmp_path: Path
) -> None:
    script = (
        "import os, signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('pid', os.getpid(), flush=True)\n"
        "time.sleep(3600)\n"
    )
    image = add_image(hearth, "stubborn", script, tmp_path)
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "stubborn", "namespace": "default"},
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "containers": [{"name": "c", "image": image}],
        },
    }
    hearth.apply(pod)
    line = wait_until(
        lambda: hearth.kubectl("logs", "stubborn", check=False).stdout, what="its first line"
    )
    pid = int(line.split()[1])
    hearth.kubectl("delete", "pod", "stubborn")
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), seconds=60, what="the process gone")


def test_invalid_fields_are_refused_with_their_path(hearth: Hearth) -> None:
    wrong = a_service("wrong", containerConcurrency=-1)
    with pytest.raises(AssertionError, match=r"spec\.template\.spec\.containerConcurrency"):
        hearth.apply(wrong)


def test_port_in_use_names_the_option(hearth: Hearth, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        refused = hearth_command("up", "--detach", "--port", port, data_dir=tmp_path, check=False)
    assert refused.returncode != 0
    assert f"port {port} is in use" in refused.stdout + refused.stderr
    assert "--port" in refused.stdout + refused.stderr


def test_a_second_hearth_on_the_same_folder_is_told_so(hearth: Hearth) -> None:
    refused = hearth.run("up", "--detach", "--port", "0", check=False)
    assert refused.returncode != 0
    assert "runs already" in refused.stdout + refused.stderr


def a_broker(hearth: Hearth) -> str:
    """The URL of a Broker that is ready."""
    broker = {"apiVersion": "eventing.knative.dev/v1", "kind": "Broker"}
    hearth.apply({**broker, "metadata": {"name": "faults"}})
    hearth.kubectl("wait", "--for=condition=Ready", "broker/faults", "--timeout=90s")
    return str(hearth.get_json("broker", "faults")["status"]["address"]["url"])


def test_what_is_sent_while_the_broker_is_away_waits_for_its_successor(hearth: Hearth) -> None:
    url = a_broker(hearth)
    killed = hearth.pids()["broker"]
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: not Path(f"/proc/{killed}/environ").exists(), what="its end")
    sent = hearth.run("event", "send", "--to", url, "--type", "during", "--id", "waited")
    assert "202" in sent.stdout


def test_broken_framing_is_answered_400_and_closed(hearth: Hearth) -> None:
    head = f"POST / HTTP/1.1\r\nHost: neighbour.default.localhost:{hearth.port}\r\n"
    broken = head + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    with socket.create_connection(("127.0.0.1", hearth.port), timeout=60) as client:
        client.sendall(broken.encode())
        answer = b""
        while chunk := client.recv(4096):
            answer += chunk
    assert answer.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("component", ["api", "cluster", "control", "activator", "broker"])
def test_a_killed_component_comes_back(hearth: Hearth, component: str) -> None:
    if component == "broker":
        a_broker(hearth)
    pid = hearth.pids()[component]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: hearth.pids().get(component, pid) != pid, seconds=60, what="a new process")

    def answers() -> bool:
        try:
            return hearth.request("neighbour").status == 200
        except OSError:
            return False

    wait_until(answers, seconds=60, what="an answer")
    name = f"after-{component}"
    wait_until(
        lambda: (
            hearth.kubectl("create", "configmap", name, check=False).returncode == 0
            or hearth.kubectl("get", "configmap", name, check=False).returncode == 0
        ),
        seconds=60,
        what="a write",
    )


COUNTING = """
import os, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

lock = threading.Lock()

class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        with lock, open(os.environ["NOTES"], "a") as notes:
            notes.write(self.headers["Idempotency-Key"] + " " + self.path + "\\n")
        answer = self.path.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args): pass

ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


class Askers:
    """Clients that ask to be answered later, and then for the answer, whatever dies meanwhile."""

    def __init__(self, hearth: Hearth) -> None:
        self._hearth = hearth
        self._numbers = itertools.count()
        self.accepted: dict[str, str] = {}
        """Where the answer to a path will be."""
        self.ends = threading.Event()

    def run(self) -> None:
        while not self.ends.is_set():
            path = f"/{next(self._numbers)}"
            taken = self._ask("POST", path, {"Prefer": "respond-async"})
            if taken is None or taken.status != 202:
                continue
            self.accepted[path] = taken.headers["location"]
            answer = wait_until(partial(self._answer, path), seconds=60, what=f"answer to {path}")
            assert (answer.status, answer.body) == (200, path)

    def until(self, count: int) -> None:
        wait_until(lambda: len(self.accepted) >= count, seconds=60, what=f"{count} requests")

    def _answer(self, path: str) -> Answer | None:
        found = self._ask("GET", self.accepted[path], {})
        assert found is None or found.status not in (404, 410), found
        is_there = found is not None and found.headers.get("x-hearth-async") == "done"
        return found if is_there else None

    def _ask(self, method: str, path: str, headers: dict[str, str]) -> Answer | None:
        """None where whoever had the connection died."""
        try:
            body = b"x" if method == "POST" else None
            return self._hearth.request("later", path, method=method, body=body, headers=headers)
        except (OSError, http.client.HTTPException):
            return None


def test_what_is_to_be_answered_later_is_whatever_is_killed(hearth: Hearth, tmp_path: Path) -> None:
    """With tokens asked for and every address encrypted; last here, for it leaves them so."""
    flags = {"authentication-oidc": "enabled", "transport-encryption": "strict"}
    patch = ("patch", "configmap", "config-features", "-n", "knative-eventing", "--type=merge")
    hearth.kubectl(*patch, "-p", json.dumps({"data": flags}))
    notes = tmp_path / "notes"
    image = add_image(hearth, "counting", COUNTING, tmp_path)
    env = [{"name": "NOTES", "value": str(notes)}]
    service = a_service("later", image=image, container={"env": env})
    asks = "{retries: 20, backoff: 100ms}"
    service["metadata"]["annotations"] = {"serving.hearth.dev/async": asks}
    hearth.apply(service)
    hearth.kubectl("wait", "--for=condition=Ready", "ksvc/later", "--timeout=60s")

    def is_encrypted() -> bool:
        found = hearth.get_json("sequence", "later-async").get("status") or {}
        ready = {c["type"]: c["status"] for c in found.get("conditions", ())}.get("Ready")
        url = str((found.get("address") or {}).get("url"))
        return ready == "True" and url.startswith("https:")

    wait_until(
        lambda: hearth.kubectl("get", "sequence", "later-async", check=False).returncode == 0,
        seconds=60,
        what="its sequence",
    )
    wait_until(is_encrypted, seconds=60, what="an encrypted address")
    askers, seed = Askers(hearth), os.urandom(4).hex()
    drawn = random.Random(seed)
    victims = ["activator", "broker", "control", drawn.choice(["activator", "broker"])]
    drawn.shuffle(victims)
    with ThreadPoolExecutor(6) as pool:
        running = [pool.submit(askers.run) for _ in range(6)]
        try:
            for victim in victims:
                pid = hearth.pids()[victim]
                target = len(askers.accepted) + drawn.randint(1, 12)
                askers.until(target)
                os.kill(pid, signal.SIGKILL)
            target = len(askers.accepted) + 6
            askers.until(target)
        finally:
            askers.ends.set()
        for each in running:
            each.result()
    came = {tuple(line.split()) for line in notes.read_text().splitlines()}
    missed = {(where.rpartition("/")[2], path) for path, where in askers.accepted.items()} - came
    assert not missed, f"with {victims} of seed {seed}"
    keys = [key for key, _ in came]
    assert len(keys) == len(set(keys)), "a key is one request's"
