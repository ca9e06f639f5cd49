"""A Hearth as a user has it: the real command, in a folder of its own. No package of ours here."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "samples"


@dataclass(frozen=True)
class Answer:
    status: int
    body: str
    headers: dict[str, str]


@dataclass(frozen=True)
class Hearth:
    """A running Hearth and the clients a user would point at it."""

    data_dir: Path
    state: dict[str, Any]

    @property
    def kubeconfig(self) -> str:
        return str(self.state["kubeconfig"])

    @property
    def port(self) -> int:
        return int(self.state["ports"]["gateway"])

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return hearth_command(*arguments, data_dir=self.data_dir, check=check)

    def status(self) -> dict[str, Any]:
        done = self.run("status", "-o", "json", check=False)
        assert done.returncode in (0, 1), done.stderr  # 1: something needs a look
        status: dict[str, Any] = json.loads(done.stdout)
        return status

    def pids(self) -> dict[str, int]:
        """The processes that run, by component."""
        processes = self.status()["processes"]
        return {process["name"]: process["pid"] for process in processes if process["pid"]}

    def kubectl(
        self, *arguments: str, check: bool = True, stdin: str | None = None, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [kubectl_binary(), "--kubeconfig", self.kubeconfig, *arguments],
            capture_output=True,
            text=True,
            input=stdin,
            timeout=timeout,
            check=False,
            env={**os.environ, "HOME": str(self.data_dir), "EDITOR": "true"},
        )
        if check and done.returncode != 0:
            raise AssertionError(f"kubectl {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done

    def get_json(self, *arguments: str) -> dict[str, Any]:
        obj: dict[str, Any] = json.loads(self.kubectl("get", *arguments, "-o", "json").stdout)
        return obj

    def apply(self, *objects: dict[str, Any], check: bool = True) -> str:
        """What kubectl says of it; nothing where it is refused, unless that is ``check``ed."""
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
        return self.kubectl("apply", "-f", "-", stdin=text, check=check).stdout

    def request(
        self,
        service: str,
        path: str = "/",
        *,
        method: str = "GET",
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        namespace: str = "default",
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            host = {"Host": f"{service}.{namespace}.localhost:{self.port}"}
            connection.request(method, path, body=body, headers=host | (headers or {}))
            response = connection.getresponse()
            return Answer(
                response.status,
                response.read().decode(),
                {name.lower(): value for name, value in response.getheaders()},
            )
        finally:
            connection.close()


def hearth_command(
    *arguments: str, data_dir: Path | None = None, check: bool = True, **env: str
) -> subprocess.CompletedProcess[str]:
    if data_dir is not None:
        env["HEARTH_DATA_DIR"] = str(data_dir)
    done = subprocess.run(
        [str(Path(sys.executable).with_name("hearth")), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **env},
    )
    if check and done.returncode != 0:
        raise AssertionError(f"hearth {' '.join(arguments)}: {done.stdout}{done.stderr}")
    return done


def kubectl_binary() -> str:
    return _program("kubectl", required="HEARTH_REQUIRE_KUBECTL")


def prometheus_binary(program: str) -> str:
    """Where ``prometheus`` or ``promtool`` is."""
    return _program(program, required="HEARTH_REQUIRE_PROMETHEUS")


def _program(name: str, *, required: str) -> str:
    binary = shutil.which(name)
    if binary is None:
        if os.environ.get(required):
            pytest.fail(f"there is no {name} on the path, and {required} is set")
        pytest.skip(f"there is no {name} on the path: what drives it was not tested")
    return binary


def wait_until(
    question: Callable[[], Any], *, seconds: float = 90, what: str = "the condition"
) -> Any:
    """Asks until the answer is true; each question is a real request, so there is no rush."""
    deadline = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {seconds} s")
        time.sleep(0.05)


@pytest.fixture(scope="module")
def hearth(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hearth]:
    """One Hearth for the tests of a module, started and stopped by the command."""
    data_dir = tmp_path_factory.mktemp("hearth")
    hearth_command("up", "--detach", "--port", "0", data_dir=data_dir)
    state = json.loads((data_dir / "state.json").read_text())
    running = Hearth(data_dir, state)
    try:
        yield running
    finally:
        running.run("down")


def a_service(name: str, *, image: str = "hearth.dev/samples/hello", **spec: Any) -> dict[str, Any]:
    container = {"image": image, **spec.pop("container", {})}
    annotations = {"autoscaling.knative.dev/window": "6s", **spec.pop("annotations", {})}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "template": {
                "metadata": {"annotations": annotations},
                "spec": {"containers": [container], **spec},
            }
        },
    }
