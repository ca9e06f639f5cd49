"""Which cluster is tested, and what every test may ask for."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from conformance.support import Cluster


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("cluster")
    group.addoption("--kubeconfig", help="cluster under test; without it a Hearth is started")
    group.addoption("--gateway", help="http://HOST:PORT that takes requests for services")
    group.addoption("--hello-image", default="hearth.dev/samples/hello")
    group.addoption("--no-delay", action="store_true", help="the image knows no DELAY")


@pytest.fixture(scope="session")
def access(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str]]:
    given = request.config.getoption("--kubeconfig")
    if given:
        gateway = request.config.getoption("--gateway")
        if not gateway:
            raise pytest.UsageError("--kubeconfig needs --gateway as well")
        yield given, gateway
        return
    folder = tmp_path_factory.mktemp("hearth")
    command = str(Path(sys.executable).with_name("hearth"))
    where = ["--data-dir", str(folder)]
    subprocess.run([command, "up", "--detach", "--port", "0", *where], check=True, timeout=120)
    state = json.loads((folder / "state.json").read_text())
    try:
        yield state["kubeconfig"], f"http://127.0.0.1:{state['ports']['gateway']}"
    finally:
        subprocess.run([command, "down", *where], check=True, timeout=120)


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest, access: tuple[str, str]) -> Iterator[Cluster]:
    cluster_under_test = Cluster(*access, image=request.config.getoption("--hello-image"))
    try:
        yield cluster_under_test
    finally:
        cluster_under_test.close()


@pytest.fixture
def needs_delay(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--no-delay"):
        pytest.skip("the image under test knows no DELAY (--no-delay)")


@pytest.fixture
def a_service(cluster: Cluster) -> Callable[..., dict[str, Any]]:
    def make(name: str, target: str = "World", **template: Any) -> dict[str, Any]:
        env = [{"name": "TARGET", "value": target}, *template.pop("env", [])]
        container = {"image": cluster.image, "env": env, **template.pop("container", {})}
        metadata = template.pop("metadata", {})
        return {
            "apiVersion": "serving.knative.dev/v1",
            "kind": "Service",
            "metadata": {"name": name},
            "spec": {
                "template": {"metadata": metadata, "spec": {"containers": [container], **template}}
            },
        }

    return make
